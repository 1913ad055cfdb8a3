"""What a run says of the health of its encoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ae_cls.evaluate.health import code_warnings, feature_warnings, image_warnings, network_warnings
from ae_cls.experiment.descriptions import Experiment
from ae_cls.run.data import Data
from ae_cls.run.features import Variety
from ae_cls.train.record import EpochRecord, kept


def health_of(history: Sequence[EpochRecord]) -> dict[str, Any]:
    """For metrics.json, of the weights that pretraining left; empty where it was not measured."""
    record = kept(history)
    return {"health": dict(record.health)} if record and record.health else {}


def warnings_of_encoder(
    data: Data, measured: Mapping[str, Any], variety: Variety | None = None
) -> list[str]:
    """What makes the encoder doubtful, one sentence each; often nothing.

    Args:
        data: of the run.
        measured: `health` and `reconstruction` as in metrics.json, where there are any.
        variety: of the features; None: none were read from the pretrained encoder.
    """
    health = measured.get("health") or measured.get("reconstruction", {}).get("code", {})
    features = feature_warnings(variety.effective_rank, numbers=variety.features) if variety else []
    # What follows from a cause that is named already is not named, too.
    collapsed = features or code_warnings(health)
    equal = _equal_images(data)
    return [*equal, *(collapsed or ([] if equal else network_warnings(health)))]


def labels_of_another_run(experiment: Experiment) -> list[str]:
    """A sentence where labels of the run that made the encoder chose its epoch; often none."""
    if not experiment.pretrain.chooses_by_labels:
        return []
    return [
        "labels of the run that made the encoder chose its epoch (pretrain.keep=best_probe), and "
        "are not counted in this budget"
    ]


def _equal_images(data: Data) -> list[str]:
    """A sentence where all images that an encoder learns from are the same; often none."""
    copies, rows = data.dataset.copies, data.split.pretrain
    assert copies is not None, "the pixels have not been hashed"
    return image_warnings(len(np.unique(copies.pixels[rows])), images=len(rows))
