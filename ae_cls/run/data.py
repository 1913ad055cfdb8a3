"""What is ready before a run folder is made: data, split, an untrained network."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig, build
from ae_cls.compute import Compute, start
from ae_cls.dataset.contract import NO_LABEL, Dataset, Rows
from ae_cls.dataset.read import read
from ae_cls.dataset.rows import ImageRows, LabelledImages
from ae_cls.dataset.split import Encoded, Split, make_split
from ae_cls.encode import Encoder
from ae_cls.errors import DataError, UsageError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.head.classifier import Classifier
from ae_cls.processes.rendezvous import world_of
from ae_cls.run import leaks
from ae_cls.saved.data import Numbers
from ae_cls.saved.encoder_run import EncoderRun
from ae_cls.saved.likeness import Likeness, learn
from ae_cls.saved.pretrained_on import PretrainedOn

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
        pretrained_on: what the encoder has seen, if that was other data; None: `split.pretrain`.
    """

    compute: Compute
    dataset: Dataset
    split: Split
    network: Autoencoder
    pretrained_on: PretrainedOn | None = None

    @property
    def seen_by_encoder(self) -> Numbers | None:
        """A hash of the pixels of each image that the encoder learns from; None: not known."""
        if self.pretrained_on is not None:
            return self.pretrained_on.pixels
        assert self.dataset.copies is not None, "the pixels have not been hashed"
        return self.dataset.copies.pixels[self.split.pretrain]

    def with_encoder_from(self, source: EncoderRun, *, may_be_other: bool) -> "Data":
        """The same, for the encoder of an earlier run, which is asked whether it may be used.

        Raises:
            DataError: it was trained on other data, and that was not asked for, or takes images of
                another shape.
        """
        before = source.pretrained_on(self.dataset, self.split, may_be_other=may_be_other)
        notes = () if before is None else before.notes
        for note in notes:
            log.warning("%s", note)
        dataset = replace(self.dataset, notes=(*self.dataset.notes, *notes))
        return replace(self, dataset=dataset, pretrained_on=before)

    def with_network(self, autoencoder: AutoencoderConfig, seed: int) -> "Data":
        """The same for another network, as it is initialised.

        Raises:
            UsageError: the images are too small for it.
        """
        network = build(autoencoder, self.dataset.image_shape, seed)
        return replace(self, network=network).on_device()

    def on_device(self) -> "Data":
        """The same with the network on the device, in a precision that it allows."""
        network = self.network.to(self.compute.device)
        compute = self.compute.suited_to(allows_bf16=network.allows_bf16)
        return replace(self, network=network, compute=compute)

    def images(self, rows: Rows) -> ImageRows:
        return ImageRows(self.dataset.images, rows)

    def labelled(self, rows: Rows) -> LabelledImages:
        """The images and labels of these rows."""
        return LabelledImages(self.images(rows), self.dataset.labels_of(rows))

    def units(self, rows: Rows) -> Rows:
        """Which of these rows belong together, such as copies of an image, counted from 0."""
        return np.unique(self.dataset.bonds[rows], return_inverse=True)[1]

    def likeness(self, classifier: Classifier | None, seed: int) -> Likeness:
        """What a model keeps of its training images, to know others by."""
        rows = self.split.train if len(self.split.train) else self.split.pretrain
        return learn(self.images(rows), self.images(self.split.valid), classifier, seed)

    def rows_of(self, part: Encoded) -> Rows:
        return getattr(self.split, part)

    @property
    def pool(self) -> Encoded:
        """The part of all that there is to learn from: "train", unless others have no label."""
        return "pool" if len(self.split.pool) > len(self.split.train) else "train"


def prepare(description: Experiment | Pretraining, source: EncoderRun | None = None) -> Data:
    """Load, split and build: all that can be refused before a folder is made.

    Args:
        description: of the run.
        source: whose encoder is to take the images.

    Raises:
        UsageError: the device is missing, the images are too small, there are too few labels.
        DataError: the data set is missing or unreadable, or the encoder takes other images.
    """
    world = world_of(description.devices)
    compute = start(description.device, description.precision, description.threads, world)
    dataset = read(description.dataset)
    if source is not None:
        source.refuse_other_shape(dataset)
    network = build(
        description.autoencoder, dataset.image_shape, description.seed, is_filled=source is None
    )
    split = make_split(dataset, description.split, description.labels, description.seed)
    dataset = replace(dataset, notes=(*dataset.notes, *leaks.notes(dataset, split)))
    for note in dataset.notes:
        log.warning("%s", note)
    return Data(compute, dataset, split, network).on_device()


_WAYS_TO_LABEL = {
    "folder": "give labels, as class folders, dataset.labels_csv=FILE or dataset.label_pattern=...",
    "npz": "save an array labels beside images, or train_labels beside train_images",
    "parquet": "name the column of labels: dataset.label_column=NAME",
    "csv_pixels": "a column label beside those of pixels",
}


def refuse_without_labels(data: Data, *, test: bool, encoder: Path | None = None) -> None:
    """Stop before time is spent when there is nothing to classify.

    Args:
        data: of the run.
        test: whether the test part is to be read.
        encoder: the run whose encoder is taken over, if one is.

    Raises:
        DataError: the data set has no labels, or those of one class alone.
        UsageError: there is no test part that is to be read.
    """
    refuse_unlabelled(data.dataset, data.split.labelled, encoder)
    if test and len(data.split.test) == 0:
        raise UsageError(
            "there is no test part to read",
            where="split.test_fraction=0",
            fix="hold one out, for example split.test_fraction=0.2, or leave it closed: test=false",
        )


def refuse_unfit_encoder(experiment: Experiment, data: Data) -> None:
    """Stop where the code has other classes, or the encoder fewer layers, than the head asks for.

    Raises:
        UsageError: with the number that fits.
    """
    experiment.head.refuse_layers(Encoder(data.network, experiment.encode, data.compute))
    in_code, there = experiment.autoencoder.classes_in_code, len(data.dataset.class_names)
    if experiment.head.answers_with_code and in_code != there:
        raise UsageError(
            f"head={experiment.head.name} answers with the {in_code} classes in the code, and the "
            f"data set has {there}",
            where="autoencoder.classes",
            fix=f"an encoder made with autoencoder.classes={there}",
        )


def refuse_unlabelled(dataset: Dataset, rows: Rows, encoder: Path | None = None) -> None:
    """Stop where there are not labels of two classes to learn.

    Args:
        dataset: of the run.
        rows: those whose labels are learnt.
        encoder: the run whose encoder is taken over, if one is.

    Raises:
        DataError: with how many labels there are, and how to give more.
    """
    if len(np.unique(dataset.labels_of(rows))) >= 2:
        return
    instead = "or train the encoder alone: ae-cls pretrain"
    if encoder is not None:
        instead = f"or classify images that have labels: {_on_other_data(encoder)}"
    raise DataError(
        "a classifier needs labels of at least two classes",
        where=f"dataset={dataset.name}",
        why=_labels_there(dataset),
        fix=f"{_WAYS_TO_LABEL.get(dataset.name, 'give labels')}\n{instead}",
    )


def how_to_classify(run: Path, data: Data) -> str:
    """The line to type after pretraining."""
    if len(np.unique(data.dataset.labels_of(data.split.train))) < 2:
        return f"next, a classifier on images with labels: {_on_other_data(run)}"
    return f"next, a classifier: ae-cls classify encoder={run}"


def _on_other_data(run: Path) -> str:
    return f"ae-cls classify encoder={run} dataset=folder dataset.root=FOLDER_WITH_CLASSES"


def _labels_there(dataset: Dataset) -> str:
    labels = dataset.labels_of(np.arange(len(dataset.images)))
    known = labels[labels != NO_LABEL]
    names = ", ".join(dataset.class_names[index] for index in np.unique(known))
    of_one = f"{len(known)} are of the class {names}, and " if len(known) else ""
    return f"of {len(labels)} images {of_one}{len(labels) - len(known)} have no label"
