"""How many multiply-adds a computation takes."""

from typing import Any, final

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


@final
class OperationCounter(TorchDispatchMode):
    """Counts the additions and multiplications of matrix products and convolutions inside.

    Torch's `FlopCounterMode` has the same formulas, but also follows which module it is in, by
    hooks that refuse a loss which differentiates on its way, as that of `aae` does.

    Attributes:
        total: counted so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if operations := flop_registry.get(func._overloadpacket):
            self.total += operations(*args, **kwargs, out_val=result)
        return result
