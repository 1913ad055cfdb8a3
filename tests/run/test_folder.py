"""A run folder tells the truth about its run."""

import json
import logging
from pathlib import Path

import pytest

from ae_cls.errors import BusyError, StorageError, TrainingError
from ae_cls.experiment.descriptions import Experiment
from ae_cls.run.folder import read_status, run_folder
from ae_cls.store.files import sha256
from ae_cls.store.ours import temporary_name
from tests.composed import experiment

FACTS = {"command": "run"}


def told(outputs: Path, head: str = "linear", folder: str | None = None, **changes) -> Experiment:
    """A run that leaves its folder there."""
    where = {"outputs": str(outputs), "folder": folder, **changes}
    return experiment(f"head={head}").model_copy(update=where)


def test_a_run_that_ends_is_finished(tmp_path):
    with run_folder(told(tmp_path, head="svm"), FACTS) as begun:
        folder = begun.path
        assert read_status(folder)["state"] == "running"
        assert folder.parent == tmp_path / "run" / "digits-conv-svm"
    begun_with = sha256((folder / "config.json").read_bytes())
    assert read_status(folder) == {"state": "finished", **FACTS, "config_sha256": [begun_with]}


@pytest.mark.parametrize(
    ("error", "state", "code", "reason"),
    [
        (TrainingError("no loss", where="epoch 1"), "failed", 4, "no loss"),
        (KeyboardInterrupt(), "interrupted", 130, "interrupted"),
        (SystemExit(143), "interrupted", 143, "terminated"),
        (ZeroDivisionError("oh"), "failed", 1, "ZeroDivisionError: oh"),
    ],
)
def test_a_run_that_fails_says_why_and_keeps_the_traceback(tmp_path, error, state, code, reason):
    folder = tmp_path / "mine"
    mine = told(tmp_path, folder=str(folder))
    with pytest.raises(type(error)), run_folder(mine, FACTS):
        raise error
    status = read_status(folder)
    assert (status["state"], status["code"], status["reason"]) == (state, code, reason)
    assert "Traceback" in (folder / "run.log").read_text()
    assert str(folder) in error.__notes__
    assert "test_folder.py" in (folder / "run.log").read_text()


def test_log_lines_go_to_the_folder_of_their_run_alone(tmp_path):
    with run_folder(told(tmp_path), FACTS) as one:
        first = one.path
        logging.getLogger("ae_cls.anything").info("in the first")
    with run_folder(told(tmp_path), FACTS) as two:
        second = two.path
        logging.getLogger("ae_cls.anything").info("in the second")
    assert first != second
    assert "in the first" in (first / "run.log").read_text()
    assert "in the second" not in (first / "run.log").read_text()


def test_a_folder_that_is_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep me")
    mine = told(tmp_path, folder=str(tmp_path / "mine"))
    with pytest.raises(BusyError) as refused, run_folder(mine, FACTS):
        pass
    assert refused.value.code == 7
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note.txt"]


def test_a_folder_named_by_the_user_may_exist_when_it_is_empty(tmp_path):
    (tmp_path / "mine").mkdir()
    with run_folder(told(tmp_path, folder=str(tmp_path / "mine")), FACTS) as begun:
        assert begun.path == tmp_path / "mine"


def test_what_a_kill_left_half_written_is_in_nobodys_way(tmp_path):
    own = told(tmp_path, folder=str(tmp_path / "x"))
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / temporary_name()).write_text("{")
    with run_folder(own, {"command": "run"}) as folder:
        assert not list(folder.path.glob(".*.tmp"))
    assert read_status(tmp_path / "x")["state"] == "finished"


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as refused, run_folder(told(tmp_path / "file"), FACTS):
        pass
    assert refused.value.code == 6


def test_status_is_json_a_script_can_read(tmp_path):
    with run_folder(told(tmp_path), FACTS) as begun:
        folder = begun.path
        pass
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"
