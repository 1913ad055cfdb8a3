"""A finished run as a stranger may hand it over: whole, then changed in one place."""

import json
import shutil
import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import numpy as np
from PIL import Image

from ae_cls.compute import Compute, start
from ae_cls.errors import AeClsError
from ae_cls.experiment.descriptions import Experiment
from ae_cls.run import run as runner
from ae_cls.store.manifest import write_manifest
from tests.composed import experiment

WORDS = (
    "device=cpu", "threads=1", "precision=fp32", "pretrain.epochs=1", "pretrain.min_steps=2",
    "autoencoder.widths=[8,16]", "autoencoder.latent_dim=8", "encode=latent", "head.C=[0.1]",
    "labels.per_class=3", "figures=false", "store=own",
)  # fmt: skip
_PLACE = TemporaryDirectory(prefix="ae-cls-whole-run-")


@cache
def _made(*words: str) -> Path:
    folder = Path(mkdtemp(dir=_PLACE.name)) / "run"
    others = [
        word.partition("=")[0] for word in words if word.startswith(("autoencoder=", "head="))
    ]
    given = [word for word in WORDS if word.partition(".")[0] not in others]
    described = experiment(*given, *words)
    runner.run(described.model_copy(update={"folder": str(folder), "outputs": _PLACE.name}))
    return folder


def whole_run(place: Path, *words: str) -> Path:
    """A copy of a finished run on digits, made once in each process."""
    return Path(shutil.copytree(_made(*words), place / "received"))


def described_in(folder: Path) -> Experiment:
    """A run that goes into this folder, and its outputs beside it."""
    return experiment("head=linear").model_copy(
        update={"folder": str(folder), "outputs": str(folder.parent)}
    )


def one_image(place: Path) -> Path:
    """A folder with a picture that the run can take."""
    place.mkdir()
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save(place / "a.png")
    return place


def cpu() -> Compute:
    """Where models are loaded in tests."""
    return start("cpu", "fp32", 1)


def resealed(model: Path) -> None:
    """Let the manifest of a folder list what is there now: whoever changes a file can do that."""
    (model / "manifest.json").unlink()
    write_manifest(model)


def rewritten(path: Path, **changed: Any) -> None:
    """A JSON object with other values."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def tensor_file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with that header; bytes are taken as they are."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def code_of(error: AeClsError) -> int:
    """The exit code that a refusal leads to; what is said of it has its place and reason."""
    assert error.where or error.why
    return error.code
