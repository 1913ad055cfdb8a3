"""One training step spread over processes."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, ParamSpec, TypeVar, final

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ae_cls.processes.norm import exact_norms
from ae_cls.processes.world import World

Batch = ParamSpec("Batch")
Cost = TypeVar("Cost")


@contextmanager
def gradients_averaged(
    network: nn.Module,
    trained: Sequence[nn.Parameter],
    loss_of_batch: Callable[Batch, Cost],
    world: World,
) -> Iterator[Callable[Batch, Cost]]:
    """`loss_of_batch`, whose backward pass leaves the mean of all processes' gradients.

    All start with the first one's weights, and batch norms see the whole batch.

    Args:
        network: whose batch norms take part.
        trained: whose gradients are wanted; a batch need not use all of them.
        loss_of_batch: the cost of this process's part of a batch.
        world: the processes.
    """
    if world.size == 1:
        with exact_norms(network):
            yield loss_of_batch
        return
    world.copy_from_first(network.state_dict().values())
    step = _Step(trained, loss_of_batch)
    with exact_norms(network), warnings.catch_warnings():
        # Of 1x1 convolutions, whose strides mean the same in either layout.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        yield DistributedDataParallel(step, find_unused_parameters=True)


@final
class _Step(nn.Module, Generic[Batch, Cost]):
    """The loss as a module's forward pass, which is what DistributedDataParallel watches.

    It holds no buffers: those are equal already, and would be sent before each step.
    """

    def __init__(
        self, trained: Sequence[nn.Parameter], loss_of_batch: Callable[Batch, Cost]
    ) -> None:
        super().__init__()
        self.trained, self.loss_of_batch = nn.ParameterList(trained), loss_of_batch
        # Fine-tuning leaves layers unused, pretraining does not: then torch would complain on
        # stderr of having looked for them in vain.
        self.never_used = nn.Parameter(torch.zeros_like(trained[0].flatten()[:1]))

    def forward(self, *batch: Batch.args, **named: Batch.kwargs) -> Cost:
        return self.loss_of_batch(*batch, **named)
