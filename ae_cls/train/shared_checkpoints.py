"""Checkpoints of a training that several processes share."""

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from ae_cls.processes.world import World
from ae_cls.train.checkpoint import Checkpoint, Checkpoints, Facts


@final
class SharedCheckpoints(Checkpoints):
    """The first process's, for all: it alone keeps them, and all go on from the same one.

    Args:
        world: the processes.
        own: of the first process; the others have none.
    """

    def __init__(self, world: World, own: Checkpoints) -> None:
        self.world, self.own = world, own

    def newest(self) -> Checkpoint | None:
        own = self.own.newest()
        shared = self.world.share(
            own and {"step": own.step, "facts": own.facts.model_dump(), "forms": _forms(own)}
        )
        if shared is None:
            return None
        tensors = _empty(shared["forms"]) if own is None else own.tensors
        self.world.copy_from_first(tensors.values())
        facts = Facts.model_validate(shared["facts"])
        return Checkpoint(shared["step"], tensors, facts, own.where if own else "")

    def is_due(self, *, epoch_ended: bool) -> bool:
        return self.own.is_due(epoch_ended=epoch_ended)

    def keep(self, checkpoint: Checkpoint) -> None:
        self.own.keep(checkpoint)


def _forms(checkpoint: Checkpoint) -> dict[str, tuple[str, list[int]]]:
    """Type and shape of each tensor."""
    return {
        name: (str(tensor.dtype).removeprefix("torch."), list(tensor.shape))
        for name, tensor in checkpoint.tensors.items()
    }


def _empty(forms: Mapping[str, tuple[str, list[int]]]) -> dict[str, Tensor]:
    return {
        name: torch.empty(shape, dtype=getattr(torch, dtype))
        for name, (dtype, shape) in forms.items()
    }
