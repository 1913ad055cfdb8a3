"""How fast a training will be, tried on a few images before it begins, and on how many threads."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from ae_cls.dataset.rows import to_unit
from ae_cls.draws import Draws
from ae_cls.train.augment import Augment
from ae_cls.train.task import LossOfBatch, TrainTask
from ae_cls.train.threads import take_fastest

TRIAL = -1
"""The number of the pass that a trial's draws belong to: no training draws the same."""

_ENOUGH = 0.3  # seconds; a shorter trial tells little, and a batch of large images takes minutes
_FIRST, _GROWTH = 2, 4  # images; a batch norm needs two


@final
@dataclass(frozen=True)
class Trial:
    """Forward and backward passes of a training; the network is left as it was.

    Attributes:
        network: to be trained.
        loss_of_batch: its loss.
        augment: what happens to images before it.
        task: images and conditions.
        batch_size: images of a step.
    """

    network: nn.Module
    loss_of_batch: LossOfBatch
    augment: Augment
    task: TrainTask
    batch_size: int

    def images_per_second(self, *, most_threads: int | None) -> float:
        """On batches that grow until one takes long enough.

        Args:
            most_threads: the process is left with as many of them as are fastest; None: with those
                it has.
        """
        with _as_it_was(self.network):
            largest = min(self.batch_size, len(self.task.train))
            size = min(_FIRST, largest)
            self._seconds(size)  # the very first wakes threads and libraries
            while size < largest and self._seconds(size) < _ENOUGH:
                size = min(size * _GROWTH, largest)
            if most_threads is not None:
                take_fastest(most_threads, lambda: self._seconds(size))
            # The shorter of two: at first, what computes this size is still put together.
            return size / min(self._seconds(size), self._seconds(size))

    def _seconds(self, size: int) -> float:
        started, compute, positions = time.perf_counter(), self.task.compute, torch.arange(size)
        images = to_unit(self.task.train.take(positions), compute.device)
        draws = Draws(self.task.seed, TRIAL, positions.to(compute.device))
        with compute.autocast():
            clean = self.augment.apply(images, draws)
            loss = self.loss_of_batch(clean, positions, draws, 0.0)
        loss.total.backward()
        if compute.device.type == "cuda":
            torch.cuda.synchronize(compute.device)
        return time.perf_counter() - started


@contextmanager
def _as_it_was(network: nn.Module) -> Iterator[None]:
    kept = [(buffer, buffer.clone()) for buffer in network.buffers()]
    network.train()
    yield
    network.zero_grad(set_to_none=True)
    for buffer, before in kept:
        buffer.copy_(before)
