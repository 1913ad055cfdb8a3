"""The findings as one HTML file, complete in itself: no script, nothing loaded from elsewhere."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from ae_cls.check.findings import CopySet, Findings, Picture, Suspect
from ae_cls.check.sentences import facts, sentences
from ae_cls.dataset.contract import Dataset
from ae_cls.report.figures import contact_rows
from ae_cls.report.page.template import data_uri, template

MOST_SETS, MOST_SUSPECTS, MOST_PLAIN, MOST_OF_A_SET = 24, 48, 12, 6
"""What is shown; the rest is counted, and stands in the CSV files beside the page."""

_SIDE = 64  # pixels of a thumbnail


class Shown(NamedTuple):
    """A thumbnail and what stands below it."""

    source: str
    name: str
    note: str


class ShownSet(NamedTuple):
    """Copies side by side, and how many more there are in the set."""

    title: str
    pictures: list[Shown]
    more: int


class ShownClass(NamedTuple):
    """Some images of a class."""

    name: str
    pictures: list[Shown]


def page_of(found: Findings, dataset: Dataset | None) -> str:
    """The whole file as text; what comes from the data is escaped wherever it stands.

    Args:
        found: what to say.
        dataset: whose pictures to show; None where it could not be read.
    """
    shown = {} if dataset is None else _pictures(found, dataset)
    return template(Path(__file__).with_name("page.html")).render(
        found=found, facts=facts(found), sentences=sentences(found),
        most_sets=MOST_SETS, most_suspects=MOST_SUSPECTS, most_plain=MOST_PLAIN, **shown,
    )  # fmt: skip


def _pictures(found: Findings, dataset: Dataset) -> dict[str, object]:
    return {
        "sets": [_shown_set(one, dataset) for one in found.copies.sets[:MOST_SETS]],
        "suspects": [] if found.suspects is None else [
            _shown_suspect(one, dataset) for one in found.suspects.suspects[:MOST_SUSPECTS]
        ],
        "plain": [
            _shown(one, dataset, one.label) for one in found.one_colour[:MOST_PLAIN]
        ],
        "contact": list(_contact(dataset)),
    }  # fmt: skip


def _shown(picture: Picture, dataset: Dataset, note: str) -> Shown:
    return Shown(thumbnail(dataset, picture.row), picture.name, note)


def _shown_set(copies: CopySet, dataset: Dataset) -> ShownSet:
    said = ["equal" if copies.equal else "nearly equal"]
    said += ["in more than one part"] if copies.across else []
    said += ["more than one label"] if copies.labels_differ else []
    first = copies.pictures[:MOST_OF_A_SET]
    pictures = [_shown(one, dataset, f"{one.label or 'no label'}, {one.part}") for one in first]
    return ShownSet(", ".join(said), pictures, len(copies.pictures) - len(first))


def _shown_suspect(suspect: Suspect, dataset: Dataset) -> Shown:
    label = suspect.picture.label
    note = f"{label} ({_percent(suspect.given)})? {suspect.predicted} "
    return _shown(suspect.picture, dataset, f"{note}({_percent(suspect.probability)})")


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f} %"


def _contact(dataset: Dataset) -> Iterator[ShownClass]:
    labels = dataset.labels_of(np.arange(len(dataset.images)))
    rows = contact_rows(labels, len(dataset.class_names))
    for label in dict.fromkeys(labels[rows].tolist()):
        of_class = rows[labels[rows] == label].tolist()
        name = dataset.class_names[label] if label >= 0 else "no label"
        shown = [Shown(thumbnail(dataset, row), dataset.name_of(row), "") for row in of_class]
        yield ShownClass(name, shown)


def thumbnail(dataset: Dataset, row: int) -> str:
    """A data URI of the image as the network is given it, shrunk to at most 64 pixels a side."""
    pixels = dataset.images.index_select(0, torch.tensor([row]))[0].permute(1, 2, 0).numpy()
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
    image.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    image.save(content, "PNG")
    return data_uri("png", content.getvalue())
