"""Checkpoints of one training as files, each named by its step and its own hash."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import safetensors.torch
from torch import Tensor

from ae_cls.errors import StorageError
from ae_cls.store.files import cannot_write, file_sha256, publish, sha256
from ae_cls.store.ours import make_folder
from ae_cls.train.checkpoint import Checkpoint, Checkpoints

log = logging.getLogger(__name__)

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
            content = path.read_bytes()
            if _named(path) == (len(content) > 0 and sha256(content)):
                return _read(content, _step(path))
            log.warning("skipping a damaged checkpoint: %s", path)
        return None

    def is_due(self, *, epoch_ended: bool) -> bool:
        least = min(_EPOCH_WORTH_KEEPING, self.every) if epoch_ended else self.every
        return time.monotonic() - self._kept_at >= least

    def keep(self, checkpoint: Checkpoint) -> None:
        content = _written(checkpoint)
        path = self.folder / f"step-{checkpoint.step:012d}-{sha256(content)}.safetensors"
        try:
            make_folder(self.folder, within=self.folder.parent.parent)
            publish(path, content)
            # An older one may go only when the new one has been read back.
            if file_sha256(path) != _named(path):
                raise StorageError("a checkpoint cannot be read back unchanged", where=str(path))
            for old in self._files()[_KEPT:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        self._kept_at = time.monotonic()

    def hand_over(self, folder: Path) -> None:
        """Give the newest to a folder, from where a longer training can go on.

        Raises:
            OSError: the folder cannot be written.
        """
        for path in self._files()[:1]:
            publish(folder / path.name, path.read_bytes())

    def _files(self) -> list[Path]:
        return _in(self.folder)

    def _all_files(self) -> list[Path]:
        return [path for folder in (self.folder, *self.elsewhere) for path in _in(folder)]


def _in(folder: Path) -> list[Path]:
    """The newest first; by step, not by time."""
    return sorted(folder.glob("step-*.safetensors"), reverse=True)


def _named(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _step(path: Path) -> int:
    return int(path.stem.split("-")[1])


def _written(checkpoint: Checkpoint) -> bytes:
    tensors = {n: t.detach().cpu().contiguous() for n, t in checkpoint.tensors.items()}
    facts = json.dumps(dict(checkpoint.facts))  # our own file: a loss may be NaN in it
    return safetensors.torch.save(tensors, {"facts": facts})


def _read(content: bytes, step: int) -> Checkpoint:
    length = int.from_bytes(content[:8], "little")
    header: Mapping[str, Any] = json.loads(content[8 : 8 + length])
    tensors: dict[str, Tensor] = safetensors.torch.load(content)
    return Checkpoint(step, tensors, json.loads(header["__metadata__"]["facts"]))
