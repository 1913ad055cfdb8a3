"""How fast a training will be, tried on a few images before it begins."""

import time

import torch
from torch import nn

from ae_cls.dataset.rows import to_unit
from ae_cls.draws import Draws
from ae_cls.train.augment import Augment
from ae_cls.train.task import LossOfBatch, TrainTask

TRIAL = -1
"""The number of the pass that a trial's draws belong to: no training draws the same."""

_ENOUGH = 0.3  # seconds; a shorter trial tells little, and a batch of large images takes minutes
_FIRST, _GROWTH = 2, 4  # images; a batch norm needs two


def images_per_second(
    network: nn.Module,
    loss_of_batch: LossOfBatch,
    augment: Augment,
    task: TrainTask,
    batch_size: int,
) -> float:
    """Of forward and backward passes, on batches that grow until one takes long enough.

    The network is left as it was.
    """
    kept = [(buffer, buffer.clone()) for buffer in network.buffers()]
    network.train()
    largest = min(batch_size, len(task.train))
    size = min(_FIRST, largest)
    _seconds(loss_of_batch, augment, task, size)  # the very first wakes threads and libraries
    while (seconds := _seconds(loss_of_batch, augment, task, size)) < _ENOUGH and size < largest:
        size = min(size * _GROWTH, largest)
    # The shorter of two: the first time, what computes this size is still put together.
    seconds = min(seconds, _seconds(loss_of_batch, augment, task, size))
    network.zero_grad(set_to_none=True)
    for buffer, before in kept:
        buffer.copy_(before)
    return size / seconds


def _seconds(loss_of_batch: LossOfBatch, augment: Augment, task: TrainTask, size: int) -> float:
    started, compute, positions = time.perf_counter(), task.compute, torch.arange(size)
    images = to_unit(task.train.take(positions), compute.device)
    draws = Draws(task.seed, TRIAL, positions.to(compute.device))
    with compute.autocast():
        loss = loss_of_batch(augment.apply(images, draws), positions, draws, 0.0)
    loss.total.backward()
    if compute.device.type == "cuda":
        torch.cuda.synchronize(compute.device)
    return time.perf_counter() - started
