"""What a head is given: an encoder, the labelled rows, the validation rows."""

from dataclasses import dataclass
from typing import final

from ae_cls.dataset.rows import ImageRows
from ae_cls.encode.encoder import Encoder
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import Labels
from ae_cls.pretrain.record import EpochRecord
from ae_cls.stopwatch import Stopwatch


@final
@dataclass(frozen=True)
class LabelledImages:
    """Images and the class index of each."""

    images: ImageRows
    labels: Labels


@final
@dataclass(frozen=True)
class Task:
    """One classification to learn.

    Attributes:
        encoder: pretrained; heads that train it work on a copy.
        train: the labelled training images.
        valid: every choice is made on these.
        class_names: in the order of the class index.
        mirrored_is_same: whether a mirror image keeps its class.
        seed: every random draw follows from it.
        stopwatch: where the seconds of each stage go.
    """

    encoder: Encoder
    train: LabelledImages
    valid: LabelledImages
    class_names: tuple[str, ...]
    mirrored_is_same: bool
    seed: int
    stopwatch: Stopwatch


@final
@dataclass(frozen=True)
class Learned:
    """A classifier and, where it was trained by gradient, one record an epoch."""

    classifier: Classifier
    history: tuple[EpochRecord, ...]
