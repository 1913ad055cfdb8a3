"""How far rebuilt images are from the images."""

import math
from dataclasses import dataclass
from typing import TypedDict, final

import numpy as np
from jaxtyping import Float


class Reconstruction(TypedDict):
    """How well one way of rebuilding does, for `metrics.json`."""

    mse: float
    psnr: float | None
    explained: float | None


@final
@dataclass(frozen=True)
class SquaredError:
    """A running sum over batches, so that no split has to be in memory at once.

    Attributes:
        total: sum of squared differences.
        values: numbers summed: images x channels x height x width.
    """

    total: float = 0.0
    values: int = 0

    def add(
        self, outputs: Float[np.ndarray, "b c h w"], images: Float[np.ndarray, "b c h w"]
    ) -> "SquaredError":
        """The sum with one more batch; outputs are taken as they are, not clipped to [0, 1]."""
        difference = outputs.astype(np.float64) - images
        return SquaredError(
            self.total + float(np.vdot(difference, difference)), self.values + difference.size
        )

    @property
    def mse(self) -> float:
        """The mean per value of all batches together; at least one image."""
        assert self.values > 0, "nothing was added"
        return self.total / self.values

    def metrics(self, mean_image: "SquaredError") -> Reconstruction:
        """`mse` per value, `psnr` in dB, and the share of the variance that is explained.

        Args:
            mean_image: of the same images, each answered with the mean training image; 0 is as
                good as that, 1 is perfect. None where that answer is perfect already.
        """
        explained = 1 - self.mse / mean_image.mse if mean_image.mse > 0 else None
        return {"mse": self.mse, "psnr": psnr(self.mse), "explained": explained}


def psnr(mse: float) -> float | None:
    """Peak signal-to-noise ratio in dB for a peak of 1; `None` (it is infinite) at `mse` 0."""
    return -10 * math.log10(mse) if mse > 0 else None
