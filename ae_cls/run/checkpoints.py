"""Checkpoints of one training as files, each named by its step and its own hash."""

import json
import logging
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import safetensors.torch

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.settings import Settings
from ae_cls.store.entries import CHECKPOINT
from ae_cls.store.files import cannot_write, file_sha256, publish, sha256
from ae_cls.store.ours import make_folder
from ae_cls.store.received import checked, json_object, most_in_memory, read_bytes
from ae_cls.store.tensor_file import tensors_of
from ae_cls.train.checkpoint import Checkpoint, Checkpoints, Facts

log = logging.getLogger(__name__)

_TEXT = "checkpoint"  # in the header of its file
_MOST_FACTS = 2**26  # bytes: a line for each validation of the training
_KEPT = 2  # the one before the newest, in case the newest rots
_EPOCH_WORTH_KEEPING = 1.0  # seconds; what is lost with less is not worth a write


@final
class _Written(Settings):
    """What a checkpoint says of itself, in the header of its file."""

    of: str
    step: int
    facts: Facts


@final
class CheckpointFolder(Checkpoints):
    """The newest two checkpoints, `step-STEP-SHA256.safetensors`.

    Each says in itself of which training and step it is: one of another training is passed over,
    wherever it lies and whatever it is called.

    Args:
        folder: made when the first is kept.
        of: the training, by all that it follows from.
        every: seconds between two within an epoch.
        elsewhere: folders with checkpoints of another training that goes on here, and which.
    """

    def __init__(
        self,
        folder: Path,
        *,
        of: str,
        every: float,
        elsewhere: Mapping[Path, str] = MappingProxyType({}),
    ) -> None:
        self.folder, self.of, self.every, self.elsewhere = folder, of, every, elsewhere
        self._kept_at = time.monotonic()

    def newest(self) -> Checkpoint | None:
        places = {self.folder: self.of, **self.elsewhere}
        for path, of in ((path, of) for folder, of in places.items() for path in _in(folder)):
            content = _intact(path)
            if content is None:
                log.warning("skipping a damaged checkpoint: %s", path)
            elif _mark(content, path) != _mark_of(of, _step(path)):
                log.warning("skipping a checkpoint of another training: %s", path)
            else:
                return _read(content, path)
        return None

    def is_due(self, *, epoch_ended: bool) -> bool:
        least = min(_EPOCH_WORTH_KEEPING, self.every) if epoch_ended else self.every
        return time.monotonic() - self._kept_at >= least

    def keep(self, checkpoint: Checkpoint) -> None:
        content = _written(checkpoint, self.of)
        path = self.folder / f"step-{checkpoint.step:012d}-{sha256(content)}.safetensors"
        try:
            self._publish(path, content)
        except StorageError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            # Where locks do nothing, another process trains the same, and clears up at its end.
            self._publish(path, content)
        self._clear()
        self._kept_at = time.monotonic()

    def hand_over(self, folder: Path) -> None:
        """Give the newest to a folder, from where a longer training can go on.

        Raises:
            OSError: the folder cannot be written.
        """
        for path in self._own()[:1]:
            publish(folder / path.name, read_bytes(path, most=most_in_memory()))

    def _publish(self, path: Path, content: bytes) -> None:
        try:
            make_folder(self.folder, within=self.folder.parent.parent)
            publish(path, content)
            if file_sha256(path) != _named(path):
                raise StorageError("a checkpoint cannot be read back unchanged", where=str(path))
        except OSError as error:
            raise cannot_write(path, error) from error

    def _clear(self) -> None:
        """Remove older ones, now that the new one has been read back."""
        for old in self._own()[_KEPT:]:
            try:
                old.unlink(missing_ok=True)
            except OSError as error:
                log.warning("an old checkpoint cannot be removed: %s", error)

    def _own(self) -> list[Path]:
        """Those of this training, whatever else lies here."""
        return [
            path
            for path in _in(self.folder)
            if (content := _intact(path)) and _mark(content, path) == _mark_of(self.of, _step(path))
        ]


def steps_in(folder: Path) -> list[int]:
    """After how many steps the checkpoints in a folder were kept."""
    return [_step(path) for path in _in(folder)]


def _in(folder: Path) -> list[Path]:
    """The newest first; by step, not by time."""
    names = [path for path in folder.glob("step-*") if CHECKPOINT.fullmatch(path.name)]
    return sorted(names, reverse=True)


def _named(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _step(path: Path) -> int:
    return int(path.stem.split("-")[1])


def _written(checkpoint: Checkpoint, of: str) -> bytes:
    tensors = {n: t.detach().cpu().contiguous() for n, t in checkpoint.tensors.items()}
    # Our own file: a loss may be NaN in it. In one text, as safetensors mixes the order of several.
    text = json.dumps({**_mark_of(of, checkpoint.step), "facts": checkpoint.facts.model_dump()})
    return safetensors.torch.save(tensors, {_TEXT: text})


def _mark_of(of: str, step: int) -> dict[str, str | int]:
    return {"of": of, "step": step}


def _mark(content: bytes, path: Path) -> dict[str, Any]:
    """Which training and step a checkpoint says that it is of; earlier versions said none."""
    try:
        text = _text(content, path)
        return {"of": text["of"], "step": text["step"]}
    except (ModelFileError, KeyError):
        return {}


def _text(content: bytes, path: Path) -> Mapping[str, Any]:
    _, metadata = tensors_of(BytesIO(content), str(path), most_header=_MOST_FACTS)
    return json_object(str(metadata.get(_TEXT)).encode(), str(path), finite=False)


def _intact(path: Path) -> bytes | None:
    """The content of a checkpoint; None where it is not what its name says."""
    try:
        content = read_bytes(path, most=most_in_memory())
    except (ModelFileError, FileNotFoundError) as error:
        log.debug("%s", error)
        return None
    return content if content and sha256(content) == _named(path) else None


def _read(content: bytes, path: Path) -> Checkpoint:
    written = checked(_text(content, path), _Written, str(path))
    return Checkpoint(written.step, safetensors.torch.load(content), written.facts, str(path))
