"""The figures of one run folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.encode import Encoder, LatentConfig
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.report.figures import (
    confident_mistakes,
    confusion_matrix,
    latent_map,
    loss_curves,
    mistake_rows,
    reconstructions,
    render,
)
from ae_cls.run.data import Prepared
from ae_cls.run.scores import Scored, rows_of
from ae_cls.store.files import publish
from ae_cls.train.record import EpochRecord

_REBUILT = 12  # images
_ON_THE_MAP = 2000  # images
_PARTS = {"valid": "validation", "test": "test"}


def write_pretraining(
    folder: Path,
    description: Experiment | Pretraining,
    prepared: Prepared,
    history: Sequence[EpochRecord],
) -> None:
    """What the autoencoder learnt, on validation images: reconstructions, loss, map of codes."""
    write_history(folder, history)
    if description.autoencoder.decodes:
        _write(folder, "reconstructions", _reconstructions(prepared, description.seed))
    _write(folder, "latent_map", _latent_map(prepared))


def write_history(folder: Path, history: Sequence[EpochRecord]) -> None:
    """How training went, epoch by epoch."""
    _write(folder, "loss_curves", loss_curves([record.as_dict() for record in history]))


def write_classification(folder: Path, prepared: Prepared, scored: Scored) -> None:
    """How the classifier did on the last part it saw: confusion matrix, most confident mistakes."""
    names, told = prepared.dataset.class_names, _PARTS[scored.part]
    matrix = np.array(scored.metrics[scored.part]["confusion_matrix"], dtype=np.int64)
    _write(folder, "confusion_matrix", confusion_matrix(matrix, names, told))
    _write(folder, "confident_mistakes", _mistakes(prepared, scored))


def _write(folder: Path, name: str, figure: Figure | None) -> None:
    if figure is None:
        return
    for kind, content in render(figure).items():
        publish(folder / f"{name}.{kind}", content)


@torch.inference_mode()
def _reconstructions(prepared: Prepared, seed: int) -> Figure:
    images = prepared.images(prepared.split.valid).sample(_REBUILT)
    model, device = prepared.model.eval(), prepared.compute.device
    clean = to_unit(images.take(torch.arange(len(images))), device)
    draws = Draws(seed, 0, torch.from_numpy(images.rows).to(device))
    seen = model.corrupted(clean, draws)
    output = model.decode(model.encode(seen))
    inputs, corrupted, outputs = (part.float().cpu().numpy() for part in (clean, seen, output))
    return reconstructions(inputs, corrupted, outputs, _names(prepared, images))


def _names(prepared: Prepared, images: ImageRows) -> list[str] | None:
    labels = prepared.dataset.labels_of(images.rows)
    if (labels < 0).any():
        return None
    return [prepared.dataset.class_names[label] for label in labels]


def _latent_map(prepared: Prepared) -> Figure | None:
    images = prepared.images(prepared.split.valid).sample(_ON_THE_MAP)
    encoder = Encoder(prepared.model, LatentConfig(name="latent"), prepared.compute)
    labels = prepared.dataset.labels_of(images.rows)
    return latent_map(encoder.features(images), labels, prepared.dataset.class_names)


def _mistakes(prepared: Prepared, scored: Scored) -> Figure | None:
    part = rows_of(prepared, scored.part)
    labels = prepared.dataset.labels_of(part)
    predicted = scored.probabilities.argmax(1)
    probability = scored.probabilities.max(1)
    # Only the images that are drawn are read: the part may be larger than memory.
    rows = mistake_rows(labels, predicted, probability)
    shown = prepared.images(part[rows])
    images = to_unit(shown.take(torch.arange(len(rows))), torch.device("cpu")).numpy()
    return confident_mistakes(
        images,
        labels[rows],
        predicted[rows],
        probability[rows],
        prepared.dataset.class_names,
        _PARTS[scored.part],
    )
