"""A run folder tells the truth about its run."""

import json
import logging

import pytest

from ae_cls.errors import BusyError, StorageError, TrainingError
from ae_cls.store.run_folder import read_status, run_folder


def test_a_run_that_ends_is_finished(tmp_path):
    with run_folder(str(tmp_path), None, ("digits", "conv", "svm")) as folder:
        assert read_status(folder)["state"] == "running"
        assert folder.parent == tmp_path / "run" / "digits-conv-svm"
    assert read_status(folder) == {"state": "finished"}


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (TrainingError("the loss is not finite", where="epoch 1"), 4, "the loss is not finite"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(143), 143, "terminated"),
        (ZeroDivisionError("oh"), 1, "ZeroDivisionError: oh"),
    ],
)
def test_a_run_that_fails_says_why_and_keeps_the_traceback(tmp_path, error, code, reason):
    with pytest.raises(type(error)), run_folder(str(tmp_path), None, ("a",)) as folder:
        raise error
    status = read_status(folder)
    assert (status["state"], status["code"], status["reason"]) == ("failed", code, reason)
    assert "Traceback" in (folder / "run.log").read_text()
    assert str(folder) in error.__notes__
    assert "test_run_folder.py" in (folder / "run.log").read_text()


def test_log_lines_go_to_the_folder_of_their_run_alone(tmp_path):
    with run_folder(str(tmp_path), None, ("a",)) as first:
        logging.getLogger("ae_cls.anything").info("in the first")
    with run_folder(str(tmp_path), None, ("a",)) as second:
        logging.getLogger("ae_cls.anything").info("in the second")
    assert first != second
    assert "in the first" in (first / "run.log").read_text()
    assert "in the second" not in (first / "run.log").read_text()


def test_a_folder_that_is_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep me")
    with pytest.raises(BusyError) as refused, run_folder("x", str(tmp_path / "mine"), ("a",)):
        pass
    assert refused.value.code == 7
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note.txt"]


def test_a_folder_named_by_the_user_may_exist_when_it_is_empty(tmp_path):
    (tmp_path / "mine").mkdir()
    with run_folder("x", str(tmp_path / "mine"), ("a",)) as folder:
        assert folder == tmp_path / "mine"


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as refused, run_folder(str(tmp_path / "file"), None, ("a",)):
        pass
    assert refused.value.code == 6


def test_status_is_json_a_script_can_read(tmp_path):
    with run_folder(str(tmp_path), None, ("a",)) as folder:
        pass
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"
