"""What is ready before a run folder is made: data, split, an untrained network."""

from dataclasses import dataclass
from typing import final

from ae_cls.autoencoder.contract import Autoencoder, build
from ae_cls.compute import Compute, start
from ae_cls.dataset.contract import Dataset, Rows
from ae_cls.dataset.fingerprint import images_sha256
from ae_cls.dataset.rows import ImageRows, LabelledImages
from ae_cls.dataset.split import Split, make_split
from ae_cls.errors import UsageError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.processes.meeting import world_of


@final
@dataclass(frozen=True)
class Prepared:
    """Everything that a run reads; nothing here has been learnt from data.

    Attributes:
        compute: device and precision.
        dataset: all images.
        split: which rows are for what.
        model: random weights, on the device.
        images_sha256: of all images.
    """

    compute: Compute
    dataset: Dataset
    split: Split
    model: Autoencoder
    images_sha256: str

    def images(self, rows: Rows) -> ImageRows:
        """The images of these rows."""
        return ImageRows(self.dataset.images, rows)

    def labelled(self, rows: Rows) -> LabelledImages:
        """The images and labels of these rows."""
        return LabelledImages(self.images(rows), self.dataset.labels_of(rows))


def prepare(description: Experiment | Pretraining) -> Prepared:
    """Load, split and build: all that can be refused before a folder is made.

    Raises:
        UsageError: the device is missing, the images are too small, there are too few labels.
        DataError: the data set is missing or unreadable.
    """
    world = world_of(description.devices)
    compute = start(description.device, description.precision, description.threads, world)
    dataset = description.dataset.load()
    model = build(description.autoencoder, dataset.image_shape, description.seed)
    split = make_split(dataset, description.split, description.labels, description.seed)
    model = model.to(compute.device)
    compute = compute.suited_to(allows_bf16=model.allows_bf16)
    return Prepared(compute, dataset, split, model, images_sha256(dataset.images))


def refuse_without_labels(prepared: Prepared, *, test: bool) -> None:
    """Stop before time is spent when there is nothing to classify.

    Raises:
        UsageError: the data set has no labels, or no test part that is to be read.
    """
    if len(prepared.split.labelled) == 0:
        raise UsageError(
            "this data set has no labels to learn from",
            where=f"dataset={prepared.dataset.name}",
            fix="train the encoder alone (ae-cls pretrain), or give labels (class folders)",
        )
    if test and len(prepared.split.test) == 0:
        raise UsageError(
            "there is no test part to read",
            where="split.test_fraction=0",
            fix="cut one, for example split.test_fraction=0.2, or leave it closed: test=false",
        )
