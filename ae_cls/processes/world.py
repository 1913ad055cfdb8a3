"""The processes that work on one model, and what they tell each other.

Tensors go from process to process, and plain values as JSON; nothing is pickled.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, final

import torch
import torch.distributed as distributed
from jaxtyping import Float, Float32, Int64
from torch import Tensor

Item = TypeVar("Item")


@final
@dataclass(frozen=True)
class World:
    """This process among those that carry out one command. Alone, nothing is sent anywhere.

    Attributes:
        rank: its number, from 0; the first one alone writes and speaks.
        size: how many they are.
        local_rank: its number among those of its machine, from 0.
        local_size: how many are on its machine.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def share_of(self, positions: Int64[Tensor, " b"]) -> Int64[Tensor, " part"]:
        """This process's stretch of a batch; of one with fewer samples than processes, all."""
        if len(positions) < self.size:
            return positions
        return positions.tensor_split(self.size)[self.rank]

    def dealt(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those of the items that are this process's when they are dealt out in turn."""
        return items[self.rank :: self.size]

    def share(self, value: Any) -> Any:
        """The first process's value, which JSON can hold, for all."""
        if self.size == 1:
            return value
        text = json.dumps(value if self.is_first else None).encode()
        length = torch.tensor([len(text)])
        distributed.broadcast(length, 0)
        content = torch.zeros(int(length), dtype=torch.uint8)
        if self.is_first:
            content = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        distributed.broadcast(content, 0)
        return json.loads(content.numpy().tobytes())

    def summed(self, tensor: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The sum of the processes' tensors, without a gradient."""
        if self.size == 1:
            return tensor
        total = tensor.detach().clone()
        distributed.all_reduce(total)
        return total

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Fill the tensors of all processes with those of the first, in place."""
        if self.size == 1:
            return
        for tensor in tensors:
            # A view or another layout cannot be received into.
            whole = tensor.detach().contiguous().clone()
            distributed.broadcast(whole, 0)
            tensor.detach().copy_(whole)

    def in_order(
        self, own: Iterator[Float32[Tensor, "_ d"]], lengths: Sequence[int]
    ) -> Iterator[Float32[Tensor, "_ d"]]:
        """All parts that were dealt out, in order, for the first process; none for the others.

        Args:
            own: this process's parts, made as they are asked for; the first has part 0.
            lengths: rows of each part of all.
        """
        if not self.is_first:
            for part in own:
                distributed.send(part.contiguous(), 0)
            return
        width = 0
        for number, length in enumerate(lengths):
            if number % self.size == 0:
                part = next(own)
                width = part.shape[1]
            else:
                part = torch.empty(length, width)
                distributed.recv(part, number % self.size)
            yield part


ALONE = World(rank=0, size=1, local_rank=0, local_size=1)
