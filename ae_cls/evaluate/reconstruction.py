"""How far rebuilt images are from the images."""

import math
from dataclasses import dataclass
from typing import TypedDict, final

import numpy as np
from jaxtyping import Float


class Reconstruction(TypedDict):
    """What `metrics.json` holds for the decoder."""

    mse: float
    psnr: float | None


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

    def metrics(self) -> Reconstruction:
        """`mse` per value and `psnr` in dB, of all batches together; at least one image."""
        assert self.values > 0, "nothing was added"
        mse = self.total / self.values
        return {"mse": mse, "psnr": psnr(mse)}


def psnr(mse: float) -> float | None:
    """Peak signal-to-noise ratio in dB for a peak of 1; `None` (it is infinite) at `mse` 0."""
    return -10 * math.log10(mse) if mse > 0 else None
