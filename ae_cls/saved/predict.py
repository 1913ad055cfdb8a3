"""Labels for image files: a saved classifier on files and folders, in batches of bounded memory."""

import csv
import io
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor
from tqdm import tqdm

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.decoding import Decoding, Frame
from ae_cls.dataset.files.decode import decode
from ae_cls.dataset.files.listing import images_below
from ae_cls.dataset.rows import ImageRows
from ae_cls.errors import DataError, printable
from ae_cls.head.classifier import Classifier
from ae_cls.saved.model import load_classifier, read_experiment
from ae_cls.saved.use import compute_of, decoding_of
from ae_cls.store.files import publish

BATCH = 512
"""Files at a time: as many as the encoder takes, so that no batch is cut twice."""

_LOG = logging.getLogger(__name__)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of a formula
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


@final
@dataclass(frozen=True)
class Decoded:
    """A few files, and the images of those that could be decoded.

    Attributes:
        files: as they were given.
        errors: why a file has no image; empty where it has one.
        images: of the files without an error, in their order.
    """

    files: tuple[Path, ...]
    errors: tuple[str, ...]
    images: UInt8[Tensor, "n c h w"]

    @property
    def rows(self) -> ImageRows:
        """The images as a table that encoders and classifiers take."""
        return ImageRows(self.images, np.arange(len(self.images)))


@final
@dataclass(frozen=True)
class Prediction:
    """What the classifier says of one file.

    Attributes:
        path: of the file.
        probabilities: one a class; None for a file that could not be decoded.
        error: why it could not be; empty otherwise.
    """

    path: Path
    probabilities: Float64[np.ndarray, " k"] | None
    error: str


@runtime_checkable
class TextFile(Protocol):
    """Where text can be written."""

    def write(self, text: str, /) -> object:
        """Add text."""


def predict_to_csv(
    model: Path, paths: Sequence[Path], output: Path | None, device: str
) -> tuple[int, int]:
    """Label files with a saved classifier; gives the number of errors, and of files.

    Args:
        model: a run folder, or its model/.
        paths: image files, and folders of them.
        output: the file to write, which then appears whole; None for standard output.
        device: auto, cpu or a CUDA device.

    Raises:
        DataError: there is no image.
        ModelFileError: the model is missing or damaged.
    """
    files = find_images(paths, output=output)
    description = read_experiment(model)
    classifier = load_classifier(model, compute_of(description, device))
    predictions = predict(classifier, files, decoding=decoding_of(description))
    if output is None:
        return write_csv(predictions, classifier.class_names, sys.stdout), len(files)
    text = io.StringIO()
    errors = write_csv(predictions, classifier.class_names, text)
    publish(output, text.getvalue().encode())
    return errors, len(files)


def find_images(paths: Sequence[Path], *, output: Path | None = None) -> list[Path]:
    """The files themselves, and all image files in the folders, by code point within each.

    Of folders, `output` is left out, and so are files that are no images by suffix and what systems
    or ae-cls made: with a warning that counts them.

    Raises:
        DataError: there is no such file or folder, or there is no image at all.
    """
    files = [file for path in paths for file in _files_of(path, output)]
    if not files:
        raise DataError(
            "there is no image file",
            where="\n".join(map(str, paths)),
            fix="name the files themselves if their names do not end like those of images",
        )
    return files


def decoded(files: Sequence[Path], shape: ImageShape, decoding: Decoding) -> Iterator[Decoded]:
    """All files in order, `BATCH` at a time, brought to one shape as in training."""
    frame = Frame(*shape, decoding)

    def one(file: Path) -> UInt8[np.ndarray, "c h w"] | str:
        try:
            return decode(file, frame)
        except DataError as error:
            return error.why or error.what

    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=len(files), unit="image", disable=None) as bar,
    ):
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            yield _batch(batch, list(pool.map(one, batch)), shape)
            bar.update(len(batch))


def predict(
    classifier: Classifier, files: Sequence[Path], *, decoding: Decoding
) -> Iterator[Prediction]:
    """One prediction a file, in order; a file that cannot be decoded has an error instead."""
    for batch in decoded(files, classifier.image_shape, decoding):
        rows = iter(classifier.predict_proba(batch.rows) if len(batch.images) else ())
        for file, error in zip(batch.files, batch.errors, strict=True):
            yield Prediction(file, None if error else next(rows), error)


def write_csv(predictions: Iterable[Prediction], class_names: Sequence[str], file: TextFile) -> int:
    """Write `path, label, score, error` and one column a class; gives the number of errors.

    Text that a spreadsheet would take for a formula is defused: `./` before a path (it still names
    the same file), `'` before other text, unless it is a number.
    """
    table = csv.writer(file, lineterminator="\n")
    table.writerow(
        ["path", "label", "score", "error", *(f"p_{_text(name)}" for name in class_names)]
    )
    errors = 0
    for prediction in predictions:
        table.writerow([_path_text(prediction.path), *_values(prediction, class_names)])
        errors += bool(prediction.error)
    return errors


def _files_of(path: Path, output: Path | None) -> list[Path]:
    if path.is_dir():
        images, notes = images_below(path, output)
        for note in notes:
            _LOG.warning("%s: %s", path, note)
        return images
    if not os.path.lexists(path):
        raise DataError("there is no such file or folder", where=str(path))
    return [path]


def _batch(
    files: Sequence[Path], results: Sequence[UInt8[np.ndarray, "c h w"] | str], shape: ImageShape
) -> Decoded:
    images = [result for result in results if not isinstance(result, str)]
    errors = tuple(result if isinstance(result, str) else "" for result in results)
    table = np.stack(images) if images else np.empty((0, *shape), np.uint8)
    return Decoded(tuple(files), errors, torch.from_numpy(table))


def _values(prediction: Prediction, class_names: Sequence[str]) -> list[str]:
    if prediction.probabilities is None:
        return ["", "", _harmless(printable(prediction.error)), *("" for _ in class_names)]
    best = int(prediction.probabilities.argmax())
    numbers = [f"{value:.9g}" for value in prediction.probabilities]
    return [_harmless(_text(class_names[best])), numbers[best], "", *numbers]


def _path_text(path: Path) -> str:
    text = _text(str(path))
    return f"./{text}" if text.startswith(_FORMULA) else text


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def _text(name: str) -> str:
    """What UTF-8 can hold: file names may be any bytes."""
    return name.encode(errors="backslashreplace").decode()
