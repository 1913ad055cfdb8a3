import json
from pathlib import Path

import pytest

from ae_cls import runner
from ae_cls.cli.sweep_record import Planned, Record, keep_record, table_at_the_end
from ae_cls.errors import DataError, StorageError
from ae_cls.experiment import Described
from ae_cls.store.files import write_json
from ae_cls.store.run_folder import run_folder
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import experiment

pytestmark = with_hydra


def carry_out(described: Described) -> runner.Result:
    """A run of no time; seeds say how it ends."""
    with run_folder(described.outputs, described.folder, ()) as folder:
        match described.seed:
            case 1:
                raise DataError("no luck with seed 1")
            case 2:
                raise ZeroDivisionError("a bug")
            case 3:
                raise KeyboardInterrupt
            case 4:
                raise StorageError("the disk is full")
        metrics = {"test": {"accuracy": 0.5, "accuracy_ci95": [0.4, 0.6]}}
        write_json(folder / "metrics.json", metrics)
    return runner.Result(folder, metrics, {})


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Described]:
    """What the runner was given; it does next to nothing."""
    found: list[Described] = []

    def run(described: Described) -> runner.Result:
        found.append(described)
        return carry_out(described)

    monkeypatch.setitem(runner.COMMANDS, "run", run)
    return found


def sweep_folder(place: Path) -> Path:
    (folder,) = (place / "outputs" / "run").iterdir()
    return folder


def jobs(place: Path) -> list[dict]:
    return json.loads((sweep_folder(place) / "sweep.json").read_text())["jobs"]


def test_a_failing_job_takes_no_other_with_it(
    ae_cls: AeCls, started: list[Described], tmp_path: Path
) -> None:
    outcome = ae_cls("run", "-m", "head=linear,knn", "seed=0,1")
    assert outcome.code == 8
    assert [given.seed for given in started] == [0, 1, 0, 1]
    told = [(job["words"], job["state"], job["code"], job["reason"]) for job in jobs(tmp_path)]
    assert told == [
        (["head=linear", "seed=0"], "finished", 0, ""),
        (["head=linear", "seed=1"], "failed", 3, "no luck with seed 1"),
        (["head=knn", "seed=0"], "finished", 0, ""),
        (["head=knn", "seed=1"], "failed", 3, "no luck with seed 1"),
    ]
    assert "head=knn seed=0" in outcome.out and "no luck with seed 1" in outcome.out
    names = [Path(job["folder"]).name for job in jobs(tmp_path)]
    assert [name.rpartition("-")[0] for name in names] == [
        "head-linear_seed-0", "head-linear_seed-1", "head-knn_seed-0", "head-knn_seed-1",
    ]  # fmt: skip
    left = {path.name for path in sweep_folder(tmp_path).iterdir()}
    assert left == {*names, "sweep.json", "jobs"}


def test_the_same_words_do_only_what_is_missing(
    ae_cls: AeCls, started: list[Described], tmp_path: Path
) -> None:
    ae_cls("run", "-m", "head=knn", "seed=0,1")
    started.clear()
    outcome = ae_cls("run", "seed=0,1", "head=knn", "-m")
    assert outcome.code == 8
    assert [given.seed for given in started] == [1]
    assert [job["state"] for job in jobs(tmp_path)] == ["skipped", "failed"]
    # What the failed attempt left is neither used nor in the way.
    assert jobs(tmp_path)[1]["folder"].endswith(f"{jobs(tmp_path)[1]['name']}-2")
    assert "50.0" in outcome.out  # of the job that was finished before


def test_a_jobs_name_does_not_depend_on_the_order_of_words() -> None:
    from ae_cls.cli.sweep import name_of  # here, where the warning of its import is let pass

    given = experiment()
    assert name_of(("seed=1", "head=svm"), given) == name_of(("head=svm", "seed=1"), given)
    assert name_of(("seed=1",), given) != name_of(("seed=1",), experiment("labels.draw=1"))
    assert name_of(("seed=1",), given) == name_of(("seed=1",), experiment("folder=other"))


def test_a_jobs_name_is_safe_on_any_file_system() -> None:
    from ae_cls.cli.sweep import name_of

    assert name_of(("key=ä/b c:*",), experiment()).rpartition("-")[0] == "key-b-c"
    assert len(name_of(("key=" + "x" * 500,), experiment())) < 140


def test_a_changed_value_is_not_taken_for_the_finished_job(
    ae_cls: AeCls, started: list[Described], tmp_path: Path
) -> None:
    (tmp_path / "own" / "pretrain").mkdir(parents=True)
    option = tmp_path / "own" / "pretrain" / "mine.yaml"
    option.write_text("defaults: [quick]\nepochs: 1\n")
    words = ("run", "-m", "--config-dir", "own", "pretrain=mine")
    assert ae_cls(*words).code == 0
    option.write_text("defaults: [quick]\nepochs: 2\n")
    assert ae_cls(*words).code == 0
    assert len(started) == 2


def test_a_wrong_value_in_one_job_starts_none(
    ae_cls: AeCls, started: list[Described], tmp_path: Path
) -> None:
    outcome = ae_cls("run", "-m", "head=linear,knn", "seed=0,-1")
    assert outcome.code == 2
    assert "mistakes in 2 of 4 jobs" in outcome.err
    assert "seed=-1" in outcome.err and "in head=linear seed=-1; head=knn seed=-1" in outcome.err
    assert not started
    assert not list(tmp_path.iterdir())


def test_a_bug_leaves_its_traceback_and_lets_the_others_run(
    ae_cls: AeCls, started: list[Described], tmp_path: Path
) -> None:
    outcome = ae_cls("run", "-m", "seed=2,0")
    assert outcome.code == 8
    assert "Traceback" not in outcome.err
    assert [job["state"] for job in jobs(tmp_path)] == ["failed", "finished"]
    log = sweep_folder(tmp_path) / "jobs" / f"{jobs(tmp_path)[0]['name']}.log"
    assert str(log.relative_to(tmp_path)) in outcome.err
    assert "ZeroDivisionError: a bug" in log.read_text()


@pytest.mark.parametrize(("seed", "code", "state"), [(3, 130, "stopped"), (4, 6, "failed")])
def test_an_interrupt_and_a_full_disk_end_the_sweep_with_its_table(
    ae_cls: AeCls, started: list[Described], tmp_path: Path, seed: int, code: int, state: str
) -> None:
    outcome = ae_cls("run", "-m", f"seed=0,{seed},5")
    assert outcome.code == code
    assert [job["state"] for job in jobs(tmp_path)] == ["finished", state, "waiting"]
    assert "seed=5" in outcome.out


def test_a_job_that_wrote_no_record_has_died_or_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = [Planned(("seed=0",), "seed-0-ab"), Planned(("seed=1",), "seed-1-cd")]
    (tmp_path / "seed-0-ab").mkdir()
    (tmp_path / "jobs").mkdir()  # with what an earlier call wrote down
    keep_record(tmp_path, "seed-1-cd", Record("finished"), tmp_path / "seed-1-cd", 1.0)
    with table_at_the_end(tmp_path, "run", plan) as records:
        pass
    assert [record.state for record in records] == ["died", "waiting"]
    assert "died" in capsys.readouterr().out


def test_awkward_values_make_harmless_names(
    ae_cls: AeCls, started: list[Described], tmp_path: Path
) -> None:
    place = "a, b'c/ä"
    quoted = '"' + place + '"'
    assert ae_cls("run", "-m", f"outputs={quoted}", "autoencoder.widths=[8],[4,8]").code == 0
    (folder,) = (tmp_path / place / "run").iterdir()
    names = {
        path.name.rpartition("-")[0]
        for path in folder.iterdir()
        if (path / "metrics.json").is_file()
    }
    assert names == {"autoencoder.widths-8", "autoencoder.widths-4,8"}
