"""How a saved model is used: on which device, and how images are fitted into its frame."""

from ae_cls.compute import Compute
from ae_cls.dataset.decode import Fit
from ae_cls.experiment import Experiment, Pretraining
from ae_cls.prepared import start


def compute_of(description: Experiment | Pretraining, device: str) -> Compute:
    """The run's precision and threads, on this machine's device.

    Raises:
        UsageError: the device is not there.
    """
    return start(description.model_copy(update={"device": device}))


def fit_of(description: Experiment | Pretraining) -> Fit:
    """As the run fitted image files into the frame; where it read none: pad, which shows all."""
    return description.dataset.model_dump().get("fit", "pad")
