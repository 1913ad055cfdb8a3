"""The stages of a run, in their order. This list is all that names them."""

from typing import Any, Never

from ae_cls.dataset.split import Encoded, Part
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.run.data import Data
from ae_cls.run.stage import Stage
from ae_cls.run.stages.classify import Classify
from ae_cls.run.stages.encode import Encode
from ae_cls.run.stages.figures import Figures
from ae_cls.run.stages.pretrain import Pretrain, Trained
from ae_cls.run.stages.reconstruct import Reconstruct, has_learnt_to_rebuild

PARTS: tuple[Part, ...] = ("train", "valid", "test")


def stages_after_pretraining(
    description: Experiment | Pretraining, data: Data, trained: Trained
) -> list[Stage[Any]]:
    """The stages that read a trained network, in their order."""
    rebuilds = has_learnt_to_rebuild(description)
    last = [
        *([Reconstruct(description, data, trained)] if rebuilds else []),
        *([Figures(description, data, trained)] if description.figures else []),
    ]
    if isinstance(description, Pretraining):
        return last
    encode = [Encode(description, data, trained, part) for part in _encoded(description, data)]
    classify = Classify(description, data, trained, no_features, no_features)
    return [*encode, classify, *last]


def _encoded(experiment: Experiment, data: Data) -> list[Encoded]:
    """The parts whose features are read."""
    if experiment.head.trains_encoder:
        return []
    parts: list[Encoded] = [*(PARTS if experiment.test else PARTS[:-1])]
    if experiment.head.learns_from_unlabelled and data.pool not in parts:
        parts.append(data.pool)
    return parts


def no_features() -> Never:
    """For a `Classify` that is not made, or that reads images."""
    raise AssertionError("features were asked for that nobody has encoded")


__all__ = [
    "PARTS", "Classify", "Encode", "Figures", "Pretrain", "Reconstruct", "Stage", "Trained",
    "has_learnt_to_rebuild", "no_features", "stages_after_pretraining",
]  # fmt: skip
