"""Checkpoints as a training keeps them, for tests of what becomes of them."""

import torch

from ae_cls.train.checkpoint import Checkpoint, Facts

BEGUN = Facts(history=[], terms=["loss"], count=8, seconds=0.5, best=None, threads=1)
"""After some steps of the first epoch."""


def checkpoint(step: int) -> Checkpoint:
    """One that tells its step by its tensors, too."""
    weight = torch.full((2, 3), float(step))
    return Checkpoint(step, {"network.a": weight, "sums.loss": torch.tensor(1.5).double()}, BEGUN)
