"""Features of images with what is known of each image, and the files that hold them."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

import numpy as np
from jaxtyping import Float32, Int64

from ae_cls.dataset.contract import NO_LABEL, Rows
from ae_cls.store.cells import cell, path_cell, row_writer
from ae_cls.store.files import publish_written


@final
@dataclass(frozen=True)
class Encoded:
    """Features, and what they are of.

    Attributes:
        features: one row an image.
        labels: class index, -1 where nothing is known.
        class_names: in the order of the class index.
        parts: train, valid, test or unlabelled; empty where images are of no part.
        names: path of each image; empty where images are no files.
        rows: position of each image in the data set, or in the list of files.
        unlike: of images of a folder, why each is unlike the training images; empty if it is not.
        left_out: how many files of a folder could not be read.
    """

    features: Float32[np.ndarray, "n d"]
    labels: Int64[np.ndarray, " n"]
    class_names: tuple[str, ...]
    parts: tuple[str, ...]
    names: tuple[str, ...]
    rows: Rows
    unlike: tuple[str, ...] = ()
    left_out: int = 0

    def save(self, path: Path) -> None:
        """A file of the kind that its suffix says, one of `FORMATS`; it appears whole.

        Raises:
            StorageError: it cannot be written.
        """
        publish_written(path, lambda file: FORMATS[path.suffix](self, file))

    def columns(self) -> dict[str, list[str]]:
        """What a table says of each image beside its features, as plain text."""
        nothing = [""] * len(self.rows)
        names = {NO_LABEL: "", **dict(enumerate(self.class_names))}
        return {
            "path": [*self.names] or nothing,
            "part": [*self.parts],
            "label": [names[label] for label in self.labels.tolist()],
            "unlike": [*self.unlike] or nothing,
        }


def _write_npz(encoded: Encoded, file: BinaryIO) -> None:
    """Arrays, without pickle."""
    np.savez(
        file,
        features=encoded.features,
        labels=encoded.labels,
        class_names=np.array(encoded.class_names, dtype=np.str_),
        parts=np.array(encoded.parts, dtype=np.str_),
        names=np.array(encoded.names, dtype=np.str_),
        rows=encoded.rows,
        unlike=np.array(encoded.unlike, dtype=np.str_),
    )


def _write_csv(encoded: Encoded, file: BinaryIO) -> None:
    """A line an image, text spelt as in all tables; nine digits give the same float32 again."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    write, columns = row_writer(text), encoded.columns()
    write(["row", *columns, *_feature_names(encoded)])
    spelt = [
        [(path_cell if name == "path" else cell)(text) for text in texts]
        for name, texts in columns.items()
    ]
    for row, features, *texts in zip(encoded.rows, encoded.features, *spelt, strict=True):
        write([int(row), *texts, *(f"{value:.9g}" for value in features.tolist())])
    text.flush()
    text.detach()


def _write_parquet(encoded: Encoded, file: BinaryIO) -> None:
    """The columns of the CSV with their types; no label is null."""
    import pyarrow as pa  # here and below, as few need it
    from pyarrow import parquet

    columns = encoded.columns()
    arrays = {
        "row": pa.array(encoded.rows),
        **{name: pa.array(texts, pa.string()) for name, texts in columns.items()},
        "label": pa.array([label or None for label in columns["label"]], pa.string()),
        **{
            name: pa.array(np.ascontiguousarray(encoded.features[:, place]))
            for place, name in enumerate(_feature_names(encoded))
        },
    }
    parquet.write_table(pa.table(arrays), file)


def _feature_names(encoded: Encoded) -> list[str]:
    return [f"f{place}" for place in range(encoded.features.shape[1])]


FORMATS: Mapping[str, Callable[[Encoded, BinaryIO], None]] = {
    ".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet,
}  # fmt: skip
"""What writes a file, by its suffix."""
