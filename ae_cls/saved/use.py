"""How a saved run is used: on which device, how image files are decoded for it."""

import numpy as np

from ae_cls.compute import Compute, start
from ae_cls.dataset.decoding import Decoding
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.saved.likeness import Likeness


def compute_of(description: Experiment | Pretraining, device: str) -> Compute:
    """The run's precision and threads, on this machine's device.

    Raises:
        UsageError: the device is not there.
    """
    return start(device, description.precision, description.threads)


def decoding_of(description: Experiment | Pretraining, likeness: Likeness | None) -> Decoding:
    """As the run decoded image files.

    Where it read none, all is shown (pad), on the colour that its images have at their border.
    """
    own = description.dataset.decoding
    if own is not None:
        return own
    if likeness is None:
        return Decoding()
    red, green, blue = (int(level) for level in np.broadcast_to(likeness.border, 3))
    return Decoding(background=(red, green, blue))
