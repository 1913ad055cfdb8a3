"""How long and how hard a network is trained."""

import math
from abc import ABC
from typing import ClassVar, Literal

from pydantic import Field

from ae_cls.settings import Settings
from ae_cls.train.augment import Augment
from ae_cls.train.length import Length


class Schedule(Settings, ABC):
    """Optimiser, learning rate over time, when to stop. What trains by gradient is a schedule.

    Training goes in stretches, each ended by a validation. `epochs` passes over the images are as
    many stretches. Where these are fewer steps than `min_steps`, the set is small: it is passed
    over more often, and the stretches are equal shares of `min_steps`.
    """

    batches_of_small_set: ClassVar[int] = 4
    """Into how many batches a small set is divided where `batch_size` says nothing."""
    epochs: int = Field(ge=1, le=100_000, description="passes over the training images, at most")
    min_steps: int = Field(
        ge=1,
        description="steps in all, if `epochs` have fewer: a small set is repeated, "
        "and validated as often as if these were epochs",
    )
    batch_size: int | None = Field(
        ge=1,
        le=65_536,
        description="images a step; null: 256, or a part of a small set (an eighth in pretraining, "
        "a quarter in heads), but at least 32",
    )
    optimiser: Literal["adamw", "adam"] = Field(description="adam couples its weight decay")
    lr: float = Field(gt=0, description="peak learning rate, whatever the batch size")
    warm_up: float = Field(ge=0, lt=1, description="share of the steps over which lr grows from 0")
    weight_decay: float = Field(
        ge=0, description="on weight matrices only, not on biases and norms"
    )
    clip: float = Field(gt=0, description="largest norm of the gradient")
    patience: int | None = Field(
        ge=1, description="validations without a better score before stopping; null: never"
    )
    augment: Augment

    @property
    def length(self) -> Length:
        """How long a training is, which follows from the number of images."""
        return Length(self.epochs, self.min_steps, self.batch_size, self.batches_of_small_set)

    def lr_at(self, progress: float) -> float:
        """Linear warm-up, then half a cosine down to 0 (Loshchilov & Hutter, arXiv 1608.03983)."""
        if progress < self.warm_up:
            return self.lr * progress / self.warm_up
        done = (progress - self.warm_up) / (1 - self.warm_up)
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))
