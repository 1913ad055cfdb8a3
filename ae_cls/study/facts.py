"""What a study has to know of its data and arms before it can be planned: sizes, costs, speed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from ae_cls.errors import AeClsError
from ae_cls.jobs import process

MOST_FOLDS = 100


@final
@dataclass(frozen=True)
class Training:
    """A schedule of gradient descent, as far as its cost depends on it."""

    epochs: int
    batch_size: int
    least_steps: int

    def images_an_epoch(self, count: int) -> float:
        """Images that pass through the network in an epoch over `count` images."""
        steps = math.ceil(count / self.batch_size)
        return max(self.least_steps, steps) * count / steps


@final
@dataclass(frozen=True)
class ArmFacts:
    """What an arm is made of.

    Attributes:
        mistake: why it cannot be carried out; empty where it can.
        head: the option of the group.
        pretraining: which network, trained how; equal for arms that share it; empty where nothing
            is learnt before the head.
        is_kept: whether the store has the pretrained network of the first split and seed.
        passes: images that pass through the network in its pretraining, over all epochs.
        finetune: how the head trains the encoder; None where it leaves it.
        pretrain_seconds: of one image in pretraining, forward and back.
        encode_seconds: of one image through the encoder.
        cost_ratio: multiply-adds of a pretraining image over those of a fine-tuning image.
    """

    mistake: str = ""
    head: str = ""
    pretraining: str = ""
    is_kept: bool = False
    passes: float = 0.0
    finetune: Training | None = None
    pretrain_seconds: float = 0.0
    encode_seconds: float = 0.0
    cost_ratio: float = 1.0

    def longer_epochs(self, labels: int, passes: float) -> int:
        """Epochs of fine-tuning with what pretraining of so many images computes added to them.

        Images that pass in pretraining, times what one costs there over what one costs in
        fine-tuning, by the images of an epoch; rounded up. Where pretraining stops early it
        computes less: the arm is never given less than it.
        """
        assert self.finetune is not None
        more = passes * self.cost_ratio / self.finetune.images_an_epoch(labels)
        return self.finetune.epochs + math.ceil(more)


@final
@dataclass(frozen=True)
class Facts:
    """What a study has to know.

    Attributes:
        classes: number of classes.
        train: labelled images to learn from, of the first split.
        rarest: of them those of the rarest class.
        pretrain: images that pretraining sees.
        judged: images of validation and test.
        labelled: labelled images in all parts that are ours to divide.
        has_official_test: whether the data set says what its test part is.
        passes: images that pass through the network in the pretraining of the study's own words.
        folds: most test parts that the labelled images can be divided into, `MOST_FOLDS` at most.
        arms: by name.
    """

    classes: int
    train: int
    rarest: int
    pretrain: int
    judged: int
    labelled: int
    has_official_test: bool
    passes: float
    folds: int
    arms: Mapping[str, ArmFacts]


def look(base: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]) -> Facts:
    """The facts of a study, looked up and measured in a process that has torch.

    Args:
        base: the composed config of `ae-cls run` with the words of the study.
        arms: that of each arm.

    Raises:
        AeClsError: of the data, or of the words of the study.
    """
    answer = process.answer_of(_look, base, arms)
    if error := answer.get("error"):
        kinds = {kind.code: kind for kind in AeClsError.__subclasses__()}
        raise kinds[error.pop("code")](**error)
    found = {name: _arm_facts(plain) for name, plain in answer.pop("arms").items()}
    return Facts(**answer, arms=found)


def _arm_facts(plain: dict[str, Any]) -> ArmFacts:
    finetune = plain.pop("finetune")
    return ArmFacts(**plain, finetune=finetune and Training(**finetune))


def _look(base: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    from ae_cls.study.look import facts_of  # here, as it imports torch

    try:
        return facts_of(base, arms)
    except AeClsError as error:
        said = {key: getattr(error, key) for key in ("what", "where", "why", "fix")}
        return {"error": {"code": error.code, **said}}
