"""What the later stages of a run read: features, and then a classifier."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Int64

from ae_cls.dataset.split import Part
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import Features, Labelled, Probabilities
from ae_cls.run.data import Prepared
from ae_cls.train.record import EpochRecord

Places = Int64[np.ndarray, " r"]


@final
@dataclass(frozen=True)
class PartFeatures:
    """Features of the parts of a split; all training rows at once, so that label budgets share.

    Attributes:
        prepared: the split and its labels.
        weights: hash of the network.
        take: gives the features of a part, those at some places in it or all.
    """

    prepared: Prepared
    weights: str
    take: Callable[[Part, Places | None], Features]

    def to_learn_from(self) -> tuple[Labelled, Labelled]:
        """Of the labelled training images and of the validation images."""
        labels_of, split = self.prepared.dataset.labels_of, self.prepared.split
        labelled, valid = labels_of(split.labelled), labels_of(split.valid)
        return Labelled(self.labelled, labelled), Labelled(self.valid, valid)

    @cached_property
    def labelled(self) -> Features:
        """Of the training images whose labels are shown."""
        split = self.prepared.split
        some = len(split.labelled) < len(split.train)
        return self.take("train", np.searchsorted(split.train, split.labelled) if some else None)

    @cached_property
    def valid(self) -> Features:
        """Of the validation images."""
        return self.take("valid", None)

    @cached_property
    def test(self) -> Features:
        """Of the test images: asked for once, at the end."""
        return self.take("test", None)


@final
@dataclass(frozen=True)
class Classified:
    """A classifier and how it judges the images of the run.

    Attributes:
        classifier: what is saved and served.
        history: one record an epoch, where it was trained by gradient.
        prepared: the images.
        features: of its encoder, when that is the frozen one; else images are encoded anew.
    """

    classifier: Classifier
    history: list[EpochRecord]
    prepared: Prepared
    features: PartFeatures | None

    def probabilities(self, part: Part) -> Probabilities:
        """One row an image of the part."""
        if self.features is not None:
            return self.classifier.head.predict_proba(getattr(self.features, part))
        rows = getattr(self.prepared.split, part)
        return self.classifier.predict_proba(self.prepared.images(rows))
