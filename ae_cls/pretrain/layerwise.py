"""Greedy pretraining: the layers of a stack one after another, each on the codes of those below.

Bengio, Lamblin, Popovici & Larochelle 2007, Greedy layer-wise training of deep networks, NIPS 19.
Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11: what is corrupted is the input of the
layer that is trained, and the next layer is given clean codes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, final

import torch
from pydantic import Field
from torch import nn

from ae_cls.autoencoder.contract import Autoencoder, Layer
from ae_cls.draws import derive_seed
from ae_cls.pretrain.contract import PretrainSchedule, Probe
from ae_cls.pretrain.gradient import mean_loss, of_whole, solve, with_health
from ae_cls.store.received import not_ours
from ae_cls.train.checkpoint import Checkpoint, Checkpoints
from ae_cls.train.loop import optimise
from ae_cls.train.record import EpochRecord, WrittenRecord
from ae_cls.train.shared_checkpoints import SharedCheckpoints
from ae_cls.train.step import Group
from ae_cls.train.task import Objective, TrainTask


@final
class LayerwisePretraining(PretrainSchedule):
    """The whole schedule for each layer, then another one for all layers together."""

    goes_by_layers: ClassVar[bool] = True
    name: Literal["layerwise"]
    joint_epochs: int = Field(
        ge=0, le=100_000,
        description="passes over the images in which all layers are trained together at the end; "
        "0: none",
    )  # fmt: skip

    def fit(
        self, model: Autoencoder, task: TrainTask, probe: Probe | None = None
    ) -> list[EpochRecord]:
        solve(model, task)
        parts = list(self._parts(model, task))
        number, history = _begun(task, len(parts))
        for part, (objective, schedule) in list(enumerate(parts))[number:]:
            checkpoints = _OfPart(task.checkpoints, part, history, self._most_steps(task))
            own = replace(task, checkpoints=checkpoints)
            history = [*history, *optimise(objective, own, schedule)]
        return history

    def _parts(
        self, model: Autoencoder, task: TrainTask
    ) -> Iterator[tuple[Objective, "LayerwisePretraining"]]:
        layers = _layers(model, task)
        for number, layer in enumerate(layers, 1):
            yield _of_layer(model, layer, task, f"pretrain layer {number} of {len(layers)}"), self
        if self.joint_epochs:
            yield of_whole(model, with_health(model, task)), self._jointly

    @property
    def _jointly(self) -> "LayerwisePretraining":
        return self.model_copy(update={"epochs": self.joint_epochs})

    def _most_steps(self, task: TrainTask) -> int:
        """That any part takes."""
        return max(one.length.steps(len(task.train)) for one in (self, self._jointly))


def _layers(model: Autoencoder, task: TrainTask) -> list[Layer]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(task.seed, "layers"))
        layers = model.layers()
    assert layers, "a description is refused whose network is no stack"
    for module in (module for layer in layers for module in layer.modules):
        module.to(task.compute.device)
    return layers


def _of_layer(model: Autoencoder, layer: Layer, task: TrainTask, stage: str) -> Objective:
    network = _OneInTraining(model, layer.modules)
    return Objective(
        stage=stage,
        network=network,
        groups=[Group(layer.modules, rate=1.0, undecayed=model.undecayed())],
        loss_of_batch=lambda images, positions, draws, progress: layer.loss(
            images, draws, progress
        ),
        validate=lambda _: mean_loss(network, layer.loss, task),
    )


@final
class _OneInTraining(nn.Module):
    """A network of which some modules train: the batch norms of all others keep what they know."""

    def __init__(self, model: Autoencoder, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        own = set(model.modules())
        self.model, self.thrown_away = model, nn.ModuleList(m for m in modules if m not in own)
        self.trained = tuple(modules)

    def train(self, mode: bool = True) -> "_OneInTraining":
        super().train(False)
        for module in self.trained:
            module.train(mode)
        return self


def _begun(task: TrainTask, parts: int) -> tuple[int, list[EpochRecord]]:
    """Which of so many parts the newest checkpoint is of, and the records of those before it."""
    newest = SharedCheckpoints(task.compute.world, task.checkpoints).newest()
    if newest is None:
        return 0, []
    if newest.facts.part >= parts:
        raise not_ours(newest.where, f"part {newest.facts.part}: there are {parts}, from 0 on")
    return newest.facts.part, [written.record() for written in newest.facts.before]


@final
class _OfPart(Checkpoints):
    """Checkpoints of one of several trainings that follow on each other in one network.

    Args:
        inner: of all of them.
        part: number of this one.
        before: records of those before it.
        most_steps: that any of them takes: the steps of all are counted on.
    """

    def __init__(
        self, inner: Checkpoints, part: int, before: Sequence[EpochRecord], most_steps: int
    ) -> None:
        self.inner, self.part, self.before = inner, part, before
        self.first_step = part * (most_steps + 1)

    def newest(self) -> Checkpoint | None:
        newest = self.inner.newest()
        if newest is None or newest.facts.part != self.part:
            return None
        return replace(newest, step=newest.step - self.first_step)

    def is_due(self, *, epoch_ended: bool) -> bool:
        return self.inner.is_due(epoch_ended=epoch_ended)

    def keep(self, checkpoint: Checkpoint) -> None:
        more = {"part": self.part, "before": [WrittenRecord.of(record) for record in self.before]}
        facts = checkpoint.facts.model_copy(update=more)
        self.inner.keep(replace(checkpoint, step=checkpoint.step + self.first_step, facts=facts))
