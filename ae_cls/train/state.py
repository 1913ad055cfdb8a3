"""What changes while a network is trained, and its way into a checkpoint and back."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from ae_cls.store.received import not_ours
from ae_cls.store.tensor_file import TensorFacts, refuse_misfits
from ae_cls.store.weights import facts_of, refuse_not_finite
from ae_cls.train.adam import Adam
from ae_cls.train.checkpoint import Checkpoint, Facts
from ae_cls.train.record import EpochRecord, Means, WrittenRecord
from ae_cls.train.step import trained_parameters

_NETWORK, _OPTIMISER, _BEST, _SUMS = "network.", "optimiser.", "best.", "sums."
_NUMBER = TensorFacts("F64", ())


@final
@dataclass
class State:
    """A training after so many steps.

    Attributes:
        network: its weights and buffers are part of the state.
        optimiser: its moments are, too.
        step: steps done.
        history: stretches that were validated.
        means: of the stretch that goes on.
        seconds: that this stretch has taken so far.
        best: lowest validation score so far.
        best_weights: of the epoch that has it; none before the first.
    """

    network: nn.Module
    optimiser: Adam
    step: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    means: Means = field(default_factory=Means)
    seconds: float = 0.0
    best: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def validated(self) -> int:
        """The step of the last validation: a stop may come between a stretch's end and its own."""
        return self.history[-1].step if self.history else 0

    def checkpoint(self) -> Checkpoint:
        """The state as it can be kept; tensors are not copied."""
        tensors = {_NETWORK + name: tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {_OPTIMISER + name: tensor for name, tensor in self._moments().items()}
        tensors |= {_BEST + name: tensor for name, tensor in self.best_weights.items()}
        tensors |= {_SUMS + name: torch.as_tensor(total) for name, total in self.means.sums.items()}
        facts = Facts(
            history=[WrittenRecord.of(record) for record in self.history],
            terms=list(self.means.sums),
            count=self.means.count,
            seconds=self.seconds,
            best=self.best if math.isfinite(self.best) else None,
            threads=torch.get_num_threads(),
        )
        return Checkpoint(self.step, tensors, facts)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become what was kept; network and optimiser are filled in place.

        Raises:
            ModelFileError: it is not of this training; nothing was changed.
        """
        self._refuse_others(checkpoint)
        parts = checkpoint.tensors
        self.network.load_state_dict(_below(parts, _NETWORK))
        self._restore_moments(_below(parts, _OPTIMISER))
        device = next(self.network.parameters()).device
        self.best_weights = {n: t.to(device) for n, t in _below(parts, _BEST).items()}
        facts, sums = checkpoint.facts, _below(parts, _SUMS)
        self.means = Means()
        self.means.sums = {name: sums[name].to(device) for name in facts.terms}
        self.means.count, self.seconds = facts.count, facts.seconds
        self.history = [written.record() for written in facts.history]
        self.best = math.inf if facts.best is None else facts.best
        self.step = checkpoint.step

    def end_epoch(self, record: EpochRecord, score: float) -> None:
        """Enter a validated epoch and begin the next."""
        self.history.append(record)
        self.means, self.seconds = Means(), 0.0
        if self.is_better(score):
            self.best = score
            self.best_weights = copy.deepcopy(dict(self.network.state_dict()))

    def is_better(self, score: float) -> bool:
        """Whether a validation is better than all before; what is not finite never is."""
        return math.isfinite(score) and score < self.best

    def _refuse_others(self, checkpoint: Checkpoint) -> None:
        facts, tensors = checkpoint.facts, checkpoint.tensors
        refuse_misfits(self._expected(checkpoint), facts_of(tensors), checkpoint.where)
        weights = [name for name, _ in self.network.named_parameters()]
        of_weights = {start + name for start in (_NETWORK, _BEST) for name in weights}
        kept = {name: tensor for name, tensor in tensors.items() if name in of_weights}
        refuse_not_finite(kept, checkpoint.where)
        validated = facts.history[-1].step if facts.history else 0
        has_begun = checkpoint.step > validated
        if checkpoint.step < validated or has_begun != (facts.count > 0):
            raise not_ours(checkpoint.where, "its step does not follow from its history")

    def _expected(self, checkpoint: Checkpoint) -> dict[str, TensorFacts]:
        """All tensors that a checkpoint with these facts must hold."""
        own = facts_of(self.network.state_dict())
        expected = {_NETWORK + name: facts for name, facts in own.items()}
        if checkpoint.facts.best is not None:
            expected |= {_BEST + name: facts for name, facts in own.items()}
        for number, weight in enumerate(trained_parameters(self.optimiser)):
            start = f"{_OPTIMISER}{number}."
            if any(name.startswith(start) for name in checkpoint.tensors):  # it had a gradient
                expected |= {start + name: facts for name, facts in _moments_of(weight).items()}
        return expected | {_SUMS + name: _NUMBER for name in checkpoint.facts.terms}

    def _moments(self) -> dict[str, Tensor]:
        return {
            f"{number}.{name}": tensor
            for number, parameter in enumerate(trained_parameters(self.optimiser))
            for name, tensor in self.optimiser.state.get(parameter, {}).items()
        }

    def _restore_moments(self, tensors: Mapping[str, Tensor]) -> None:
        parameters = trained_parameters(self.optimiser)
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            parameter = parameters[int(number)]
            if tensor.shape == parameter.shape:
                # Fused optimisers walk weights and moments side by side in memory.
                tensor = torch.empty_like(parameter).detach().copy_(tensor)
            moments = self.optimiser.state.setdefault(parameter, {})
            moments[name] = tensor.to(parameter.device)


def _moments_of(weight: nn.Parameter) -> dict[str, TensorFacts]:
    """What Adam keeps of a weight."""
    (facts,) = facts_of({"": weight}).values()
    return {"step": TensorFacts("F32", ()), "exp_avg": facts, "exp_avg_sq": facts}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
