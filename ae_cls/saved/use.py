"""How a saved run is used: on which device, how image files are decoded for it."""

from ae_cls.compute import Compute, start
from ae_cls.dataset.decoding import Decoding
from ae_cls.experiment.descriptions import Experiment, Pretraining


def compute_of(description: Experiment | Pretraining, device: str) -> Compute:
    """The run's precision and threads, on this machine's device.

    Raises:
        UsageError: the device is not there.
    """
    return start(device, description.precision, description.threads)


def decoding_of(description: Experiment | Pretraining) -> Decoding:
    """As the run decoded image files; where it read none: shown whole, on white."""
    return description.dataset.decoding
