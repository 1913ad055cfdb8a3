"""Features of images by the encoder of a saved run."""

import io
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from pydantic import TypeAdapter
from torch import Tensor

from ae_cls.dataset.contract import NO_LABEL, Dataset, Rows
from ae_cls.dataset.rows import ImageRows
from ae_cls.dataset.split import Split
from ae_cls.encode import EncodeChoice, EncodeConfig, Encoder
from ae_cls.errors import DataError
from ae_cls.experiment import configs
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.experiment.read import with_data_at
from ae_cls.saved.data import data_of
from ae_cls.saved.likeness import Likeness
from ae_cls.saved.model import load_autoencoder, load_likeness, read_experiment
from ae_cls.saved.predict import decoded, find_images
from ae_cls.saved.unlike import WITHOUT, Seen, reasons, seen, summary
from ae_cls.saved.use import compute_of, decoding_of
from ae_cls.store.files import publish

_LOG = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Encoded:
    """Features, and what they are of.

    Attributes:
        features: one row an image.
        labels: class index, -1 where nothing is known.
        class_names: in the order of the class index.
        names: path of each image; empty where images are no files.
        rows: position of each image in the data set, or in the list of files.
        unlike: of images of a folder, why each is unlike the training images; empty if it is not.
    """

    features: Float32[np.ndarray, "n d"]
    labels: Int64[np.ndarray, " n"]
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    rows: Rows
    unlike: tuple[str, ...] = ()

    def save(self, path: Path) -> None:
        """An .npz file without pickle."""
        content = io.BytesIO()
        np.savez(
            content,
            features=self.features,
            labels=self.labels,
            class_names=np.array(self.class_names, dtype=np.str_),
            names=np.array(self.names, dtype=np.str_),
            rows=self.rows,
            unlike=np.array(self.unlike, dtype=np.str_),
        )
        publish(path, content.getvalue())


@final
@dataclass(frozen=True)
class SavedEncoder:
    """A run's encoder, the description of the run, and what is kept of its training images."""

    description: Experiment | Pretraining
    encoder: Encoder
    likeness: Likeness | None

    def with_data_at(self, root: str) -> "SavedEncoder":
        """The same where the run's data have moved."""
        return replace(self, description=with_data_at(self.description, root))

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
            names=tuple(dataset.paths[row] for row in rows) if dataset.paths else (),
            rows=rows,
        )

    def of_folder(self, folder: Path) -> Encoded:
        """Features of all images in a folder; damaged and unlike ones are reported.

        Damaged ones are left out.

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
        return Encoded(
            features=np.concatenate(features),
            labels=np.full(len(rows), NO_LABEL),
            class_names=(),
            names=tuple(files[row].relative_to(folder).as_posix() for row in rows),
            rows=rows,
            unlike=tuple(reasons(self.likeness, each) for each in pictures if self.likeness),
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
    return SavedEncoder(description, encoder, load_likeness(run))


def _encode_of(description: Experiment | Pretraining, word: str | None) -> EncodeConfig:
    if word is None and isinstance(description, Experiment):
        return description.encode
    option = (
        configs.config_folder() / "encode" / f"{word or configs.groups_of('run')['encode']}.yaml"
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


def _tell_of_errors(files: list[Path], errors: list[str]) -> None:
    for file, error in zip(files, errors, strict=True):
        if error:
            _LOG.warning("left out: %s: %s", file, error)
    if all(errors):
        raise DataError("no image can be decoded", where=str(files[0].parent), why=errors[0])
