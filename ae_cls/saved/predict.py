"""Labels for image files: a saved classifier on files and folders, in batches of bounded memory."""

import io
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.decoding import Decoding, Frame
from ae_cls.dataset.files.decode import SUFFIXES, decode
from ae_cls.dataset.files.listing import images_below
from ae_cls.dataset.rows import ImageRows
from ae_cls.errors import DataError, printable, some
from ae_cls.head.classifier import Classifier
from ae_cls.saved.likeness import Likeness
from ae_cls.saved.model import load_classifier, load_likeness, read_experiment
from ae_cls.saved.output import refuse_as_output
from ae_cls.saved.unlike import WITHOUT, Seen, reasons, seen, summary
from ae_cls.saved.use import compute_of, decoding_of
from ae_cls.store.cells import TextFile, cell, path_cell, probability_columns, row_writer
from ae_cls.store.files import publish
from ae_cls.terminal.progress import Progress

BATCH = 512
"""Files at a time: as many as the encoder takes, so that no batch is cut twice."""

_LOG = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Decoded:
    """A few files, and the images of those that could be decoded.

    Attributes:
        files: as they were given.
        errors: why a file has no image; empty where it has one.
        images: of the files without an error, in their order.
    """

    files: tuple[Path, ...]
    errors: tuple[str, ...]
    images: UInt8[Tensor, "n c h w"]

    @property
    def rows(self) -> ImageRows:
        """The images as a table that encoders and classifiers take."""
        return ImageRows(self.images, np.arange(len(self.images)))


@final
@dataclass(frozen=True)
class Prediction:
    """What the classifier says of one file.

    Attributes:
        path: of the file.
        probabilities: one a class; None for a file that could not be decoded.
        error: why it could not be; empty otherwise.
        seen: how it looks beside the training images; None if nothing is known of these.
        unlike: why it is unlike them; empty if it is not.
    """

    path: Path
    probabilities: Float64[np.ndarray, " k"] | None
    error: str
    seen: Seen | None = None
    unlike: str = ""


@final
@dataclass(frozen=True)
class Outcome:
    """What was written.

    Attributes:
        errors: each file without an image, and why it has none.
        files: how many there are in all.
        notes: what is to be known of all images together, one sentence each.
    """

    errors: tuple[str, ...]
    files: int
    notes: tuple[str, ...]

    def refuse_if_none_was_read(self) -> None:
        """Stop where there is no label at all.

        Raises:
            DataError: so it is.
        """
        if len(self.errors) == self.files:
            raise DataError(
                f"none of {self.files} files could be read", where="\n".join(some(self.errors)),
                fix="images are " + " ".join(SUFFIXES),
            )  # fmt: skip


def predict_to_csv(model: Path, paths: Sequence[Path], output: Path | None, device: str) -> Outcome:
    """Label files with a saved classifier.

    Args:
        model: a run folder, or its model/.
        paths: image files, and folders of them.
        output: the file to write, which then appears whole; None for standard output.
        device: auto, cpu or a CUDA device.

    Raises:
        UsageError: the output is an image or lies in the folder of a run.
        DataError: there is no image.
        ModelFileError: the model is missing or damaged.
    """
    files = find_images(paths, output=output)
    if output is not None:
        is_image = output.suffix.lower() in SUFFIXES  # which the list of images has passed over
        refuse_as_output(output, model=model, inputs=[*files, *([output] if is_image else [])])
    description = read_experiment(model)
    classifier = load_classifier(model, compute_of(description, device))
    likeness = load_likeness(model)
    decoding = decoding_of(description, likeness)
    pictures, errors = list[Seen](), list[str]()
    predictions = _collecting(predict(classifier, files, decoding, likeness), pictures, errors)
    text = io.StringIO()
    write_csv(predictions, classifier.class_names, text if output else sys.stdout)
    if output:
        publish(output, text.getvalue().encode())
    notes = summary(likeness, pictures) if likeness else [WITHOUT]
    return Outcome(tuple(errors), len(files), tuple(notes))


def find_images(paths: Sequence[Path], *, output: Path | None = None) -> list[Path]:
    """The files themselves, and all image files in the folders, by code point within each.

    Of folders, `output` is left out, and so are files that are no images by suffix and what systems
    or ae-cls made: with a warning that counts them.

    Raises:
        DataError: there is no such file or folder, or there is no image at all.
    """
    files = [file for path in paths for file in _files_of(path, output)]
    if not files:
        raise DataError(
            "there is no image file",
            where="\n".join(map(str, paths)),
            fix="name the files themselves if their names do not end like those of images",
        )
    return files


def decoded(files: Sequence[Path], shape: ImageShape, decoding: Decoding) -> Iterator[Decoded]:
    """All files in order, `BATCH` at a time, brought to one shape as in training."""
    frame = Frame(*shape, decoding)

    def one(file: Path) -> UInt8[np.ndarray, "c h w"] | str:
        try:
            return decode(file, frame)
        except DataError as error:
            return error.why or error.what

    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        Progress("decoding", total=len(files), unit="images") as progress,
    ):
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            yield _batch(batch, list(pool.map(one, batch)), shape)
            progress.advance(len(batch))


def predict(
    classifier: Classifier,
    files: Sequence[Path],
    decoding: Decoding,
    likeness: Likeness | None = None,
) -> Iterator[Prediction]:
    """One prediction a file, in order; a file that cannot be decoded has an error instead."""
    for batch in decoded(files, classifier.image_shape, decoding):
        rows = iter(_predicted(classifier, batch, likeness) if len(batch.images) else ())
        for file, error in zip(batch.files, batch.errors, strict=True):
            if error:
                yield Prediction(file, None, error)
            else:
                yield Prediction(file, *next(rows))


def _predicted(
    classifier: Classifier, batch: Decoded, likeness: Likeness | None
) -> Iterator[tuple[Float64[np.ndarray, " k"], str, Seen | None, str]]:
    """What a `Prediction` holds behind the file, for each image."""
    features = classifier.encoder.features(batch.rows)
    probabilities = classifier.head.predict_proba(features)
    if likeness is None:
        return ((row, "", None, "") for row in probabilities)
    labels = probabilities.argmax(axis=1).tolist()
    pictures = seen(likeness, batch.images, features, labels)
    return (
        (row, "", picture, reasons(likeness, picture))
        for row, picture in zip(probabilities, pictures, strict=True)
    )


def write_csv(predictions: Iterable[Prediction], class_names: Sequence[str], file: TextFile) -> int:
    """Write `path, predicted, score, error, unlike`, one column a class; the number of errors.

    Text is spelt as in all tables (see `store.cells`).
    """
    write = row_writer(file)
    fixed = ("path", "predicted", "score", "error", "unlike")
    write([*fixed, *probability_columns(class_names)])
    spelt = [cell(name) for name in class_names]
    errors = 0
    for prediction in predictions:
        write([path_cell(prediction.path), *_values(prediction, spelt)])
        errors += bool(prediction.error)
    return errors


def _collecting(
    predictions: Iterable[Prediction], pictures: list[Seen], errors: list[str]
) -> Iterator[Prediction]:
    """The same predictions, while what was seen of each, or why nothing was, is added to these."""
    for prediction in predictions:
        if prediction.error:
            errors.append(f"{prediction.path}: {prediction.error}")
        if prediction.seen is not None:
            pictures.append(prediction.seen)
        yield prediction


def _files_of(path: Path, output: Path | None) -> list[Path]:
    if path.is_dir():
        images, notes = images_below(path, output)
        for note in notes:
            _LOG.warning("%s: %s", path, note)
        return images
    if not os.path.lexists(path):
        raise DataError("there is no such file or folder", where=str(path))
    return [path]


def _batch(
    files: Sequence[Path], results: Sequence[UInt8[np.ndarray, "c h w"] | str], shape: ImageShape
) -> Decoded:
    images = [result for result in results if not isinstance(result, str)]
    errors = tuple(result if isinstance(result, str) else "" for result in results)
    table = np.stack(images) if images else np.empty((0, *shape), np.uint8)
    return Decoded(tuple(files), errors, torch.from_numpy(table))


def _values(prediction: Prediction, spelt: Sequence[str]) -> list[str]:
    if prediction.probabilities is None:
        return ["", "", cell(printable(prediction.error)), "", *("" for _ in spelt)]
    best = int(prediction.probabilities.argmax())
    numbers = [f"{value:.9g}" for value in prediction.probabilities]
    return [spelt[best], numbers[best], "", prediction.unlike, *numbers]
