"""How a saved run is used: on which device, how images are fitted into its frame."""

from ae_cls.compute import Compute, start
from ae_cls.dataset.files.decode import Fit
from ae_cls.experiment.descriptions import Experiment, Pretraining


def compute_of(description: Experiment | Pretraining, device: str) -> Compute:
    """The run's precision and threads, on this machine's device.

    Raises:
        UsageError: the device is not there.
    """
    return start(device, description.precision, description.threads)


def fit_of(description: Experiment | Pretraining) -> Fit:
    """As the run fitted image files into the frame; where it read none: pad, which shows all."""
    return description.dataset.model_dump().get("fit", "pad")
