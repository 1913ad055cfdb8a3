"""Saved models: weights, head and description, without pickle."""

import json
from pathlib import Path
from typing import Any

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.contract import ImageShape
from ae_cls.encode.encoder import Encoder
from ae_cls.errors import ModelFileError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.experiment.read import read_saved
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import FittedHead
from ae_cls.saved.likeness import NAME as LIKENESS
from ae_cls.saved.likeness import Likeness
from ae_cls.saved.likeness import read as read_likeness
from ae_cls.store.files import json_bytes
from ae_cls.store.manifest import read_files, write_files
from ae_cls.store.weights import load_weights, weights_bytes

WEIGHTS = "model.safetensors"
CONFIG = "config.json"


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
    files = read_files(model_folder(folder))
    description, config = _description(files)
    if not isinstance(description, Experiment):
        labels = "" if config["class_names"] else " dataset=folder dataset.root=FOLDER_WITH_CLASSES"
        raise ModelFileError(
            "this run has no classifier, only an encoder", where=str(folder),
            fix=f"ae-cls classify encoder={folder} head=linear{labels}",
        )  # fmt: skip
    model = _model(files, description, _image_shape(config), compute)
    head = description.head.load({n: c for n, c in files.items() if n.startswith("head.")})
    suited = compute.suited_to(allows_bf16=model.allows_bf16)
    encoder = Encoder(model, description.encode, suited)
    return Classifier(encoder, head, tuple(config["class_names"]))


def load_autoencoder(folder: Path, compute: Compute) -> Autoencoder:
    """The network of a run folder, or of its model folder.

    Raises:
        ModelFileError: anything in it is missing, damaged, or does not fit its description.
    """
    files = read_files(model_folder(folder))
    description, config = _description(files)
    return _model(files, description, _image_shape(config), compute)


def load_likeness(folder: Path) -> Likeness | None:
    """What a run folder or its model folder keeps of the training images; None if nothing.

    Raises:
        ModelFileError: it is damaged.
    """
    files = read_files(model_folder(folder))
    if LIKENESS not in files:
        return None
    return read_likeness(files[LIKENESS], _image_shape(_description(files)[1]))


def read_experiment(folder: Path) -> Experiment | Pretraining:
    """The description of the run that saved this model.

    Raises:
        ModelFileError: the folder holds no undamaged model.
    """
    return _description(read_files(model_folder(folder)))[0]


def read_class_names(folder: Path) -> tuple[str, ...]:
    """The classes of the data that the model was made from, in the order of their index.

    Raises:
        ModelFileError: the folder holds no undamaged model.
    """
    return tuple(_description(read_files(model_folder(folder)))[1]["class_names"])


def read_image_shape(folder: Path) -> ImageShape:
    """Channels, height and width of the images that the saved model takes.

    Raises:
        ModelFileError: the folder holds no undamaged model.
    """
    return _image_shape(_description(read_files(model_folder(folder)))[1])


def model_folder(folder: Path) -> Path:
    """The folder with the manifest: `folder` itself, or its model/."""
    return folder / "model" if (folder / "model").is_dir() else folder


def _description(files: dict[str, bytes]) -> tuple[Experiment | Pretraining, dict[str, Any]]:
    try:
        config = json.loads(files[CONFIG])
        return read_saved(config["description"]), config
    except (KeyError, ValueError, TypeError) as error:
        raise ModelFileError("the saved description cannot be read", where=CONFIG) from error


def _image_shape(config: dict[str, Any]) -> ImageShape:
    try:
        channels, height, width = (int(side) for side in config["image_shape"])
    except (KeyError, ValueError, TypeError) as error:
        raise ModelFileError("image_shape is not three numbers", where=CONFIG) from error
    return channels, height, width


def _model(
    files: dict[str, bytes],
    description: Experiment | Pretraining,
    image_shape: ImageShape,
    compute: Compute,
) -> Autoencoder:
    model = description.autoencoder.build(image_shape)
    if WEIGHTS not in files:
        raise ModelFileError("the weights cannot be read", where=WEIGHTS, why="they are missing")
    load_weights(model, files[WEIGHTS])
    return model.to(compute.device).eval()
