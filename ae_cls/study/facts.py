"""What a study has to know of its data and arms before it can be planned: sizes, costs, speed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from ae_cls.train.length import Length

MOST_FOLDS = 100
SMALL = 1000
"""Labelled images below which, without an official test part, each is tested on in turn."""


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
        epochs: of pretraining, where the study says how many; None: as the words say.
        passes: images that pass through the network in its pretraining, over all epochs.
        steps: of that pretraining.
        finetune: how the head trains the encoder; None where it leaves it.
        on_all: whether the head learns from images without a label, too.
        step_seconds: of one step of training, however few its images.
        pretrain_seconds: of one image in pretraining besides, forward and back.
        encode_seconds: of one image through the encoder.
        width: numbers that a head sees of each image.
        cost_ratio: multiply-adds of a pretraining image over those of a fine-tuning image.
    """

    mistake: str = ""
    head: str = ""
    pretraining: str = ""
    is_kept: bool = False
    epochs: int | None = None
    passes: float = 0.0
    steps: int = 0
    finetune: Length | None = None
    on_all: bool = False
    step_seconds: float = 0.0
    pretrain_seconds: float = 0.0
    encode_seconds: float = 0.0
    width: int = 1000
    cost_ratio: float = 1.0

    def longer_epochs(self, labels: int, passes: float) -> int:
        """Epochs of fine-tuning with what pretraining of so many images computes added to them.

        Images that pass in fine-tuning, and those that pass in pretraining times what one costs
        there over what one costs here, by the images of an epoch; rounded up. Where pretraining
        stops early it computes less: the arm is never given less than it.
        """
        assert self.finetune is not None
        images = self.finetune.images(labels) + passes * self.cost_ratio
        return math.ceil(images / labels)


@final
@dataclass(frozen=True)
class Facts:
    """What a study has to know.

    Attributes:
        classes: number of classes.
        train: labelled images to learn from, of the first split.
        rarest: of them those of the rarest class.
        pretrain: images that pretraining sees.
        shares_pretraining: whether these are the same in all folds, as none of them has a label.
        valid: images of validation.
        judged: images of validation and test.
        labelled: labelled images in all parts that are ours to divide.
        device: where networks train.
        has_official_test: whether the data set says what its test part is.
        passes: images that pass through the network in the pretraining of the study's own words.
        folds: most test parts that the labelled images can be divided into, `MOST_FOLDS` at most.
        arms: by name.
    """

    classes: int
    train: int
    rarest: int
    pretrain: int
    shares_pretraining: bool
    valid: int
    judged: int
    labelled: int
    device: str
    has_official_test: bool
    passes: float
    folds: int
    arms: Mapping[str, ArmFacts]
