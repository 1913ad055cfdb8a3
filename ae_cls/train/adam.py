"""Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019), by torch's own fused kernels."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # as in both articles, and in torch.optim


@final
class Adam:
    """What torch.optim.Adam and AdamW compute with fused=True, to the bit.

    Their classes import torch's compiler at the first step, to tell it to keep out: half as many
    seconds as importing torch itself, which every first run and every process of jobs would wait.

    Args:
        groups: parameters under "params", and values that are the group's own, such as
            "weight_decay".
        lr: learning rate; a step takes it from each group, where it may be changed.
        weight_decay: of groups that name none.
        is_decoupled: whether weights decay beside the gradient, as in AdamW, or within it.

    Attributes:
        param_groups: the groups with all of their values.
        state: of each parameter that has had a gradient.
    """

    def __init__(
        self,
        groups: Sequence[Mapping[str, Any]],
        *,
        lr: float,
        weight_decay: float,
        is_decoupled: bool,
    ) -> None:
        values = {"lr": lr, "weight_decay": weight_decay}
        self.param_groups: list[dict[str, Any]] = [{**values, **group} for group in groups]
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}
        self.is_decoupled = is_decoupled

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move all parameters that have a gradient."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if moved:
                self._move(moved, lr=group["lr"], weight_decay=group["weight_decay"])

    def _move(self, parameters: list[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        moments = [self._moments(parameter) for parameter in parameters]
        adam(
            list(parameters),
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [kept["exp_avg"] for kept in moments],
            [kept["exp_avg_sq"] for kept in moments],
            [],
            [kept["step"] for kept in moments],
            fused=True, decoupled_weight_decay=self.is_decoupled, amsgrad=False, maximize=False,
            lr=lr, beta1=_BETA1, beta2=_BETA2, eps=_EPSILON, weight_decay=weight_decay,
        )  # fmt: skip

    def _moments(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """Under the names of torch.optim."""
        if parameter not in self.state:
            self.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }
        return self.state[parameter]
