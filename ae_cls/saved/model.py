"""Saved models: weights, head and description, without pickle.

A saved model may come from a stranger. What its description implies is reckoned first, and files
are compared with it before anything large is read or made.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

import torch
from pydantic import Field, field_validator

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.outline import outline
from ae_cls.compute import Compute
from ae_cls.dataset.contract import ImageShape
from ae_cls.encode.encoder import Encoder
from ae_cls.errors import AeClsError, ModelFileError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.experiment.read import read_saved
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import FittedHead
from ae_cls.head.head_files import refuse_other_sizes
from ae_cls.saved.likeness import MOST as MOST_LIKENESS
from ae_cls.saved.likeness import NAME as LIKENESS
from ae_cls.saved.likeness import Likeness
from ae_cls.saved.likeness import read as read_likeness
from ae_cls.saved.names import MODEL
from ae_cls.settings import Settings
from ae_cls.store.files import json_bytes
from ae_cls.store.manifest import ListedFiles, listed_files, write_files
from ae_cls.store.received import checked, json_object, most_in_memory
from ae_cls.store.weights import load_weights, most_bytes, refuse_other_weights, weights_bytes

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
HEAD = "head."

_MOST_PIXELS = 2**26  # times channels: 4096x4096 in colour, the largest frame there is
_Side = Annotated[int, Field(ge=1)]


@final
class ModelConfig(Settings):
    """config.json of a model.

    Attributes:
        image_shape: of what the network takes: channels, height, width.
        class_names: of the data that it was made from, in the order of their index.
        description: of the run that made it.
    """

    image_shape: Annotated[tuple[_Side, _Side, _Side], Field(strict=False)]
    class_names: Annotated[tuple[str, ...], Field(strict=False)]
    description: dict[str, Any]

    @field_validator("image_shape")
    @classmethod
    def _is_an_image(cls, shape: ImageShape) -> ImageShape:
        if math.prod(shape) > _MOST_PIXELS:
            raise ValueError("no network of ae-cls takes images of this size")
        return shape

    @field_validator("class_names")
    @classmethod
    def _are_told_apart(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len({*names}) < len(names):
            raise ValueError("two classes have one name")
        return names


@final
@dataclass(frozen=True)
class _Saved:
    """A model folder whose description was read."""

    files: ListedFiles
    config: ModelConfig
    description: Experiment | Pretraining

    @property
    def image_shape(self) -> ImageShape:
        return self.config.image_shape

    def network(self, compute: Compute) -> Autoencoder:
        shape = self.image_shape
        if WEIGHTS not in self.files.names:
            raise ModelFileError("the weights are missing", where=WEIGHTS)
        try:
            plan = outline(self.description.autoencoder, shape)
        except (AeClsError, ValueError) as error:
            why = error.what if isinstance(error, AeClsError) else str(error)
            raise ModelFileError(
                "the description is not one of a network", where=CONFIG, why=why
            ) from error
        content = self.files.read(WEIGHTS, most=min(most_bytes(plan), most_in_memory()))
        refuse_other_weights(plan, content)
        model = self.description.autoencoder.build(shape)
        load_weights(model, content)
        return model.to(compute.device).eval()

    def head(self, experiment: Experiment, features: int) -> FittedHead:
        names = [name for name in self.files.names if name.startswith(HEAD)]
        files = {name: self.files.read(name, most=most_in_memory()) for name in names}
        refuse_other_sizes(
            files, experiment.head.name,
            class_count=len(self.config.class_names), feature_count=features,
        )  # fmt: skip
        return experiment.head.load(files)


def save_model(
    folder: Path,
    description: Experiment | Pretraining,
    model: Autoencoder,
    *,
    class_names: tuple[str, ...],
    head: FittedHead | None,
    likeness: Likeness | None = None,
) -> None:
    """Everything that predicting needs, in a folder of its own."""
    config = {
        "image_shape": list(model.image_shape),
        "class_names": list(class_names),
        "description": description.model_dump(mode="json"),
    }
    files = {
        WEIGHTS: weights_bytes(model),
        CONFIG: json_bytes(config),
        **(head.files() if head else {}),
        **({LIKENESS: likeness.as_bytes()} if likeness else {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_files(folder, files)


def load_classifier(folder: Path, compute: Compute) -> Classifier:
    """The classifier of a run folder, or of its model folder.

    Raises:
        ModelFileError: anything in it is missing, damaged, or does not fit its description.
    """
    saved = _opened(folder)
    description, class_names = saved.description, saved.config.class_names
    if not isinstance(description, Experiment):
        labels = "" if class_names else " dataset=folder dataset.root=FOLDER_WITH_CLASSES"
        raise ModelFileError(
            "this run has no classifier, only an encoder", where=str(folder),
            fix=f"ae-cls classify encoder={folder} head=linear{labels}",
        )  # fmt: skip
    model = saved.network(compute)
    suited = compute.suited_to(allows_bf16=model.allows_bf16)
    encoder = Encoder(model, description.encode, suited)
    return Classifier(encoder, saved.head(description, _feature_count(encoder)), class_names)


def load_autoencoder(folder: Path, compute: Compute) -> Autoencoder:
    """The network of a run folder, or of its model folder.

    Raises:
        ModelFileError: anything in it is missing, damaged, or does not fit its description.
    """
    return _opened(folder).network(compute)


def load_likeness(folder: Path) -> Likeness | None:
    """What a run folder or its model folder keeps of the training images; None if nothing.

    Raises:
        ModelFileError: it is damaged.
    """
    saved = _opened(folder)
    if LIKENESS not in saved.files.names:
        return None
    return read_likeness(saved.files.read(LIKENESS, most=MOST_LIKENESS), saved.image_shape)


def read_experiment(folder: Path) -> Experiment | Pretraining:
    """The description of the run that saved this model.

    Raises:
        ModelFileError: the folder holds no model, or its description is damaged.
    """
    return _opened(folder).description


def read_class_names(folder: Path) -> tuple[str, ...]:
    """The classes of the data that the model was made from, in the order of their index.

    Raises:
        ModelFileError: the folder holds no model, or its description is damaged.
    """
    return _opened(folder).config.class_names


def read_image_shape(folder: Path) -> ImageShape:
    """Channels, height and width of the images that the saved model takes.

    Raises:
        ModelFileError: the folder holds no model, or its description is damaged.
    """
    return _opened(folder).image_shape


def model_folder(folder: Path) -> Path:
    """The folder with the manifest: `folder` itself, or its model/.

    Raises:
        ModelFileError: model/ is a link to another place.
    """
    inner = folder / MODEL
    if inner.is_symlink():
        raise ModelFileError("the model is a link, which is not followed", where=str(inner))
    return inner if inner.is_dir() else folder


def _opened(folder: Path) -> _Saved:
    files = listed_files(model_folder(folder))
    if CONFIG not in files.names:
        raise ModelFileError("the saved description cannot be read", where=CONFIG)
    where = str(files.folder / CONFIG)
    config = checked(json_object(files.read(CONFIG), where), ModelConfig, where)
    return _Saved(files, config, read_saved(config.description, files.manifest.format))


def _feature_count(encoder: Encoder) -> int:
    """What the head is given of one image, by encoding a black one."""
    shape = encoder.model.image_shape
    try:
        with torch.inference_mode():
            black = torch.zeros((1, *shape), device=encoder.compute.device)
            return encoder.encode.features(encoder.model, black).shape[1]
    except (RuntimeError, MemoryError) as error:
        raise ModelFileError(
            "the network cannot encode a single image", where=CONFIG,
            why=str(error).partition("\n")[0],
        ) from error  # fmt: skip
