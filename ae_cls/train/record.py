"""What training records."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import final

from jaxtyping import Float64
from torch import Tensor

from ae_cls.train.loss import Loss


@final
@dataclass(frozen=True)
class Score:
    """One validation: lower is better; `terms` are for the record."""

    value: float
    terms: Mapping[str, float]


@final
@dataclass(frozen=True)
class EpochRecord:
    """One line of history.jsonl, and how long it took."""

    stage: str
    epoch: int
    lr: float
    seconds: float
    images_per_second: float
    train: Mapping[str, float]
    valid: Mapping[str, float]
    best: bool

    def as_dict(self) -> dict[str, object]:
        """The line, without what may differ between two runs with equal results."""
        line = asdict(self)
        del line["seconds"], line["images_per_second"]
        return line

    def speed(self) -> dict[str, object]:
        """How long the epoch took: for environment.json."""
        names = ("stage", "epoch", "seconds", "images_per_second")
        return {name: getattr(self, name) for name in names}


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
