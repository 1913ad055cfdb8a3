import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ae_cls.autoencoder.pixels import PixelsConfig
from ae_cls.compute import Compute
from ae_cls.dataset.decoding import Decoding
from ae_cls.encode import Encoder, LatentConfig
from ae_cls.errors import DataError
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import Features, FittedHead, Probabilities
from ae_cls.saved.predict import Prediction, find_images, predict, write_csv

SHAPE = (1, 4, 4)
PAD = Decoding(fit="pad")


class Brightness(FittedHead):
    """Dark or light: the mean of the pixels."""

    def predict_proba(self, features: Features) -> Probabilities:
        assert len(features), "most heads take no empty table"
        light = features.astype(np.float64).mean(axis=1)
        return np.stack([1 - light, light], axis=1)

    def files(self) -> dict[str, bytes]:
        return {}

    @classmethod
    def load(cls, files: Mapping[str, bytes], head: str) -> "Brightness":
        return cls(facts={})


@pytest.fixture
def classifier() -> Classifier:
    model = PixelsConfig(name="pixels").build(SHAPE)
    encoder = Encoder(model, LatentConfig(name="latent"), Compute(torch.device("cpu"), "fp32"))
    return Classifier(encoder, Brightness(facts={}), ("dark", "light"))


def picture(path: Path, grey: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), grey).save(path)
    return path


def labels(predictions: list[Prediction]) -> list[str]:
    return [
        "error" if each.probabilities is None else ("dark", "light")[each.probabilities.argmax()]
        for each in predictions
    ]


def rows(predictions: list[Prediction], class_names: tuple[str, ...]) -> list[dict[str, str]]:
    text = io.StringIO()
    write_csv(predictions, class_names, text)
    return list(csv.DictReader(io.StringIO(text.getvalue(), newline="")))


def test_folders_are_searched_in_the_order_of_names_whatever_was_made_first(tmp_path: Path) -> None:
    for name in ("b/2.png", "a.png", "b/10.png", "ä.jpg", "B.png"):
        picture(tmp_path / name, 0)
    found = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert found == ["B.png", "a.png", "b/10.png", "b/2.png", "ä.jpg"]


def test_hidden_files_other_files_and_the_output_are_left_out_of_folders(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = picture(tmp_path / "a.png", 0)
    output = picture(tmp_path / "out.png", 0)
    picture(tmp_path / ".hidden.png", 0)
    picture(tmp_path / ".folder" / "a.png", 0)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "b.heic2").write_bytes(b"x")
    picture(tmp_path / "@eaDir" / "a.png", 0)
    assert find_images([tmp_path], output=output) == [kept]
    assert "2 files left out" in caplog.text
    assert "1 .heic2 (b.heic2)" in caplog.text and "1 .txt (notes.txt)" in caplog.text
    assert "@eaDir" in caplog.text and "out.png" not in caplog.text


def test_a_file_that_is_named_is_taken_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    picture(tmp_path / "a.png", 0).rename(path)
    assert find_images([path, path]) == [path, path]


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_without_any_image_the_place_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as refusal:
        find_images([tmp_path / name])
    assert name in refusal.value.where


def test_each_file_gets_its_own_prediction_and_damaged_ones_an_error(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ae_cls.saved.predict.BATCH", 3)
    greys = [0, 255, 255, 0, 255, 0, 0, 255]
    files = [picture(tmp_path / f"{index}.png", grey) for index, grey in enumerate(greys)]
    for index in (1, 6):
        files[index].write_bytes(b"no image")
    found = list(predict(classifier, files, PAD))
    assert [each.path for each in found] == files
    assert labels(found) == ["dark", "error", "light", "dark", "light", "dark", "error", "light"]


def test_a_batch_without_any_image_is_all_errors(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"")
    (found,) = predict(classifier, [path], PAD)
    assert found.error and found.probabilities is None


def test_a_pipe_is_an_error_and_not_waited_for(classifier: Classifier, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (found,) = predict(classifier, find_images([tmp_path]), PAD)
    assert "regular file" in found.error


def test_images_are_fitted_into_the_frame_as_asked(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("L", (16, 4), 0).save(path)
    (padded,) = predict(classifier, [path], PAD)
    (cropped,) = predict(classifier, [path], Decoding(fit="crop"))
    assert padded.probabilities is not None and cropped.probabilities is not None
    assert padded.probabilities[1] == pytest.approx(0.75)  # white above and below
    assert cropped.probabilities[1] == pytest.approx(0.0)


def test_the_table_has_one_probability_a_class() -> None:
    (row,) = rows([Prediction(Path("a.png"), np.array([0.25, 0.75]), "")], ("cat", "dog"))
    assert row == {
        "path": "a.png",
        "predicted": "dog",
        "score": "0.75",
        "error": "",
        "unlike": "",
        "p_cat": "0.25",
        "p_dog": "0.75",
    }


def test_an_error_leaves_every_value_empty() -> None:
    text = io.StringIO()
    assert write_csv([Prediction(Path("a.png"), None, "cut\noff")], ("cat",), text) == 1
    assert text.getvalue() == 'path,predicted,score,error,unlike,p_cat\na.png,,,"cut\noff",,\n'


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a,b.png", "a,b.png"),
        ('a"\n.png', 'a"\n.png'),
        ("=1+1.png", "./=1+1.png"),
        ("@x/a.png", "./@x/a.png"),
        ("-a.png", "./-a.png"),
        (os.fsdecode(b"\xff.png"), "\\udcff.png"),
    ],
)
def test_a_path_comes_back_from_the_table_and_is_no_formula(path: str, shown: str) -> None:
    (row,) = rows([Prediction(Path(path), np.array([1.0]), "")], ("cat",))
    assert row["path"] == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("=cmd()", "'=cmd()"), ("-1", "-1"), ("+0.5", "+0.5"), ("-x", "'-x"), ("+", "+")],
)
def test_a_label_is_no_formula_but_may_be_a_number(name: str, shown: str) -> None:
    (row,) = rows([Prediction(Path("a"), np.array([1.0]), "")], (name,))
    assert row["predicted"] == shown
    assert f"p_{shown}" in row
