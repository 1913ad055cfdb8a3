"""Features of images by the encoder of a saved run."""

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float32, UInt8
from pydantic import TypeAdapter
from torch import Tensor

from ae_cls.dataset.contract import Dataset, Rows
from ae_cls.dataset.files.listing import images_below
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.rows import ImageRows
from ae_cls.dataset.split import Split
from ae_cls.encode import EncodeChoice, EncodeConfig, Encoder
from ae_cls.errors import DataError
from ae_cls.experiment import configs
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.experiment.read import with_data_at
from ae_cls.saved.data import data_of
from ae_cls.saved.encoded import Encoded
from ae_cls.saved.likeness import Likeness
from ae_cls.saved.model import (
    load_autoencoder,
    load_likeness,
    read_class_names,
    read_experiment,
)
from ae_cls.saved.output import lies_in, refuse_as_output
from ae_cls.saved.placed import placed_in
from ae_cls.saved.predict import decoded, find_images
from ae_cls.saved.unlike import WITHOUT, Seen, reasons, seen, summary
from ae_cls.saved.use import compute_of, decoding_of

_LOG = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class SavedEncoder:
    """A run's encoder, the description of the run, and what is kept of its training images."""

    description: Experiment | Pretraining
    class_names: tuple[str, ...]
    encoder: Encoder
    likeness: Likeness | None

    def with_data_at(self, root: str) -> "SavedEncoder":
        """The same where the run's data have moved."""
        return replace(self, description=with_data_at(self.description, root))

    def refuse_output(self, output: Path, run: Path, folder: Path | None) -> None:
        """Stop where features would be written over what they come from.

        Raises:
            UsageError: the output is a file of the run's data, an image of the folder, or lies in
                the folder of a run.
        """
        if folder is None:
            # What of the data is read is not asked: whatever lies there may be.
            inputs = [output] if lies_in(output, data_folder(self.description.dataset.root)) else []
        else:
            inputs = images_below(folder)[0] if output.exists() and folder.is_dir() else []
        refuse_as_output(output, model=run, inputs=inputs)

    def of_part(self, run: Path, part: str) -> Encoded:
        """Features of a part of the run's own data set.

        Raises:
            DataError: the data set is not there, or is not what the run was given.
        """
        dataset, split = data_of(run, self.description)
        rows = _rows_of(part, dataset, split)
        return Encoded(
            features=self.encoder.features(ImageRows(dataset.images, rows)),
            labels=dataset.labels_of(rows),
            class_names=dataset.class_names,
            parts=_parts_of(rows, dataset, split),
            names=tuple(dataset.paths[row] for row in rows) if dataset.paths else (),
            rows=rows,
        )

    def of_folder(self, folder: Path) -> Encoded:
        """Features of all images in a folder, with the classes and parts that its folders say.

        Damaged images are left out, and reported as unlike ones are.

        Raises:
            DataError: there is no image that can be decoded.
        """
        files = find_images([folder])
        features: list[Float32[np.ndarray, "b d"]] = []
        errors: list[str] = []
        pictures: list[Seen] = []
        decoding = decoding_of(self.description, self.likeness)
        for batch in decoded(files, self.encoder.model.image_shape, decoding):
            errors += batch.errors
            if len(batch.images):
                features.append(self.encoder.features(batch.rows))
                pictures += self._seen(batch.images, features[-1])
        rows = np.array([row for row, error in enumerate(errors) if not error], dtype=np.int64)
        _tell_of_errors(files, errors)
        for note in summary(self.likeness, pictures) if self.likeness else [WITHOUT]:
            _LOG.warning("%s", note)
        names = [files[row].relative_to(folder).as_posix() for row in rows]
        placed = placed_in(folder, names, self.class_names)
        return Encoded(
            features=np.concatenate(features),
            labels=placed.labels,
            class_names=placed.class_names,
            parts=placed.parts,
            names=tuple(names),
            rows=rows,
            unlike=tuple(reasons(self.likeness, each) for each in pictures if self.likeness),
            left_out=len(files) - len(rows),
        )

    def _seen(
        self, images: UInt8[Tensor, "b c h w"], features: Float32[np.ndarray, "b d"]
    ) -> list[Seen]:
        if self.likeness is None:
            return []
        # What is kept of training features is of those that the run itself read.
        same = self.encoder.encode == getattr(self.description, "encode", None)
        return seen(self.likeness, images, features if same else None)


def load_encoder(run: Path, encode: str | None, device: str) -> SavedEncoder:
    """The encoder of a run folder.

    Args:
        run: folder of `ae-cls run` or `ae-cls pretrain`.
        encode: option of the group `encode`; None: as the run read its features.
        device: auto, cpu or a CUDA device.

    Raises:
        ModelFileError: the saved model is missing or damaged.
    """
    description = read_experiment(run)
    compute = compute_of(description, device)
    model = load_autoencoder(run, compute)
    compute = compute.suited_to(allows_bf16=model.allows_bf16)
    encoder = Encoder(model, _encode_of(description, encode), compute)
    return SavedEncoder(description, read_class_names(run), encoder, load_likeness(run))


def _encode_of(description: Experiment | Pretraining, word: str | None) -> EncodeConfig:
    if word is None and isinstance(description, Experiment):
        return description.encode
    option = (
        configs.config_folder() / "encode" / f"{word or configs.defaults_of('run')['encode']}.yaml"
    )
    return TypeAdapter(EncodeChoice).validate_json(json.dumps(configs.read_yaml(option)))


def _rows_of(part: str, dataset: Dataset, split: Split) -> Rows:
    parts = {
        "train": split.train,
        "labelled": split.labelled,
        "valid": split.valid,
        "test": split.test,
        "pretrain": split.pretrain,
        "all": np.arange(len(dataset.images)),
    }
    if not len(parts[part]):
        raise DataError(f"the part {part} has no images", where=f"dataset={dataset.name}")
    return parts[part]


def _parts_of(rows: Rows, dataset: Dataset, split: Split) -> tuple[str, ...]:
    """Where each row of the run's data set is used, whether or not its label was shown."""
    parts = np.full(len(dataset.images), "unlabelled")
    parts[split.train], parts[split.valid], parts[split.test] = "train", "valid", "test"
    return tuple(parts[rows].tolist())


def _tell_of_errors(files: list[Path], errors: list[str]) -> None:
    for file, error in zip(files, errors, strict=True):
        if error:
            _LOG.warning("left out: %s: %s", file, error)
    if all(errors):
        raise DataError("no image can be decoded", where=str(files[0].parent), why=errors[0])
