"""Runs that earlier versions left are read: `formats/N` holds one of each format that there was."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ae_cls.compare.runs import read_finished
from ae_cls.compute import start
from ae_cls.dataset.rows import ImageRows
from ae_cls.errors import ModelFileError
from ae_cls.experiment.descriptions import Experiment
from ae_cls.run.folder import read_status
from ae_cls.run.resume import resume
from ae_cls.saved.data import data_of
from ae_cls.saved.encoder_run import read_encoder_run
from ae_cls.saved.model import load_classifier, load_likeness, read_experiment
from ae_cls.store.files import write_json
from ae_cls.store.manifest import FORMAT, OLDEST, check_files

FORMATS = Path(__file__).parent / "formats"
EACH = [str(number) for number in range(OLDEST, FORMAT + 1)]


@pytest.fixture(params=EACH)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A finished run of a format."""
    return Path(shutil.copytree(FORMATS / request.param, tmp_path / "run"))


def test_there_is_a_run_of_each_format_that_is_read() -> None:
    assert sorted(path.name for path in FORMATS.iterdir()) == EACH
    written = json.loads((FORMATS / EACH[-1] / "model" / "manifest.json").read_text())
    assert written["format"] == FORMAT


def test_it_says_of_test_images_what_it_said_then(run: Path) -> None:
    description = read_experiment(run)
    assert isinstance(description, Experiment)
    dataset, split = data_of(run, description)
    classifier = load_classifier(run, start("cpu", "fp32", 1))
    assert load_likeness(run) is not None
    chances = classifier.predict_proba(ImageRows(dataset.images, split.test))
    with (run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    then = [[float(row[f"p_{name}"]) for name in dataset.class_names] for row in rows]
    assert np.allclose(chances, then, atol=1e-5)


def test_its_encoder_can_be_taken_over_and_it_can_be_compared(run: Path) -> None:
    assert read_encoder_run(run).image_shape == (1, 8, 8)
    assert (
        read_finished(run).accuracy
        == json.loads((run / "metrics.json").read_text())["test"]["accuracy"]
    )
    assert check_files(run / "model")


def test_what_an_earlier_version_did_is_filled_in() -> None:
    description = read_experiment(FORMATS / "2")
    assert isinstance(description, Experiment)
    assert description.labels.choose == "validation" and description.figures
    assert (description.split.folds, description.split.fold) == (None, 0)
    # One epoch of 20 steps, where today's word counts those of all epochs.
    assert description.pretrain.model_dump()["min_steps"] == 20


def test_a_run_that_an_earlier_version_began_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Path(shutil.copytree(FORMATS / "2", tmp_path / "run"))
    shutil.rmtree(run / "model")
    (run / "metrics.json").unlink()
    write_json(run / "status.json", {"state": "interrupted", "code": 130, "command": "run"})
    result = resume(run, {})
    assert result is not None and result.folder.samefile(run)
    assert read_status(run)["state"] == "finished"
    assert json.loads((run / "config.json").read_text())["labels"]["choose"] == "validation"
    assert load_classifier(run, start("cpu", "fp32", 1))


@pytest.mark.parametrize("name", ["status.json", "model/manifest.json"])
def test_a_newer_format_is_refused_with_both_versions(tmp_path: Path, name: str) -> None:
    run = Path(shutil.copytree(FORMATS / EACH[-1], tmp_path / "run"))
    newer = json.loads((run / name).read_text()) | {"format": FORMAT + 1, "of_tomorrow": [1]}
    write_json(run / name, newer)
    with pytest.raises(ModelFileError) as refused:
        read_status(run) if name == "status.json" else read_experiment(run)
    assert f"format {FORMAT + 1}" in refused.value.what and f"to {FORMAT}" in refused.value.what
    assert "install" in refused.value.fix


def test_todays_descriptions_are_not_filled_in(tmp_path: Path) -> None:
    run = Path(shutil.copytree(FORMATS / EACH[-1], tmp_path / "run"))
    plain = json.loads((run / "config.json").read_text())
    del plain["labels"]["choose"]
    write_json(run / "config.json", plain)
    with pytest.raises(ModelFileError, match="another version"):
        resume(run, {})
