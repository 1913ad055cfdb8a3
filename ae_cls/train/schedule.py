"""How long and how hard a network is trained."""

import math
from abc import ABC
from typing import Literal

from pydantic import Field

from ae_cls.settings import Settings
from ae_cls.train.augment import Augment

_LARGEST_BATCH = 256  # of those that follow from the number of images
_BATCHES_OF_SMALL_SET = 4
_FEWEST_IN_BATCH = 32


class Schedule(Settings, ABC):
    """Optimiser, learning rate over time, when to stop. What trains by gradient is a schedule.

    Training goes in stretches, each ended by a validation. `epochs` passes over the images are as
    many stretches. Where these are fewer steps than `min_steps`, the set is small: it is passed
    over more often, and the stretches are equal shares of `min_steps`.
    """

    epochs: int = Field(ge=1, le=100_000, description="passes over the training images, at most")
    min_steps: int = Field(
        ge=1,
        description="steps in all, if `epochs` have fewer: a small set is passed over more often, "
        "and validated as often as if these were epochs",
    )
    batch_size: int | None = Field(
        ge=1,
        le=65_536,
        description="images a step; null: 256, or a quarter of a small set, but at least 32",
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

    def batch_of(self, count: int) -> int:
        """Images a step takes of `count`."""
        if self.batch_size is not None:
            return self.batch_size
        share = math.ceil(count / _BATCHES_OF_SMALL_SET)
        return max(_FEWEST_IN_BATCH, min(share, _LARGEST_BATCH))

    def steps_in_pass(self, count: int) -> int:
        """Steps of one pass over `count` images: an epoch."""
        return math.ceil(count / self.batch_of(count))

    def passes(self, step: int, count: int) -> int | float:
        """Passes over `count` images after so many steps."""
        passes = step / self.steps_in_pass(count)
        return int(passes) if passes.is_integer() else round(passes, 3)

    def steps(self, count: int) -> int:
        """Steps of the whole training on `count` images, unless `patience` ends it."""
        return max(self.epochs * self.steps_in_pass(count), self.min_steps)

    def goes_by_epochs(self, count: int) -> bool:
        """Whether each stretch is one pass over `count` images."""
        return self.epochs * self.steps_in_pass(count) >= self.min_steps

    def end_of_stretch(self, step: int, count: int) -> int:
        """The first step after this one that ends a stretch."""
        steps = self.steps(count)
        number = math.ceil((step + 1) * self.epochs / steps)
        return number * steps // self.epochs

    def lr_at(self, progress: float) -> float:
        """Linear warm-up, then half a cosine down to 0 (Loshchilov & Hutter, arXiv 1608.03983)."""
        if progress < self.warm_up:
            return self.lr * progress / self.warm_up
        done = (progress - self.warm_up) / (1 - self.warm_up)
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))
