"""Data and words that people give, with damage anywhere: read, or refused with the place (M17)."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ae_cls.dataset.decoding import Frame
from ae_cls.dataset.files.columns import ColumnNames
from ae_cls.dataset.files.decode import decode
from ae_cls.dataset.files.idx import IdxPart
from ae_cls.dataset.files.label_table import LabelTable, files_by_table
from ae_cls.experiment.descriptions import Experiment
from ae_cls.experiment.read import read
from ae_cls.words.compose import compose
from tests.dataset.chosen import chosen
from tests.dataset.listed import listed
from tests.dataset.written import idx_bytes, labels_of, pictures
from tests.faults.damaged import byte_damage, only_refused, quick

pytestmark = pytest.mark.timeout(240)

Damage = Callable[[bytes], bytes]
IMAGES, LABELS = pictures(6, 5, 4), labels_of(6, 3)


@quick(50)
@given(damage=byte_damage(), of_images=st.booleans())
def test_idx_files(tmp_path: Path, damage: Damage, of_images: bool) -> None:
    images, labels = idx_bytes(IMAGES), idx_bytes(LABELS.astype(np.uint8))
    images, labels = (damage(images), labels) if of_images else (images, damage(labels))
    (tmp_path / "images").write_bytes(images)
    (tmp_path / "labels").write_bytes(labels)
    with only_refused():
        IdxPart(tmp_path / "images", tmp_path / "labels", class_count=3).read()


@quick(40)
@given(damage=byte_damage(), packed=st.booleans())
def test_npz_files(tmp_path: Path, damage: Damage, packed: bool) -> None:
    content = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(content, images=IMAGES, labels=LABELS)
    (tmp_path / "own.npz").write_bytes(damage(content.getvalue()))
    with only_refused():
        chosen("npz", root=str(tmp_path / "own.npz")).load()


FILES = [f"photos/shot {number}.png" for number in range(4)]
ROWS = [("path", "label", "split"), *((name, "cat", "train") for name in FILES)]


def table(separator: str, encoding: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(ROWS)
    return text.getvalue().encode(encoding)


@quick(50)
@given(
    damage=byte_damage(),
    separator=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
)
def test_label_tables(tmp_path: Path, damage: Damage, separator: str, encoding: str) -> None:
    (tmp_path / "labels.csv").write_bytes(damage(table(separator, encoding)))
    names = LabelTable(tmp_path / "labels.csv", ColumnNames(), None, None)
    with only_refused():
        files_by_table(listed(*FILES, root=tmp_path), names)


@quick(50)
@given(damage=byte_damage(), form=st.sampled_from(["PNG", "TIFF", "BMP", "JPEG", "GIF", "WEBP"]))
def test_image_files(tmp_path: Path, damage: Damage, form: str) -> None:
    content = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(content, form)
    (tmp_path / "a.png").write_bytes(damage(content.getvalue()))
    with only_refused():
        decode(tmp_path / "a.png", Frame(3, 8, 8))


KEYS = st.sampled_from(
    ["seed", "head", "head.C", "autoencoder", "autoencoder.widths", "pretrain.lr", "dataset.root",
     "labels.per_class", "split.seed", "folder", "hydra.run.dir", "_target_", "a.b.c", "", "head@x"]
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["", "null", "nan", "inf", "-1", "1e400", "9" * 400, "${x}", "${oc.env:HOME}", "[", "[[1]",
         "{a:1}", "'", '"', "a,b", "choice(1,2)", "range(9)", "glob(*)", "\0", "é", "\udcff",
         "!!python/object:os.system", "conv", "x" * 2000, "[" * 300]
    ),
)  # fmt: skip
SIGNS = st.sampled_from(["", "+", "++", "~", "-"])


@pytest.mark.filterwarnings("ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning")
@quick(40)
@given(words=st.lists(st.tuples(SIGNS, KEYS, VALUES), min_size=1, max_size=2))
def test_words_of_the_command_line(words: list[tuple[str, str, str]]) -> None:
    typed = [f"{sign}{key}={value}" for sign, key, value in words]
    with only_refused():
        plain: dict[str, Any] = compose("run", typed)
        read(Experiment, {key: value for key, value in plain.items() if key != "launch"})
