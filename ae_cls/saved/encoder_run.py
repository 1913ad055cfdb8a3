"""An earlier run's encoder, taken over by `classify`, for the same images or for others."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from pydantic import TypeAdapter

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset import DatasetChoice
from ae_cls.dataset.contract import Dataset, ImageShape
from ae_cls.dataset.decoding import Decoding
from ae_cls.dataset.image_files import ImageFilesConfig
from ae_cls.dataset.split import Split
from ae_cls.errors import DataError, UsageError
from ae_cls.experiment.descriptions import Classification, Experiment, Pretraining
from ae_cls.experiment.mistakes import read_part
from ae_cls.saved.data import is_of, refuse_other_data
from ae_cls.saved.metrics import METRICS
from ae_cls.saved.model import load_autoencoder, load_likeness, read_experiment, read_image_shape
from ae_cls.saved.pretrained_on import PretrainedOn, pretrained_on
from ae_cls.saved.use import decoding_of
from ae_cls.store.weights import weights_sha256

_CHOICE: TypeAdapter[DatasetChoice] = TypeAdapter(DatasetChoice)


@final
@dataclass(frozen=True)
class EncoderRun:
    """A finished run whose encoder can be used again.

    Attributes:
        folder: the run folder.
        pretraining: its description.
        image_shape: of the images that its encoder takes: channels, height, width.
        decoding: how image files become such images.
    """

    folder: Path
    pretraining: Pretraining
    image_shape: ImageShape
    decoding: Decoding

    def experiment(self, classification: Classification) -> Experiment:
        """The whole experiment: this pretraining, on the images that the words name.

        Raises:
            UsageError: the words about the data are wrong, or ask for images of another shape; the
                head cannot be used with that autoencoder.
        """
        dataset = self._dataset(classification.dataset or {})
        return classification.on(self.pretraining.model_copy(update={"dataset": dataset}))

    def model(self, compute: Compute) -> tuple[Autoencoder, str]:
        """The trained network and the hash of its weights."""
        model = load_autoencoder(self.folder, compute)
        return model, weights_sha256(model)

    def pretrained_on(
        self, dataset: Dataset, split: Split, *, may_be_other: bool
    ) -> PretrainedOn | None:
        """What the encoder has seen, where that was other data than these; else None.

        Args:
            dataset: what is to be classified.
            split: of it.
            may_be_other: whether the user chose these data, or they are to be those of the run.

        Raises:
            DataError: the data are not those that the encoder was trained on, so that its
                validation or test images might be among its training images.
        """
        same = is_of(self.folder, dataset) or not may_be_other
        if same:
            refuse_other_data(self.folder, dataset, split, _other_words(self.pretraining))
        return pretrained_on(self.folder, dataset, split, same=same)

    def refuse_other_shape(self, dataset: Dataset) -> None:
        """Stop where images are not such as the encoder takes.

        Raises:
            DataError: with what can be done about them.
        """
        if dataset.image_shape != self.image_shape:
            channels, height, width = self.image_shape
            raise DataError(
                "the images are not of the shape that the encoder takes",
                where=f"dataset={dataset.name}\nencoder={self.folder}",
                why=self._difference(dataset.image_shape),
                fix=f"save them as arrays of (n, {channels}, {height}, {width}), or as image "
                "files, which dataset=folder brings to that shape\n"
                f"or pretrain on these: ae-cls pretrain dataset={dataset.name} ...",
            )

    def _dataset(self, words: dict[str, Any]) -> DatasetChoice:
        """As the words say; what they leave open is as in this run."""
        plain = words
        if "name" not in words:
            plain = self.pretraining.dataset.model_dump(mode="json") | words
        if "on_bad" in plain:  # as every option has that decodes image files
            plain = self._pictures() | plain
        fix = "ae-cls run dataset=NAME --cfg job --package dataset shows the keys"
        dataset = read_part(_CHOICE.validate_json, plain, "dataset", fix)
        if isinstance(dataset, ImageFilesConfig):
            self._refuse_other_frame(dataset.frame.image_shape)
        return dataset

    def _pictures(self) -> dict[str, Any]:
        """The keys of `configs.PICTURE_KEYS` where no word says them."""
        channels, height, width = self.image_shape
        return {"image_size": [height, width], "channels": channels, **asdict(self.decoding)}

    def _refuse_other_frame(self, shape: ImageShape) -> None:
        if shape != self.image_shape:
            channels, height, width = self.image_shape
            raise UsageError(
                "the encoder takes images of another shape", where=f"encoder={self.folder}",
                why=self._difference(shape),
                fix=f"dataset.image_size=[{height},{width}] dataset.channels={channels}, "
                "or neither word: then they are as in the encoder's run",
            )  # fmt: skip

    def _difference(self, shape: ImageShape) -> str:
        return f"it takes {_shape_text(self.image_shape)}, and these are {_shape_text(shape)}"


def read_encoder_run(folder: Path) -> EncoderRun:
    """The run in `folder`.

    Raises:
        UsageError: it is no run folder, or its head changed the encoder.
        ModelFileError: its model is damaged.
    """
    if not (folder / METRICS).is_file():
        raise UsageError(
            "there is no finished run here", where=f"encoder={folder}",
            fix="give the folder that ae-cls pretrain or ae-cls run printed at its end",
        )  # fmt: skip
    saved = read_experiment(folder)
    if isinstance(saved, Experiment) and saved.head.trains_encoder:
        raise UsageError(
            "this run's encoder was trained on labels by its head", where=f"encoder={folder}",
            why="scores of another head on it would not be those of pretraining",
            fix="give a run of ae-cls pretrain, or of a head that leaves the encoder as it was",
        )  # fmt: skip
    return EncoderRun(
        folder,
        saved if isinstance(saved, Pretraining) else saved.pretraining(),
        read_image_shape(folder),
        decoding_of(saved, load_likeness(folder)),
    )


def _shape_text(shape: ImageShape) -> str:
    channels, height, width = shape
    return f"{height}x{width} pixels in {'grey' if channels == 1 else 'colour'}"


def _other_words(pretraining: Pretraining) -> str:
    """How to say that other data are meant."""
    name = pretraining.dataset.name
    return f"other images, on purpose: dataset={name} dataset.root=..., both words"
