"""How a saved run is used: on which device, how images are fitted into its frame."""

from dataclasses import dataclass
from typing import final

import numpy as np

from ae_cls.compute import Compute, start
from ae_cls.dataset.files.decode import WHITE, Colour, Fit
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.saved.likeness import Likeness


def compute_of(description: Experiment | Pretraining, device: str) -> Compute:
    """The run's precision and threads, on this machine's device.

    Raises:
        UsageError: the device is not there.
    """
    return start(device, description.precision, description.threads)


@final
@dataclass(frozen=True)
class Fitting:
    """How image files come into the frame: `fit` and `background` of `decode`."""

    fit: Fit
    background: Colour = WHITE


def fitting_of(description: Experiment | Pretraining, likeness: Likeness | None) -> Fitting:
    """As the run fitted image files into the frame.

    Where it read none, all is shown (pad), on the colour that its images have at their border.
    """
    of_files = description.dataset.model_dump().get("fit")
    if of_files is not None or likeness is None:
        return Fitting(of_files or "pad")
    red, green, blue = (int(level) for level in np.broadcast_to(likeness.border, 3))
    return Fitting("pad", (red, green, blue))
