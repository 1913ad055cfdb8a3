"""Going on with a stopped run: in its folder, with the same bytes; or with what may differ."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ae_cls.errors import BusyError, UsageError
from ae_cls.run import run as runner
from ae_cls.run.data import prepare
from ae_cls.run.files import write_split
from ae_cls.run.folder import read_status, run_folder
from ae_cls.run.resume import resume
from ae_cls.run.stopped import stopped_run
from ae_cls.train.state import State
from tests.composed import described

RUN = (
    "figures=false", "threads=1", "device=cpu", "precision=fp32", "pretrain.epochs=2",
    "pretrain.min_steps=6", "autoencoder.widths=[8,16]", "autoencoder.latent_dim=8", "head.C=[0.1]",
)  # fmt: skip
FINETUNE = (*RUN[:-1], "head=finetune", "head.epochs=2", "head.min_steps=6")
COMPARED = ("metrics.json", "history.jsonl", "predictions.csv", "model/model.safetensors")


def told(folder: Path, *words: str, command: str = "run"):
    found = described(command, *words)
    return found.model_copy(update={"folder": str(folder), "outputs": str(folder.parent)})


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in COMPARED]


def stop_after(monkeypatch, epochs: int) -> None:
    """Ctrl-C when so many epochs have ended, of whichever training."""
    end, left = State.end_epoch, [epochs]

    def counted(self, record, score):
        end(self, record, score)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(State, "end_epoch", counted)


def interrupted(tmp_path, monkeypatch, epochs: int, *words: str) -> Path:
    with monkeypatch.context() as patch:
        stop_after(patch, epochs)
        with pytest.raises(KeyboardInterrupt):
            runner.run(told(tmp_path / "stopped", *words))
    assert read_status(tmp_path / "stopped")["state"] == "interrupted"
    assert read_status(tmp_path / "stopped")["code"] == 130
    return tmp_path / "stopped"


@pytest.mark.parametrize(("store", "epochs", "words"), [("own", 1, RUN), ("shared", 3, FINETUNE)])
def test_a_stopped_run_goes_on_in_its_folder_with_the_same_bytes(
    tmp_path, monkeypatch, store, epochs, words
):
    straight = runner.run(told(tmp_path / "straight", *words, "store=own")).folder
    folder = interrupted(tmp_path, monkeypatch, epochs, *words, f"store={store}")
    assert not (folder / "metrics.json").exists()
    assert resume(folder, {}).folder == folder
    assert contents(folder) == contents(straight)
    assert read_status(folder)["state"] == "finished"
    assert not (folder / "stages").exists()


def test_the_same_words_go_on_too(tmp_path, monkeypatch, caplog):
    folder = interrupted(tmp_path, monkeypatch, 1, *RUN)
    runner.run(told(folder, *RUN))
    assert "continues after step" in caplog.text
    assert read_status(folder)["state"] == "finished"


def test_only_the_same_run_on_the_same_data_goes_on_in_the_folder_of_a_stopped_one(tmp_path):
    given = described("run", *RUN).model_copy(update={"outputs": str(tmp_path)})
    facts, data = {"command": "run"}, prepare(given)
    with pytest.raises(KeyboardInterrupt), run_folder(given, facts) as begun:
        write_split(begun.path, data.dataset, data.split, None)
        raise KeyboardInterrupt
    other = given.model_copy(update={"seed": 1})
    changed = replace(data, dataset=replace(data.dataset, labels=data.dataset.labels.flip(0)))
    assert stopped_run(given, facts, data) == begun.path
    assert stopped_run(other, facts, data) is None
    assert stopped_run(given, {"command": "classify", "encoder": "e"}, data) is None
    assert stopped_run(given, facts, changed) is None
    with run_folder(given.model_copy(update={"folder": str(begun.path)}), facts):
        assert stopped_run(given, facts, data) is None  # it is under way
    assert stopped_run(given, facts, data) is None  # it has finished


def test_another_config_in_the_folder_of_an_unfinished_run_is_refused_with_a_table(
    tmp_path, monkeypatch
):
    folder = interrupted(tmp_path, monkeypatch, 1, *RUN)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UsageError) as refused:
        runner.run(told(folder, *RUN, "autoencoder.latent_dim=9", "seed=1"))
    assert "autoencoder.latent_dim: was 8, is now 9" in refused.value.where
    assert "seed: was 0, is now 1" in refused.value.where
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_finished_run_is_not_written_over(tmp_path):
    folder = runner.run(told(tmp_path / "done", *RUN)).folder
    before = contents(folder)
    with pytest.raises(BusyError):
        runner.run(told(folder, *RUN))
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pretrain.lr": 0.5}, "pretrain.lr: was 0.002, is now 0.5"),
        ({"autoencoder.latent_dim": 4}, "autoencoder.latent_dim: was 8, is now 4"),
        ({"pretrain.epochs": 1}, "pretrain.epochs: was 2, is now 1"),
    ],
)
def test_what_matters_must_not_differ(tmp_path, monkeypatch, changes, said):
    folder = interrupted(tmp_path, monkeypatch, 1, *RUN)
    with pytest.raises(UsageError) as refused:
        resume(folder, changes)
    assert said in refused.value.where


def test_an_unknown_key_is_told_with_those_that_may_differ(tmp_path, monkeypatch):
    folder = interrupted(tmp_path, monkeypatch, 1, *RUN)
    with pytest.raises(UsageError, match="no such key") as refused:
        resume(folder, {"pretrain.epoch": 4})
    assert "pretrain.epochs" in refused.value.fix


def test_more_epochs_that_would_train_no_longer_are_refused(tmp_path, monkeypatch):
    words = (*RUN, "pretrain.epochs=1", "pretrain.min_steps=60")
    folder = interrupted(tmp_path, monkeypatch, 1, *words)
    with pytest.raises(UsageError, match=r"pretrain\.epochs=4 would train no longer") as refused:
        resume(folder, {"pretrain.epochs": 4})
    assert refused.value.fix == "pretrain.min_steps=120"


@pytest.mark.parametrize("finished", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_more_epochs_go_on_in_a_new_folder_and_are_said(tmp_path, monkeypatch, caplog, finished):
    if finished:
        folder = runner.run(told(tmp_path / "stopped", *RUN)).folder
    else:
        folder = interrupted(tmp_path, monkeypatch, 1, *RUN)
    before = (folder / "status.json").read_bytes()
    result = resume(folder, {"pretrain.epochs": 4})
    assert "pretrain.epochs: was 2, is now 4" in caplog.text
    assert result.folder != folder
    assert (folder / "status.json").read_bytes() == before
    lines = (result.folder / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]
    # Not the result of four epochs from the start: it must never be taken for that.
    assert "pretrain" in result.metrics["protocol"]["continued_from"]
    fresh = runner.run(told(tmp_path / "fresh", *RUN, "pretrain.epochs=4"))
    assert "continued_from" not in fresh.metrics["protocol"]
    assert fresh.metrics["encoder"] != result.metrics["encoder"]


def test_a_classification_goes_on_with_its_encoder(tmp_path, monkeypatch):
    first = runner.pretrain(told(tmp_path / "first", *RUN[:-1], command="pretrain"))
    words = (f"encoder={first.folder}", "head=finetune", "head.epochs=2", "head.min_steps=6")
    more = ("threads=1", "device=cpu", "precision=fp32", "figures=false")
    straight = runner.classify(
        told(tmp_path / "straight", *words, *more, "store=own", command="classify")
    )
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            runner.classify(told(tmp_path / "stopped", *words, *more, command="classify"))
    assert contents(resume(tmp_path / "stopped", {}).folder) == contents(straight.folder)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no run to resume"):
        resume(tmp_path, {})
