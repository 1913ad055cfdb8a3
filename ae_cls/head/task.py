"""What a head is given: an encoder, the labelled rows, what settings are chosen on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Int64

from ae_cls.dataset.rows import ImageRows, LabelledImages
from ae_cls.encode.encoder import Encoder
from ae_cls.evaluate.metrics import Measure
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import Labelled, Pool
from ae_cls.train.checkpoint import Checkpoints
from ae_cls.train.record import EpochRecord
from ae_cls.train.task import TrainTask


@final
@dataclass(frozen=True)
class Task:
    """One classification to learn.

    Attributes:
        encoder: pretrained; heads that train it work on a copy.
        train: the labelled training images.
        units: number of each of them, the same for those that must stay together.
        unlabelled: the training images whose label is not shown.
        valid: every choice is made on these; None: within the labelled training images.
        features: of both, by the pretrained encoder; computed when asked for.
        pool: features of all training images, without a label too; computed when asked for.
        class_names: in the order of the class index.
        mirrored_is_same: whether a mirror image keeps its class.
        choose_by: what is best on images that were not fitted on.
        seed: every random draw follows from it.
        checkpoints: of a head that trains for long.
    """

    encoder: Encoder
    train: LabelledImages
    units: Int64[np.ndarray, " n"]
    unlabelled: ImageRows
    valid: LabelledImages | None
    features: Callable[[], tuple[Labelled, Labelled | None]]
    pool: Callable[[], Pool]
    class_names: tuple[str, ...]
    mirrored_is_same: bool
    choose_by: Measure
    seed: int
    checkpoints: Checkpoints

    def as_training(self) -> TrainTask:
        """Images and conditions for a head that trains the encoder."""
        none = replace(self.train.images, rows=self.train.images.rows[:0])
        return TrainTask(
            train=self.train.images,
            valid=self.valid.images if self.valid else none,
            mirrored_is_same=self.mirrored_is_same,
            seed=self.seed,
            compute=self.encoder.compute,
            checkpoints=self.checkpoints,
        )


@final
@dataclass(frozen=True)
class Learned:
    """A classifier and, where it was trained by gradient, one record an epoch."""

    classifier: Classifier
    history: tuple[EpochRecord, ...]
