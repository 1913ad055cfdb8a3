"""The files that a check leaves behind."""

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ae_cls.check.findings import Findings
from ae_cls.check.page import page_of
from ae_cls.dataset.contract import Dataset
from ae_cls.report.figures import render
from ae_cls.run.figures import images_figure, write_pictures
from ae_cls.store.cells import cell, path_cell, row_writer
from ae_cls.store.files import publish, write_json

PAGE = "index.html"

Write = Callable[[Sequence[str | int]], object]


def write_findings(folder: Path, found: Findings, dataset: Dataset | None) -> None:
    """Tables and figures first, the page last: then all that it speaks of is there.

    Raises:
        StorageError: the folder cannot be written.
    """
    if dataset is not None:
        _write_table(folder / "copies.csv", lambda write: _write_copies(write, found))
        _write_table(folder / "suspects.csv", lambda write: _write_suspects(write, found))
        figure = images_figure(dataset, np.arange(len(dataset.images)), "")
        if figure is not None:
            pictures = {f"images.{kind}": drawn for kind, drawn in render(figure).items()}
            write_pictures(folder / "figures", pictures)
    write_json(folder / "findings.json", json_of(found))
    publish(folder / PAGE, page_of(found, dataset).encode("utf-8", "backslashreplace"))


def json_of(found: Findings) -> dict[str, Any]:
    """All findings as plain values; copies and suspects counted, as tables have their rows."""
    plain = asdict(found)
    sets = found.copies.sets
    plain["copies"] = {
        "compared": found.copies.compared,
        "sets": len(sets),
        "images": sum(len(one.pictures) for one in sets),
        "equal_sets": sum(one.equal for one in sets),
        "sets_across_parts": sum(one.across for one in sets),
        "sets_with_labels_that_differ": sum(one.labels_differ for one in sets),
    }
    if found.suspects is not None:
        plain["suspects"] |= {"suspects": len(found.suspects.suspects)}
    return plain


def _write_table(path: Path, fill: Callable[[Write], None]) -> None:
    text = io.StringIO(newline="")
    fill(row_writer(text))
    publish(path, text.getvalue().encode())


def _write_copies(write: Write, found: Findings) -> None:
    write(["set", "image", "label", "part", "equal", "across", "labels_differ"])
    for number, one in enumerate(found.copies.sets, 1):
        marks = [_yes(one.equal), _yes(one.across), _yes(one.labels_differ)]
        for picture in one.pictures:
            write([number, path_cell(picture.name), cell(picture.label), picture.part, *marks])


def _write_suspects(write: Write, found: Findings) -> None:
    write(["image", "part", "label", "p_label", "predicted", "p_predicted"])
    for one in found.suspects.suspects if found.suspects else ():
        picture, given, said = one.picture, f"{one.given:.4f}", f"{one.probability:.4f}"
        write(
            [path_cell(picture.name), picture.part, cell(picture.label), given,
             cell(one.predicted), said]
        )  # fmt: skip


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
