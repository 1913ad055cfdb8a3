"""What training records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import final

from jaxtyping import Float64
from pydantic import ConfigDict, Field
from torch import Tensor

from ae_cls.settings import Settings
from ae_cls.train.loss import Loss

Measures = Mapping[str, int | float]
"""Of the health of a network, by name; see `pretrain.health`."""


@final
@dataclass(frozen=True)
class Score:
    """One validation: lower is better; the rest is for the record.

    Attributes:
        value: by which the best epoch is chosen.
        terms: the loss and its parts.
        health: of the network; often nothing.
        probe: accuracy of a classifier on its features; None: not measured after this epoch.
    """

    value: float
    terms: Mapping[str, float]
    health: Measures = field(default_factory=dict)
    probe: float | None = None


NOT_FINITE = "it was not finite"
"""Why a number is null."""


def finite(terms: Mapping[str, float]) -> dict[str, float | None]:
    """The numbers as JSON has them: None in place of those that are not finite."""
    return {name: term if math.isfinite(term) else None for name, term in terms.items()}


def lost_validations(history: Sequence["EpochRecord"]) -> list[str]:
    """A sentence for each stage of which some validation was not finite; often none."""
    stages = {record.stage: 0 for record in history}
    for record in history:
        stages[record.stage] += record.is_lost
    return [
        f"{lost} of the validations of {stage} {'was' if lost == 1 else 'were'} not finite, and "
        "counted as worst: its training was close to failing; a lower lr or a longer warm_up"
        for stage, lost in stages.items()
        if lost
    ]


@final
@dataclass(frozen=True)
class EpochRecord:
    """One line of history.jsonl, and how long it took: of an epoch, or of a stretch of steps.

    Attributes:
        stage: of the run.
        epoch: passes over the images since the beginning; of a stretch of steps, with a fraction.
        step: steps since the beginning.
        lr: at its end.
        seconds: of its steps; validation is not among them.
        images_per_second: of its steps.
        train: means of the loss and its terms over its steps.
        valid: the same of the validation at its end; None where it was not finite.
        best: whether no validation before was better.
        health: what else validation images say of the network; often nothing.
        probe: accuracy of a classifier on its features; None: not measured.
    """

    stage: str
    epoch: int | float
    step: int
    lr: float
    seconds: float
    images_per_second: float
    train: Mapping[str, float]
    valid: Mapping[str, float | None]
    best: bool
    health: Measures = field(default_factory=dict)
    probe: float | None = None

    def as_dict(self) -> dict[str, object]:
        """The line, without what may differ between two runs with equal results."""
        line: dict[str, object] = asdict(self)
        del line["seconds"], line["images_per_second"]
        if not self.health:
            del line["health"]
        if self.probe is None:
            del line["probe"]
        if self.is_lost:
            line["why_null"] = NOT_FINITE
        return line

    @property
    def is_lost(self) -> bool:
        """Whether a number of its validation was not finite."""
        return None in self.valid.values()

    def speed(self) -> dict[str, object]:
        """How long it took: for environment.json."""
        names = ("stage", "epoch", "step", "seconds", "images_per_second")
        return {name: getattr(self, name) for name in names}


def kept(history: Sequence[EpochRecord]) -> EpochRecord | None:
    """The epoch whose weights a training leaves; None of no training."""
    return next((record for record in reversed(history) if record.best), None)


@final
class WrittenRecord(Settings):
    """An `EpochRecord` as JSON holds it; in a checkpoint a loss may be NaN."""

    model_config = ConfigDict(allow_inf_nan=True)

    stage: str
    epoch: int | float
    step: int
    lr: float
    seconds: float
    images_per_second: float
    train: dict[str, float]
    valid: dict[str, float | None]
    best: bool
    health: dict[str, int | float] = Field(default_factory=dict)
    probe: float | None = None

    @classmethod
    def of(cls, record: EpochRecord) -> "WrittenRecord":
        return cls(**asdict(record))

    def record(self) -> EpochRecord:
        return EpochRecord(**dict(self))


@final
class Means:
    """Means of the loss and its terms over images."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: dict[str, Float64[Tensor, ""]] = {}

    def add(self, loss: Loss, images: int) -> None:
        """One more batch of so many images."""
        self.count += images
        for name, term in {"loss": loss.total.detach(), **loss.terms}.items():
            # Added where they are: asking a GPU for a number makes it wait.
            self.sums[name] = self.sums.get(name, 0.0) + term.double() * images

    def means(self) -> dict[str, float]:
        """By name of the term; the whole is `loss`."""
        # A term that is never above 0 may come to -0.0, which nobody wants to read.
        return {name: total.item() / self.count + 0.0 for name, total in self.sums.items()}
