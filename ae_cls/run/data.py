"""What is ready before a run folder is made: data, split, an untrained network."""

import logging
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from ae_cls.autoencoder.contract import Autoencoder, build
from ae_cls.compute import Compute, start
from ae_cls.dataset.contract import NO_LABEL, Dataset, Rows
from ae_cls.dataset.read import read
from ae_cls.dataset.rows import ImageRows, LabelledImages
from ae_cls.dataset.split import Part, Split, make_split
from ae_cls.errors import DataError, UsageError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.head.classifier import Classifier
from ae_cls.processes.rendezvous import world_of
from ae_cls.run import leaks
from ae_cls.saved.likeness import Likeness, learn

log = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Data:
    """Everything that a run reads; nothing here has been learnt from data, and nothing changes it.

    Attributes:
        compute: device and precision.
        dataset: all images.
        split: which rows are for what.
        network: as it was initialised, on the device; stages train copies.
    """

    compute: Compute
    dataset: Dataset
    split: Split
    network: Autoencoder

    def images(self, rows: Rows) -> ImageRows:
        """The images of these rows."""
        return ImageRows(self.dataset.images, rows)

    def labelled(self, rows: Rows) -> LabelledImages:
        """The images and labels of these rows."""
        return LabelledImages(self.images(rows), self.dataset.labels_of(rows))

    def likeness(self, classifier: Classifier | None, seed: int) -> Likeness:
        """What a model keeps of its training images, to know others by."""
        rows = self.split.train if len(self.split.train) else self.split.pretrain
        return learn(self.images(rows), self.images(self.split.valid), classifier, seed)

    def rows_of(self, part: Part) -> Rows:
        """The rows of a part of the split."""
        return getattr(self.split, part)


def prepare(description: Experiment | Pretraining) -> Data:
    """Load, split and build: all that can be refused before a folder is made.

    Raises:
        UsageError: the device is missing, the images are too small, there are too few labels.
        DataError: the data set is missing or unreadable.
    """
    world = world_of(description.devices)
    compute = start(description.device, description.precision, description.threads, world)
    dataset = read(description.dataset)
    network = build(description.autoencoder, dataset.image_shape, description.seed)
    split = make_split(dataset, description.split, description.labels, description.seed)
    dataset = replace(dataset, notes=(*dataset.notes, *leaks.notes(dataset, split)))
    for note in dataset.notes:
        log.warning("%s", note)
    network = network.to(compute.device)
    compute = compute.suited_to(allows_bf16=network.allows_bf16)
    return Data(compute, dataset, split, network)


def refuse_without_labels(data: Data, *, test: bool) -> None:
    """Stop before time is spent when there is nothing to classify.

    Raises:
        DataError: the data set has no labels, or those of one class alone.
        UsageError: there is no test part that is to be read.
    """
    if len(np.unique(data.dataset.labels_of(data.split.labelled))) < 2:
        raise DataError(
            "a classifier needs labels of at least two classes",
            where=f"dataset={data.dataset.name}",
            why=_labels_there(data.dataset),
            fix="give labels, for files as class folders, dataset.labels_csv=FILE or "
            "dataset.label_pattern=...\nor train the encoder alone: ae-cls pretrain",
        )
    if test and len(data.split.test) == 0:
        raise UsageError(
            "there is no test part to read",
            where="split.test_fraction=0",
            fix="hold one out, for example split.test_fraction=0.2, or leave it closed: test=false",
        )


def _labels_there(dataset: Dataset) -> str:
    labels = dataset.labels_of(np.arange(len(dataset.images)))
    known = labels[labels != NO_LABEL]
    names = ", ".join(dataset.class_names[index] for index in np.unique(known))
    of_one = f"{len(known)} are of the class {names}, and " if len(known) else ""
    return f"of {len(labels)} images {of_one}{len(labels) - len(known)} have no label"
