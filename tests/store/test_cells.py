"""Names in tables: one spelling, no formulas, and every name comes back."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.split import Split
from ae_cls.run.files import write_predictions
from ae_cls.saved.predict import Prediction, write_csv
from ae_cls.store.cells import cell, path_cell

NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=8)
ODD = st.text(st.sampled_from("=+-@'\t\r\n 1.e\\ud\udcff"), min_size=1, max_size=6)
NUMBER_OR_SIGN = re.compile(r"[=+\-@＝＋－＠]|[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def begins_a_formula(text: str) -> bool:
    return text[0] in "=+-@\t\r\n＝＋－＠" and not NUMBER_OR_SIGN.fullmatch(text)


def tables(folder: Path, names: tuple[str, ...]) -> tuple[list[dict], list[dict]]:
    """What predict and the run itself write of one file a class, each named like its class."""
    count = len(names)
    certain, none = np.eye(count), np.empty(0, np.int64)
    predictions = [Prediction(Path(n), row, "") for n, row in zip(names, certain, strict=True)]
    text = io.StringIO()
    write_csv(predictions, names, text)
    rows = np.arange(count)
    dataset = Dataset(
        name="folder", images=torch.zeros(count, 1, 4, 4, dtype=torch.uint8),
        labels=torch.arange(count), class_names=names, train=none, valid=none, test=rows,
        unlabelled=none, paths=names, mirrored_is_same=False,
    )  # fmt: skip
    split = Split(pretrain=none, watched=none, train=none, labelled=none, valid=none, test=rows)
    write_predictions(folder, dataset, split, certain)
    own = (folder / "predictions.csv").read_bytes().decode()
    return read(text.getvalue()), read(own)


def read(text: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@given(names=st.lists(NAMES | ODD, min_size=2, max_size=5, unique=True))
@example(["+", "-", "\r", "a\rb"])
@example(["=x", "'=x", "''=x"])
@example(["'+", "+"])
@example(["\udcff", "\\udcff", "\\\udcff"])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_tables_can_be_joined_and_hold_no_formula(tmp_path: Path, names: list[str]) -> None:
    predicted, own = tables(tmp_path, tuple(names))
    labels = [row["predicted"] for row in predicted]
    assert labels == [row["label"] for row in own] == [row["predicted"] for row in own]
    assert len(set(labels)) == len(names)
    assert [row["path"] for row in predicted] == [row["path"] for row in own]
    assert [row[f"p_{row['predicted']}"] for row in predicted] == ["1"] * len(names)
    assert [row[f"p_{row['label']}"] for row in own] == ["1"] * len(names)
    for row in (*predicted, *own):
        cells = [*row, *(value for name, value in row.items() if name != "path")]
        assert not [text for text in cells if text and begins_a_formula(text)]
        assert not begins_a_formula(row["path"].replace("\n", "x"))


@pytest.mark.parametrize("text", ["+", "-", "@", "=", "-1", "+0.5", "-1e3", "a=b", "a-b", "'s", ""])
def test_what_is_no_formula_is_left_alone(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    "text", ["=cmd", "+1+1", "-2+3|cmd", "@SUM(1)", "\tx", "\rx", "\nx", "--", "-1-1", "＝1", "\t"]
)
def test_a_formula_is_defused(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("name", ["+", "=1.png", "-a/b.png", "@x", "-1"])
def test_a_path_still_names_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).touch()
    assert path_cell(Path(name)) == f"./{name}" and Path(path_cell(name)).exists()
