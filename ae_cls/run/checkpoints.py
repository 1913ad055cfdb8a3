"""Checkpoints of one training as files, each named by its step and its own hash."""

import json
import logging
import re
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import final

import safetensors.torch

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.store.files import cannot_write, file_sha256, publish, sha256
from ae_cls.store.received import json_object, most_in_memory, read_bytes
from ae_cls.store.tensor_file import tensors_of
from ae_cls.train.checkpoint import Checkpoint, Checkpoints

log = logging.getLogger(__name__)

_NAME = re.compile(r"step-\d{12}-[0-9a-f]{64}\.safetensors")
_MOST_FACTS = 2**26  # bytes: a line for each validation of the training
_KEPT = 2  # the one before the newest, in case the newest rots
_EPOCH_WORTH_KEEPING = 1.0  # seconds; what is lost with less is not worth a write


@final
class CheckpointFolder(Checkpoints):
    """The newest two checkpoints, `step-STEP-SHA256.safetensors`.

    Args:
        folder: made when the first is kept.
        every: seconds between two within an epoch.
        elsewhere: folders with checkpoints of another training that goes on here.
    """

    def __init__(self, folder: Path, *, every: float, elsewhere: Sequence[Path] = ()) -> None:
        self.folder, self.every, self.elsewhere = folder, every, elsewhere
        self._kept_at = time.monotonic()

    def newest(self) -> Checkpoint | None:
        for path in self._all_files():
            try:
                content = read_bytes(path, most=most_in_memory())
                if sha256(content) == _named(path):
                    return _read(content, path)
            except (ModelFileError, FileNotFoundError) as error:
                log.debug("%s", error)
            log.warning("skipping a damaged checkpoint: %s", path)
        return None

    def is_due(self, *, epoch_ended: bool) -> bool:
        least = min(_EPOCH_WORTH_KEEPING, self.every) if epoch_ended else self.every
        return time.monotonic() - self._kept_at >= least

    def keep(self, checkpoint: Checkpoint) -> None:
        content = _written(checkpoint)
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
        for path in self._files()[:1]:
            publish(folder / path.name, read_bytes(path, most=most_in_memory()))

    def _publish(self, path: Path, content: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            publish(path, content)
            if file_sha256(path) != _named(path):
                raise StorageError("a checkpoint cannot be read back unchanged", where=str(path))
        except OSError as error:
            raise cannot_write(path, error) from error

    def _clear(self) -> None:
        """Remove older ones, now that the new one has been read back."""
        for old in self._files()[_KEPT:]:
            try:
                old.unlink(missing_ok=True)
            except OSError as error:
                log.warning("an old checkpoint cannot be removed: %s", error)

    def _files(self) -> list[Path]:
        return _in(self.folder)

    def _all_files(self) -> list[Path]:
        return [path for folder in (self.folder, *self.elsewhere) for path in _in(folder)]


def steps_in(folder: Path) -> list[int]:
    """After how many steps the checkpoints in a folder were kept."""
    return [_step(path) for path in _in(folder)]


def _in(folder: Path) -> list[Path]:
    """The newest first; by step, not by time."""
    return sorted((path for path in folder.glob("*") if _NAME.fullmatch(path.name)), reverse=True)


def _named(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _step(path: Path) -> int:
    return int(path.stem.split("-")[1])


def _written(checkpoint: Checkpoint) -> bytes:
    tensors = {n: t.detach().cpu().contiguous() for n, t in checkpoint.tensors.items()}
    facts = json.dumps(dict(checkpoint.facts))  # our own file: a loss may be NaN in it
    return safetensors.torch.save(tensors, {"facts": facts})


def _read(content: bytes, path: Path) -> Checkpoint:
    _, metadata = tensors_of(BytesIO(content), str(path), most_header=_MOST_FACTS)
    facts = json_object(str(metadata.get("facts")).encode(), str(path), finite=False)
    return Checkpoint(_step(path), safetensors.torch.load(content), facts)
