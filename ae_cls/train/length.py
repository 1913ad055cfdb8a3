"""How long a network is trained, by the number of its images."""

import math
from dataclasses import dataclass
from typing import final

_LARGEST_BATCH = 256  # of those that follow from the number of images
_FEWEST_IN_BATCH = 32


@final
@dataclass(frozen=True)
class Length:
    """What of a schedule its length follows from; `Schedule` says what it means."""

    epochs: int
    min_steps: int
    batch_size: int | None
    batches_of_small_set: int = 4

    def batch_of(self, count: int) -> int:
        """Images a step takes of `count`."""
        if self.batch_size is not None:
            return self.batch_size
        share = math.ceil(count / self.batches_of_small_set)
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

    def images(self, count: int) -> float:
        """Images that pass through the network in all these steps."""
        return self.steps(count) * count / self.steps_in_pass(count)

    def goes_by_epochs(self, count: int) -> bool:
        """Whether each stretch is one pass over `count` images."""
        return self.epochs * self.steps_in_pass(count) >= self.min_steps

    def end_of_stretch(self, step: int, count: int) -> int:
        """The first step after this one that ends a stretch."""
        steps = self.steps(count)
        number = math.ceil((step + 1) * self.epochs / steps)
        return number * steps // self.epochs
