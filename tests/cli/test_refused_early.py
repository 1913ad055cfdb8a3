"""What nothing can be learnt from is refused before time is spent, by each command, with a cure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from tests.cli.conftest import AeCls, with_hydra
from tests.dataset.written import pictures, png
from tests.jobs.conftest import forked
from tests.jobs.conftest import forking as forking

pytestmark = [with_hydra, forked]

IMAGES = pictures(12, 8, 8)
QUICK = ("autoencoder=pixels", "encode=latent", "threads=1")
FILES = ("dataset=folder", "dataset.root=data", "dataset.image_size=8")


def folder(*names: str) -> None:
    for row, image in enumerate(IMAGES):
        path = Path("data", names[row % len(names)], f"{row}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def table(labels: list[str]) -> None:
    folder(".")
    rows = [f"{row}.png,{label}" for row, label in enumerate(labels)]
    Path("data/labels.csv").write_text("\n".join(["path,label", *rows]))


def npz(**arrays: np.ndarray) -> None:
    np.savez("own.npz", images=IMAGES, **arrays)  # pyright: ignore[reportArgumentType]


def rows(label: int | None) -> None:
    columns = {"image": [png(np.stack([image] * 3)) for image in IMAGES], "label": [label] * 12}
    parquet.write_table(pa.table(columns), "own.parquet")


def pixels(label: str) -> None:
    names = ",".join(["label", *(f"p{place}" for place in range(64))])
    lines = [",".join([label, *map(str, image.ravel())]) for image in IMAGES]
    Path("own.csv").write_text("\n".join([names, *lines]))


NPZ = ("dataset=npz", "dataset.root=own.npz")
PARQUET = ("dataset=parquet", "dataset.root=own.parquet", "dataset.image_size=8")
CSV = ("dataset=csv_pixels", "dataset.root=own.csv")
TABLE = (*FILES, "dataset.labels_csv=labels.csv")
CASES: dict[str, tuple[Callable[[], None], tuple[str, ...], str]] = {
    "one class folder": (lambda: folder("cat"), FILES, "dataset.labels_csv=FILE"),
    "flat": (lambda: folder("."), FILES, "dataset.labels_csv=FILE"),
    "one too high": (lambda: folder("pets/cat", "pets/dog"), FILES, "dataset.root=data/pets"),
    "within train": (lambda: folder("train/a/cat", "train/a/dog"), FILES, "label_pattern="),
    "one too low": (
        lambda: folder("train/cat", "train/dog", "test/cat", "test/dog"),
        (*FILES, "dataset.root=data/test"),
        "dataset.root=data",
    ),
    "table of one class": (lambda: table(["cat"] * 12), TABLE, "dataset.labels_csv=FILE"),
    "table of none": (lambda: table(["?"] * 12), TABLE, "dataset.labels_csv=FILE"),
    "npz of one class": (lambda: npz(labels=np.zeros(12, int)), NPZ, "array labels"),
    "npz of none": (npz, NPZ, "array labels"),
    "npz without labels": (lambda: npz(labels=np.full(12, -1)), NPZ, "array labels"),
    "parquet of one class": (lambda: rows(0), PARQUET, "dataset.label_column=NAME"),
    "parquet without labels": (lambda: rows(None), PARQUET, "dataset.label_column=NAME"),
    "pixels of one class": (lambda: pixels("0"), CSV, "a column label"),
    "pixels without labels": (lambda: pixels(""), CSV, "a column label"),
}


@pytest.mark.parametrize("case", CASES)
def test_by_run_and_by_the_plan_of_a_sweep(case: str, ae_cls: AeCls, forking: None) -> None:
    write, words, cure = CASES[case]
    write()
    for command in (("run", *words, *QUICK), ("run", "-m", *words, *QUICK, "seed=0,1")):
        outcome = ae_cls(*command)
        if case == "one too low":  # it may be meant: said, not refused
            assert cure in outcome.err
            return
        assert outcome.code == 3, outcome.err
        assert cure in outcome.err and "error[3]" in outcome.err
        assert not Path("outputs").exists()
    assert "none was started" in outcome.err


def test_a_sweep_over_folders_begins_none_if_one_is_not_there(ae_cls: AeCls, forking: None) -> None:
    folder("cat", "dog")
    outcome = ae_cls("run", "-m", *FILES, *QUICK, "dataset.root=data,missing")
    assert outcome.code == 3 and not Path("outputs").exists()
    assert "in 1 of 2 jobs; none was started" in outcome.err
