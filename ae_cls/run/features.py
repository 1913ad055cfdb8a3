"""Features of the parts of a split, each encoded when it is asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from ae_cls.dataset.contract import Rows
from ae_cls.dataset.split import Encoded, Part
from ae_cls.evaluate.variety import effective_rank
from ae_cls.experiment.descriptions import Experiment
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import Features, Labelled, Pool, Probabilities
from ae_cls.run.data import Data
from ae_cls.run.stages import Encode, Trained
from ae_cls.run.work import Work


@final
@dataclass(frozen=True)
class Variety:
    """In how many directions features differ between images, and how many numbers they are."""

    effective_rank: float
    features: int


@final
@dataclass(frozen=True)
class PartFeatures:
    """What a head learns from, and what the finished classifier judges.

    Attributes:
        experiment: says how images are encoded.
        data: the split and its labels.
        trained: the pretrained network.
        work: encodes, or takes what was encoded before.
    """

    experiment: Experiment
    data: Data
    trained: Trained
    work: Work

    def to_learn_from(self) -> tuple[Labelled, Labelled | None]:
        """Of the labelled training images, and of the validation images where they choose."""
        labels_of, split = self.data.dataset.labels_of, self.data.split
        train = Labelled(self._labelled, labels_of(split.labelled))
        if self.experiment.labels.chooses_within:
            return train, None
        return train, Labelled(self._valid, labels_of(split.valid))

    def pool(self) -> Pool:
        """Of all training images, with and without a label; no validation or test image."""
        split = self.data.split
        places = np.searchsorted(split.pretrain, split.labelled)
        return Pool.of(self._of(self.data.pool), places)

    def of_labelled(self, rows: Rows) -> Features:
        """Of rows of the parts that have labels, by the pretrained encoder."""
        split = self.data.split
        every = np.concatenate([split.train, split.valid, split.test])
        table = np.concatenate([self._of("train"), self._valid, self._of("test")])
        order = np.argsort(every)
        return table[order[np.searchsorted(every[order], rows)]]

    def probabilities(self, classifier: Classifier, part: Part) -> Probabilities:
        """One row an image of the part, by a classifier of this run."""
        if self.experiment.head.trains_encoder:  # its features are not those of pretraining
            return classifier.predict_proba(self.data.images(self.data.rows_of(part)))
        features = self._valid if part == "valid" else self._of(part)
        return classifier.head.predict_proba(features)

    def variety(self) -> Variety:
        """How features of validation images differ."""
        return Variety(round(effective_rank(self._valid), 4), self._valid.shape[1])

    @cached_property
    def _valid(self) -> Features:
        return self._of("valid")

    @cached_property
    def _labelled(self) -> Features:
        split = self.data.split
        if len(split.labelled) == len(split.train):
            return self._of("train")
        positions = np.searchsorted(split.train, split.labelled)
        stage = Encode(self.experiment, self.data, self.trained, "train", positions)
        return self.work.take(stage)

    def _of(self, part: Encoded) -> Features:
        return self.work.take(Encode(self.experiment, self.data, self.trained, part))
