"""The figures of one run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from matplotlib.figure import Figure
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.dataset.contract import Dataset, Rows
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.encode import Encoder, LatentConfig
from ae_cls.report.figures import (
    confident_mistakes,
    confusion_matrix,
    contact_rows,
    contact_sheet,
    health_curves,
    latent_map,
    loss_curves,
    mistake_rows,
    reconstructions,
    render,
    samples,
)
from ae_cls.report.figures.samples import IN_LINE
from ae_cls.run.data import Data
from ae_cls.run.scores import Scored
from ae_cls.store.files import publish
from ae_cls.train.record import EpochRecord

_REBUILT = 12  # images
_ON_THE_MAP = 1000  # images
_LINES = 10  # of sampled images, at most: the parts of the prior with the largest share
_LINES_OF_ONE = 4  # of a prior without parts
_PARTS = {"valid": "validation", "test": "test"}


def write_pretraining(
    folder: Path,
    data: Data,
    model: Autoencoder,
    history: Sequence[EpochRecord],
    *,
    rebuilds: bool,
    seed: int,
) -> None:
    """What it learnt from, and what, on validation images: reconstructions, loss, map of codes."""
    _write(folder, "images", images_figure(data.dataset, data.split.pretrain, "training"))
    write_history(folder, history)
    _write(folder, "health_curves", health_curves([record.as_dict() for record in history]))
    if rebuilds:
        _write(folder, "reconstructions", _reconstructions(data, model, seed))
        write_samples(folder, model, data.compute.device, seed=seed, class_names=None)
    _write(folder, "latent_map", _latent_map(data, model))


def write_samples(
    folder: Path,
    model: Autoencoder,
    device: torch.device,
    *,
    seed: int,
    class_names: Sequence[str] | None,
) -> None:
    """What the network makes of codes drawn from its prior, if it has one.

    Args:
        folder: of the figures.
        model: the network, which is on this device.
        device: of the network.
        seed: of the codes.
        class_names: of the classes in its code, once a head has taught it these; None: the classes
            or clusters are its own.
    """
    _write(folder, "samples", _samples(model, device, seed, class_names))


def images_figure(dataset: Dataset, rows: Rows, part: str) -> Figure | None:
    """Some images of each class among these rows; None where there is none."""
    labels = dataset.labels_of(rows)
    shown = contact_rows(labels, len(dataset.class_names))
    taken = dataset.images.index_select(0, torch.from_numpy(rows[shown]))
    images = to_unit(taken, torch.device("cpu")).numpy()
    return contact_sheet(images, shown, labels, dataset.class_names, part)


def write_pictures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Pictures that are already drawn, by file name."""
    folder.mkdir(exist_ok=True)
    for name, content in pictures.items():
        publish(folder / name, content)


def write_history(folder: Path, history: Sequence[EpochRecord]) -> None:
    """How training went, epoch by epoch."""
    _write(folder, "loss_curves", loss_curves([record.as_dict() for record in history]))


def write_classification(folder: Path, data: Data, scored: Scored) -> None:
    """How the classifier did on the last part it saw: confusion matrix, most confident mistakes."""
    names, part = data.dataset.class_names, _PARTS[scored.part]
    matrix = np.array(scored.metrics[scored.part]["confusion_matrix"], dtype=np.int64)
    _write(folder, "confusion_matrix", confusion_matrix(matrix, names, part))
    _write(folder, "confident_mistakes", _mistakes(data, scored))


def _write(folder: Path, name: str, figure: Figure | None) -> None:
    if figure is None:
        return
    for kind, content in render(figure).items():
        publish(folder / f"{name}.{kind}", content)


@torch.inference_mode()
def _reconstructions(data: Data, model: Autoencoder, seed: int) -> Figure:
    images = data.images(data.split.watched).sample(_REBUILT)
    model, device = model.eval(), data.compute.device
    clean = to_unit(images.take(torch.arange(len(images))), device)
    draws = Draws(seed, 0, torch.from_numpy(images.rows).to(device))
    seen = model.corrupted(clean, draws)
    from_clean, from_seen = (model.decode(model.encode(given)) for given in (clean, seen))
    return reconstructions(
        _pixels(clean), _pixels(seen), _pixels(from_clean), _pixels(from_seen),
        _names(data, images),
    )  # fmt: skip


@torch.inference_mode()
def _samples(
    model: Autoencoder, device: torch.device, seed: int, class_names: Sequence[str] | None
) -> Figure | None:
    draws = Draws(seed, 0, torch.arange(_LINES_OF_ONE * IN_LINE, device=device))
    drawn = model.eval().drawn_codes(draws)
    if drawn is None:
        return None
    codes = drawn.codes.to(device)
    if not drawn.parts:
        images = _pixels(model.decode(codes.flatten(0, 1)))
        lines = images.reshape(_LINES_OF_ONE, IN_LINE, *images.shape[1:])
        return samples(lines, None, "Images of codes drawn from the prior")
    shown = sorted(drawn.shares.argsort(descending=True, stable=True)[:_LINES].tolist())
    lines = np.stack([_pixels(model.decode(codes[part, :IN_LINE])) for part in shown])
    names = (
        list(class_names)
        if class_names
        else [f"{drawn.parts} {part + 1}" for part in range(len(codes))]
    )
    which = f"{drawn.parts} by {drawn.parts}"
    if len(codes) > _LINES:
        which = f"{which} ({_LINES} of {len(codes):,})"
    title = f"Images of codes drawn from the prior, {which}; a column shares its noise"
    return samples(lines, [names[part] for part in shown], title)


def _pixels(images: Float[Tensor, "b c h w"]) -> Float32[np.ndarray, "b c h w"]:
    return images.float().cpu().numpy()


def _names(data: Data, images: ImageRows) -> list[str] | None:
    labels = data.dataset.labels_of(images.rows)
    if (labels < 0).any():
        return None
    return [data.dataset.class_names[label] for label in labels]


def _latent_map(data: Data, model: Autoencoder) -> Figure | None:
    images = data.images(data.split.valid).sample(_ON_THE_MAP)
    encoder = Encoder(model, LatentConfig(name="latent"), data.compute)
    labels = data.dataset.labels_of(images.rows)
    names = data.dataset.class_names
    return latent_map(encoder.features(images), labels, names, _PARTS["valid"])


def _mistakes(data: Data, scored: Scored) -> Figure | None:
    part = data.rows_of(scored.part)
    labels = data.dataset.labels_of(part)
    predicted = scored.probabilities.argmax(1)
    probability = scored.probabilities.max(1)
    # Only the images that are drawn are read: the part may be larger than memory.
    rows = mistake_rows(labels, predicted, probability)
    shown = data.images(part[rows])
    images = to_unit(shown.take(torch.arange(len(rows))), torch.device("cpu")).numpy()
    return confident_mistakes(
        images,
        labels[rows],
        predicted[rows],
        probability[rows],
        data.dataset.class_names,
        _PARTS[scored.part],
    )
