"""How long and how hard a network is trained."""

import math
from abc import ABC
from typing import Literal

from pydantic import Field

from ae_cls.settings import Settings
from ae_cls.train.augment import Augment


class Schedule(Settings, ABC):
    """Optimiser, learning rate over time, when to stop. What trains by gradient is a schedule."""

    epochs: int = Field(ge=1, le=100_000, description="passes over the training images, at most")
    batch_size: int = Field(ge=1, le=65_536, description="images a step")
    least_steps: int = Field(
        ge=1, description="steps an epoch has at least; a small set is passed over again"
    )
    optimiser: Literal["adamw", "adam"] = Field(description="adam couples its weight decay")
    lr: float = Field(gt=0, description="peak learning rate, per step of batch_size images")
    warm_up: float = Field(ge=0, lt=1, description="share of the steps over which lr grows from 0")
    weight_decay: float = Field(
        ge=0, description="on weight matrices only, not on biases and norms"
    )
    clip: float = Field(gt=0, description="largest norm of the gradient")
    patience: int | None = Field(
        ge=1, description="epochs without a better validation score before stopping; null: never"
    )
    augment: Augment

    def steps_in_epoch(self, count: int) -> int:
        """Steps of one epoch over `count` images."""
        return max(self.least_steps, math.ceil(count / self.batch_size))

    def lr_at(self, progress: float) -> float:
        """Linear warm-up, then half a cosine down to 0 (Loshchilov & Hutter, arXiv 1608.03983)."""
        if progress < self.warm_up:
            return self.lr * progress / self.warm_up
        done = (progress - self.warm_up) / (1 - self.warm_up)
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))
