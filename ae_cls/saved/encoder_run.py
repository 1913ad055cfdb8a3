"""An earlier run's encoder, taken over by `classify`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.split import Split
from ae_cls.errors import UsageError
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.saved.data import refuse_other_data
from ae_cls.saved.metrics import METRICS, read_metrics
from ae_cls.saved.model import load_autoencoder, read_experiment
from ae_cls.store.weights import weights_sha256


@final
@dataclass(frozen=True)
class EncoderRun:
    """A finished run whose encoder can be used again.

    Attributes:
        folder: the run folder.
        pretraining: its description.
        metrics: its metrics.json.
    """

    folder: Path
    pretraining: Pretraining
    metrics: dict[str, Any]

    def model_for(
        self, dataset: Dataset, split: Split, compute: Compute
    ) -> tuple[Autoencoder, str]:
        """The trained network and the hash of its weights, for a run on the same data.

        Raises:
            DataError: the data are not those the encoder was trained on, so that its validation or
                test images might be among its training images.
        """
        refuse_other_data(self.folder, dataset, split)
        model = load_autoencoder(self.folder, compute)
        return model, weights_sha256(model)


def read_encoder_run(folder: Path) -> EncoderRun:
    """The run in `folder`.

    Raises:
        UsageError: it is no run folder, or its head changed the encoder.
        ModelFileError: its model is damaged.
    """
    if not (folder / METRICS).is_file():
        raise UsageError(
            "there is no finished run here", where=f"encoder={folder}",
            fix="give the folder that ae-cls pretrain or ae-cls run printed at its end",
        )  # fmt: skip
    saved = read_experiment(folder)
    if isinstance(saved, Pretraining):
        return EncoderRun(folder, saved, read_metrics(folder))
    if saved.head.trains_encoder:
        raise UsageError(
            "this run's encoder was trained on labels by its head", where=f"encoder={folder}",
            why="scores of another head on it would not be those of pretraining",
            fix="give a run of ae-cls pretrain, or of a head that leaves the encoder as it was",
        )  # fmt: skip
    return EncoderRun(folder, saved.pretraining(), read_metrics(folder))
