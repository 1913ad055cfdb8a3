"""What each stage reads: the only things that may change what it gives.

Not among them, and why: `threads`, `devices` and the number of decoding workers change the last bit
at most and are recorded with the entry; `outputs`, `folder`, `store` and `checkpoint_seconds` say
where things are kept and how often; names of data sets, folders and classes stand for contents that
are hashed.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from ae_cls.dataset.fingerprint import numbers_sha256
from ae_cls.dataset.split import Part
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.run.data import Prepared
from ae_cls.store.key import Json, Key
from ae_cls.train.record import EpochRecord

FORMAT = 2
"""Of the files of an entry: raise it when they change."""

_PACKAGE = Path(__file__).resolve().parents[1]
_PROCESSES = ("batch.py", "norm.py", "training.py", "world.py")
_SHARED = (
    "compute.py", "draws.py", "dataset/rows.py", "autoencoder", "train/loss.py",
    *(f"processes/{name}" for name in _PROCESSES),
)  # fmt: skip
_TRAINING = (*_SHARED, "pretrain", "train")
_ENCODING = (*_SHARED, "encode")
_REBUILDING = (*_SHARED, "evaluate", "run/scores.py")
_DRAWING = (*_SHARED, "encode", "report/figures", "run/figures.py")
_CLASSIFYING = (*_TRAINING, "encode", "head")


def pretrain_key(description: Experiment | Pretraining, prepared: Prepared) -> Key:
    """Of the trained network; no label is part of it."""
    split = prepared.split
    told = {
        **_common(prepared, _TRAINING, ("torch",)),
        "rows": numbers_sha256(split.pretrain, split.valid),
        "mirrored_is_same": prepared.dataset.mirrored_is_same,
        "autoencoder": description.autoencoder.model_dump(mode="json"),
        "pretrain": description.pretrain.model_dump(mode="json"),
        "seed": description.seed,
    }
    return Key("pretrain", told, _about(prepared, description))


def encode_key(experiment: Experiment, prepared: Prepared, weights: str, part: Part) -> Key:
    """Of the features of one part, by a network with these weights."""
    told = {
        **_common(prepared, _ENCODING, ("torch",)),
        "rows": numbers_sha256(getattr(prepared.split, part)),
        "autoencoder": experiment.autoencoder.model_dump(mode="json"),
        "weights": weights,
        "encode": experiment.encode.model_dump(mode="json"),
    }
    return Key("encode", told, {**_about(prepared, experiment), "part": part})


def rebuild_key(
    description: Experiment | Pretraining, prepared: Prepared, weights: str, part: Part
) -> Key:
    """Of the error of the images of one part, rebuilt by a network with these weights."""
    told = {
        **_common(prepared, _REBUILDING, ("torch", "numpy")),
        "rows": numbers_sha256(getattr(prepared.split, part)),
        "autoencoder": description.autoencoder.model_dump(mode="json"),
        "weights": weights,
    }
    return Key("rebuild", told, {**_about(prepared, description), "part": part})


def draw_key(
    description: Experiment | Pretraining,
    prepared: Prepared,
    weights: str,
    history: Sequence[EpochRecord],
) -> Key:
    """Of the figures of a pretrained network and of its training."""
    rows, names = prepared.split.valid, prepared.dataset.class_names
    told = {
        **_common(prepared, _DRAWING, ("torch", "matplotlib", "scikit-learn")),
        "rows": numbers_sha256(rows, prepared.dataset.labels_of(rows)),
        "class_names": list(names),
        "history": [record.as_dict() for record in history],
        "autoencoder": description.autoencoder.model_dump(mode="json"),
        "weights": weights,
        "seed": description.seed,
    }
    return Key("draw", told, _about(prepared, description))


def classify_key(experiment: Experiment, prepared: Prepared, weights: str) -> Key:
    """Of the fitted head, and of the encoder where the head trains it."""
    split, labels_of = prepared.split, prepared.dataset.labels_of
    told = {
        **_common(prepared, _CLASSIFYING, ("torch", "scikit-learn", "scipy")),
        "labelled": numbers_sha256(split.labelled, labels_of(split.labelled)),
        "valid": numbers_sha256(split.valid, labels_of(split.valid)),
        "classes": len(prepared.dataset.class_names),
        "mirrored_is_same": prepared.dataset.mirrored_is_same,
        "autoencoder": experiment.autoencoder.model_dump(mode="json"),
        "weights": weights,
        "encode": experiment.encode.model_dump(mode="json"),
        "head": experiment.head.model_dump(mode="json"),
        "seed": experiment.seed,
    }
    about = {**_about(prepared, experiment), "head": experiment.head.name}
    return Key("classify", told, {**about, "labels": len(split.labelled)})


def _common(
    prepared: Prepared, sources: tuple[str, ...], packages: Sequence[str]
) -> dict[str, Json]:
    return {
        "format": FORMAT,
        "code": code_sha256(sources),
        "versions": {name: version(name) for name in packages},
        "images": prepared.images_sha256,
        "precision": prepared.compute.precision,
        "device": prepared.compute.device.type,
    }


def _about(prepared: Prepared, description: Experiment | Pretraining) -> dict[str, Json]:
    return {"dataset": prepared.dataset.name, "autoencoder": description.autoencoder.name}


@cache
def code_sha256(sources: tuple[str, ...]) -> str:
    """SHA-256 of the program text that a stage runs, so that a changed formula is never hidden."""
    told = hashlib.sha256()
    for source in sources:
        for name, text in _PROGRAM.items():
            if name == source or name.startswith(f"{source}/"):
                told.update(name.encode() + text)
    return told.hexdigest()


# Read when this is imported, as the program itself is: text that is changed while a long sweep goes
# on is not what the sweep runs.
_PROGRAM = {
    path.relative_to(_PACKAGE).as_posix(): path.read_bytes()
    for path in sorted(_PACKAGE.rglob("*.py"))
}
