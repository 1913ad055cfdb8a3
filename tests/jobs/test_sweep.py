import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ae_cls.experiment.common import CommonKeys
from ae_cls.jobs import commands
from ae_cls.jobs.carry_out import table_at_the_end
from ae_cls.jobs.plan import digest_of, name_of
from ae_cls.jobs.record import Job, Record, SweepFolder
from ae_cls.run import run as runner
from ae_cls.store.lock import Owner, this_process
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import CONFIGS, experiment
from tests.jobs.conftest import forked
from tests.jobs.fake_runs import Started, carry_out

pytestmark = [with_hydra, forked]


def sweep_folder(place: Path) -> Path:
    (folder,) = (place / "outputs" / "run").iterdir()
    return folder


def jobs(place: Path) -> list[dict]:
    return json.loads((sweep_folder(place) / "sweep.json").read_text())["jobs"]


def test_a_failing_job_takes_no_other_with_it(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    outcome = ae_cls("run", "-m", "head=linear,knn", "seed=0,1")
    assert outcome.code == 8
    assert started.seeds() == [0, 1, 0, 1]
    told = [(job["words"], job["state"], job["code"], job["reason"]) for job in jobs(tmp_path)]
    assert told == [
        (["head=linear", "seed=0"], "finished", 0, ""),
        (["head=linear", "seed=1"], "failed", 3, "no luck with seed 1"),
        (["head=knn", "seed=0"], "finished", 0, ""),
        (["head=knn", "seed=1"], "failed", 3, "no luck with seed 1"),
    ]
    assert ["knn", "0", "finished"] in [line.split()[:3] for line in outcome.out.splitlines()]
    assert "no luck with seed 1" in outcome.out
    names = [Path(job["folder"]).name for job in jobs(tmp_path)]
    assert [name.rpartition("-")[0] for name in names] == [
        "head-linear_seed-0", "head-linear_seed-1", "head-knn_seed-0", "head-knn_seed-1",
    ]  # fmt: skip
    left = {path.name for path in sweep_folder(tmp_path).iterdir()}
    assert left == {
        *names, "sweep.json", "results.csv", "times.csv", "manifest.json", "jobs", ".claims",
    }  # fmt: skip


def results(place: Path) -> list[dict[str, str]]:
    with (sweep_folder(place) / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_results_are_a_table_and_the_same_bytes_again(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    words = ("run", "-m", "head=linear,knn", "autoencoder.widths=[8],[4,8]", "seed=0,6")
    assert ae_cls(*words).code == 0
    first, rows = (sweep_folder(tmp_path) / "results.csv").read_bytes(), results(tmp_path)
    assert [*rows[0]][:5] == [
        "head", "autoencoder.widths", "seed", "test_accuracy", "test_accuracy_low",
    ]  # fmt: skip
    assert [*rows[0]][-4:] == ["valid_ece", "reconstruction_mse", "state", "folder"]
    told = [(row["head"], row["autoencoder.widths"], row["seed"]) for row in rows]
    assert told[:4] == [
        ("linear", "[8]", "0"), ("linear", "[8]", "6"), ("linear", "[4,8]", "0"),
        ("linear", "[4,8]", "6"),
    ]  # fmt: skip
    assert len(rows) == 8
    for row in rows:
        metrics = json.loads((Path(row["folder"]) / "metrics.json").read_text())["test"]
        assert float(row["test_accuracy"]) == metrics["accuracy"]
        ends = float(row["test_accuracy_low"]), float(row["test_accuracy_high"])
        assert [*ends] == metrics["accuracy_ci95"]
        assert (row["valid_accuracy"], row["state"]) == ("", "finished")
    with (sweep_folder(tmp_path) / "times.csv").open(newline="") as file:
        times = {row["folder"]: row["seconds"] for row in csv.DictReader(file)}
    assert times == {row["folder"]: "1.75" for row in rows}
    assert ae_cls(*words).code == 0
    assert (sweep_folder(tmp_path) / "results.csv").read_bytes() == first


def test_results_grow_as_jobs_end_and_tell_of_those_that_failed(
    ae_cls: AeCls, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(described: CommonKeys) -> runner.Result:
        seen = results(tmp_path) if described.seed else []
        (tmp_path / f"seen{described.seed}").write_text(" ".join(row["seed"] for row in seen))
        return carry_out(described)

    monkeypatch.setitem(commands.COMMANDS, "run", look)
    assert ae_cls("run", "-m", "seed=0,1,6").code == 8
    assert (tmp_path / "seen1").read_text() == "0" and (tmp_path / "seen6").read_text() == "0 1"
    told = [(row["seed"], row["state"], row["test_accuracy"]) for row in results(tmp_path)]
    assert told == [("0", "finished", "0.5"), ("1", "failed", ""), ("6", "finished", "0.5")]


def test_the_table_ends_with_means_over_seeds_and_status_shows_both(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    swept = ae_cls("run", "-m", "head=linear,knn", "seed=0,6")
    for out in (swept.out, ae_cls("sweep-status", "latest").out):
        lines = [line.split() for line in out.splitlines()]
        assert lines[0][:5] == ["head", "seed", "state", "test", "%"]
        assert lines[1][:4] == ["linear", "0", "finished", "50.0"]
        assert ["linear", "2", "50.0", "0.0"] in lines and ["knn", "2", "50.0", "0.0"] in lines


def test_the_same_words_do_only_what_is_missing(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    ae_cls("run", "-m", "head=knn", "seed=0,1")
    started.seeds()
    outcome = ae_cls("run", "seed=0,1", "head=knn", "-m")
    assert outcome.code == 8
    assert started.seeds() == [1]
    assert [job["state"] for job in jobs(tmp_path)] == ["skipped", "failed"]
    assert (
        Path(jobs(tmp_path)[1]["folder"]).name == jobs(tmp_path)[1]["name"]
    )  # one job, one folder
    assert "50.0" in outcome.out  # of the job that was finished before


def test_a_jobs_name_does_not_depend_on_the_order_of_words() -> None:
    assert name_of(("seed=1", "head=svm"), "ab") == name_of(("head=svm", "seed=1"), "ab")
    assert name_of(("seed=1",), "ab") != name_of(("seed=1",), "cd")


def test_equal_jobs_have_one_hash_wherever_and_on_however_many_threads_they_run() -> None:
    for word in ("folder=other", "outputs=other", "threads=1", "store=own"):
        assert digest_of(experiment(word), "data") == digest_of(experiment(), "data")
    assert digest_of(experiment("labels.draw=1"), "data") != digest_of(experiment(), "data")
    assert digest_of(experiment(), "other data") != digest_of(experiment(), "data")


def test_a_jobs_name_is_safe_on_any_file_system() -> None:
    assert name_of(("key=ä/b c:*",), "ab").rpartition("-")[0] == "key-b-c"
    assert len(name_of(("key=" + "x" * 500,), "ab")) < 140


def test_a_changed_value_is_not_taken_for_the_finished_job(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    for epochs in (1, 2):
        group = tmp_path / f"own{epochs}" / "pretrain"
        group.mkdir(parents=True)
        (group / "mine.yaml").write_text(f"defaults: [quick]\nepochs: {epochs}\n")
        assert ae_cls("run", "-m", "--config-dir", f"own{epochs}", "pretrain=mine").code == 0
    assert len(started.seeds()) == 2
    assert len(list(sweep_folder(tmp_path).glob("run-*"))) == 2


def test_a_wrong_value_in_one_job_starts_none(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    outcome = ae_cls("run", "-m", "head=linear,knn", "seed=0,-1")
    assert outcome.code == 2
    assert "mistakes in 2 of 4 jobs" in outcome.err
    assert "seed=-1" in outcome.err and "in head=linear seed=-1; head=knn seed=-1" in outcome.err
    assert not started.seeds()
    assert not list(tmp_path.iterdir())


def test_a_bug_leaves_its_traceback_and_lets_the_others_run(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    outcome = ae_cls("run", "-m", "seed=2,0")
    assert outcome.code == 8
    assert "Traceback" not in outcome.err
    assert [job["state"] for job in jobs(tmp_path)] == ["failed", "finished"]
    log = sweep_folder(tmp_path) / "jobs" / f"{jobs(tmp_path)[0]['name']}.log"
    assert "ZeroDivisionError: a bug" in log.read_text()
    assert [path.suffix for path in log.parent.iterdir()].count(".log") == 1


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (11, "was killed by SIGABRT"),
        (12, "was killed by SIGSEGV"),
        (13, "ended with exit code 0 and without results"),
        (14, "was killed by SIGKILL (out of memory?)"),
    ],
)
def test_a_job_whose_process_dies_dies_alone(
    ae_cls: AeCls, started: Started, tmp_path: Path, seed: int, reason: str
) -> None:
    outcome = ae_cls("run", "-m", f"seed=0,{seed},6")
    assert outcome.code == 8
    told = [(job["state"], job["code"], job["reason"]) for job in jobs(tmp_path)]
    assert told == [("finished", 0, ""), ("died", 4, f"its process {reason}"), ("finished", 0, "")]
    assert f"seed={seed}: died: its process {reason}" in outcome.err
    log = sweep_folder(tmp_path) / "jobs" / f"{jobs(tmp_path)[1]['name']}.log"
    # Where it was is told by the system's signals, but not by an exit or a kill.
    assert ("carry_out" in (log.read_text() if log.exists() else "")) == (seed in {11, 12})


@pytest.mark.parametrize(
    ("seed", "code", "state", "reason"),
    [
        (3, 130, "stopped", "interrupted"),
        (5, 143, "stopped", "terminated"),
        (4, 6, "failed", "the disk is full"),
    ],
)
def test_a_signal_and_a_full_disk_end_the_sweep_with_its_table(
    ae_cls: AeCls, started: Started, tmp_path: Path, seed: int, code: int, state: str, reason: str
) -> None:
    begun = time.monotonic()
    outcome = ae_cls("run", "-m", f"seed=0,{seed},6")
    assert outcome.code == code
    assert [job["state"] for job in jobs(tmp_path)] == ["finished", state, "waiting"]
    assert (jobs(tmp_path)[1]["code"], jobs(tmp_path)[1]["reason"]) == (code, reason)
    if state == "stopped":
        folder = sweep_folder(tmp_path).relative_to(tmp_path)
        assert f"{reason}\n  saved  1 of 3 jobs have finished, in {folder}\n" in outcome.err
        assert f"  next   ae-cls run -m seed=0,{seed},6\n" in outcome.err
    assert ["6", "waiting"] in [line.split()[:2] for line in outcome.out.splitlines()]
    assert time.monotonic() - begun < 20  # and not the minute that the job would have slept
    assert not (sweep_folder(tmp_path) / ".stop").exists()
    assert ae_cls("run", "-m", "seed=0,6").code == 0


@pytest.mark.parametrize("seeds", ["0,1,6", "0,6,1"])
def test_jobs_side_by_side_go_as_those_in_turn(
    ae_cls: AeCls, started: Started, tmp_path: Path, seeds: str
) -> None:
    outcome = ae_cls("run", "-m", f"seed={seeds}", "launch.jobs=3")
    assert outcome.code == 8
    assert sorted(started.seeds()) == [0, 1, 6]
    states = {job["words"][0]: job["state"] for job in jobs(tmp_path)}
    assert states == {"seed=0": "finished", "seed=1": "failed", "seed=6": "finished"}
    assert "seed=1: failed: no luck with seed 1" in outcome.err


def stubborn(described: CommonKeys) -> runner.Result:
    """Ends the sweep, and does not end itself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(60)
    return carry_out(described)


def test_a_job_that_ignores_the_signal_is_killed(
    ae_cls: AeCls, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(commands.COMMANDS, "run", stubborn)
    monkeypatch.setattr("ae_cls.jobs.here.GRACE", 0.5)
    assert ae_cls("run", "-m", "seed=0,6").code == 143
    states = [(job["state"], job["reason"].partition(":")[0]) for job in jobs(tmp_path)]
    assert states == [("stopped", "killed"), ("waiting", "not started")]


def test_the_second_signal_ends_all_at_once(
    ae_cls: AeCls, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(described: CommonKeys) -> runner.Result:
        again = threading.Timer(0.5, os.kill, [os.getppid(), signal.SIGTERM])
        again.start()
        return stubborn(described)

    monkeypatch.setitem(commands.COMMANDS, "run", impatient)
    begun = time.monotonic()
    assert ae_cls("run", "-m", "seed=0,6").code == 143
    assert time.monotonic() - begun < 9  # and not the ten seconds that a job has to save
    assert jobs(tmp_path)[0]["reason"] == "killed: at the second signal"


def test_processes_that_a_job_has_started_end_when_it_is_killed(
    ae_cls: AeCls, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_helper(described: CommonKeys) -> runner.Result:
        helper = subprocess.Popen(["sleep", "60"])
        (tmp_path / "helper").write_text(str(helper.pid))
        return stubborn(described)

    monkeypatch.setitem(commands.COMMANDS, "run", with_helper)
    monkeypatch.setattr("ae_cls.jobs.here.GRACE", 0.2)
    assert ae_cls("run", "-m", "seed=0,6").code == 143
    state = Path(f"/proc/{(tmp_path / 'helper').read_text()}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_wait_that_is_broken_off_ends_the_job(
    ae_cls: AeCls, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As submitit does at the time limit of a cluster."""

    def long(described: CommonKeys) -> runner.Result:
        os.kill(os.getppid(), signal.SIGUSR2)
        time.sleep(60)
        return carry_out(described)

    def leave(number: int, frame: object) -> None:
        raise SystemExit(255)

    monkeypatch.setitem(commands.COMMANDS, "run", long)
    before = signal.signal(signal.SIGUSR2, leave)
    try:
        assert ae_cls("run", "-m", "seed=0,6").code == 255
    finally:
        signal.signal(signal.SIGUSR2, before)
    found = [(job["state"], job["code"]) for job in jobs(tmp_path)]
    assert found == [("stopped", 143), ("waiting", 0)]


def test_a_job_that_wrote_no_record_waits_and_one_that_wrote_no_end_has_died(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = [Job((f"seed={seed}",), f"seed-{seed}-ab") for seed in range(3)]
    folder = SweepFolder(tmp_path)
    (tmp_path / "jobs").mkdir()  # with what an earlier call wrote down
    folder.keep("seed-0-ab", Record("finished"))
    gone = Owner(this_process().process, this_process().host, started=1)  # another's number
    with table_at_the_end(folder, "run", plan) as records:
        begun = Record.begun(tmp_path / "seed-1-ab")
        folder.keep("seed-1-ab", replace(begun, owner=gone))
        folder.keep("seed-2-ab", Record.begun(tmp_path / "seed-2-ab"))
    assert [record.state for record in records] == ["waiting", "died", "running"]
    assert records[2].owner == this_process()
    assert "died" in capsys.readouterr().out


def test_a_job_begun_with_other_threads_is_ended_with_those(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    assert ae_cls("run", "-m", "seed=1,2", "threads=1").code == 8
    assert ae_cls("run", "-m", "seed=1,2", "threads=2").code == 8
    reasons = [job["reason"] for job in jobs(tmp_path)]
    assert reasons == ["no luck with seed 1", "ZeroDivisionError: a bug"]


def test_equal_jobs_are_done_once(ae_cls: AeCls, started: Started, tmp_path: Path) -> None:
    outcome = ae_cls("run", "-m", "seed=0,6,0", "threads=1,2")
    assert outcome.code == 0
    assert started.seeds() == [0, 6]
    assert [job["words"] for job in jobs(tmp_path)] == [
        ["seed=0", "threads=1"], ["seed=6", "threads=1"],
    ]  # fmt: skip
    assert "same as seed=0 threads=2, seed=0 threads=1" in " ".join(outcome.out.split())


def test_more_seeds_and_options_reuse_what_is_finished(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    assert ae_cls("run", "-m", "seed=20,21,22").code == 0
    first = sweep_folder(tmp_path)
    started.seeds()
    outcome = ae_cls("run", "-m", "head=linear,knn", "seed=20,21,22,23")
    assert outcome.code == 0
    assert started.seeds() == [23, 20, 21, 22, 23]
    (second,) = set((tmp_path / "outputs" / "run").iterdir()) - {first}
    told = json.loads((second / "sweep.json").read_text())["jobs"]
    assert [job["state"] for job in told] == ["skipped"] * 3 + ["finished"] * 5
    assert {str(Path(job["folder"]).parent.name) for job in told[:3]} == {first.name}
    assert outcome.out.count("finished before") == 6  # in the table, and where they are below it


def test_a_sweep_belongs_to_one_process(ae_cls: AeCls, started: Started, tmp_path: Path) -> None:
    assert ae_cls("run", "-m", "seed=0,6").code == 0
    with SweepFolder(sweep_folder(tmp_path)).owned():
        outcome = ae_cls("run", "-m", "seed=0,6")
    assert outcome.code == 7
    assert str(this_process()) in outcome.err
    assert ae_cls("run", "-m", "seed=0,6").code == 0


def test_a_plan_grows_and_is_always_whole(tmp_path: Path) -> None:
    one, two = Job(("seed=0",), "seed-0-ab"), Job(("seed=1",), "seed-1-cd")
    folder = SweepFolder(tmp_path)
    with table_at_the_end(folder, "run", [one]) as records:
        folder.add(two)
        assert folder.jobs() == [one, two]
        folder.keep(two.name, Record("finished"))
    assert [record.state for record in records] == ["waiting", "finished"]


def test_a_finished_job_that_is_damaged_is_set_aside_and_done_again(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    assert ae_cls("run", "-m", "seed=0,6").code == 0
    run = Path(jobs(tmp_path)[0]["folder"])
    (run / "metrics.json").write_text("{")
    outcome = ae_cls("run", "-m", "seed=0,6")
    assert outcome.code == 0
    assert [job["state"] for job in jobs(tmp_path)] == ["finished", "skipped"]
    assert f"{run}: metrics.json: it has 1 bytes" in outcome.err
    (aside,) = run.parent.glob(f".damaged-{run.name}-*")
    assert (aside / "metrics.json").read_text() == "{"
    assert ae_cls("run", "-m", "seed=0,6").code == 0
    assert [job["state"] for job in jobs(tmp_path)] == ["skipped", "skipped"]


def test_nothing_grows_with_the_number_of_jobs(
    ae_cls: AeCls, started: Started, tmp_path: Path
) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    assert ae_cls("run", "-m", "seed=20,21").code == 0
    before = open_files(), threading.active_count()
    assert ae_cls("run", "-m", "seed=30,31,32,33,34,35").code == 0
    # Fewer may be left: what an earlier test of this process began can end meanwhile.
    after = open_files(), threading.active_count()
    assert after[0] <= before[0] and after[1] <= before[1], (before, after)


def test_status_tells_of_every_job(ae_cls: AeCls, started: Started, tmp_path: Path) -> None:
    assert ae_cls("run", "-m", "seed=0,1,6").code == 8
    outcome = ae_cls("sweep-status")
    assert outcome.code == 8
    assert "2 finished, 1 failed" in outcome.out and "no luck with seed 1" in outcome.out
    assert str(sweep_folder(tmp_path).relative_to(tmp_path)) in outcome.out
    assert ae_cls("run", "-m", "seed=0,6,7").code == 0
    assert ae_cls("sweep-status").code == 0  # the newest
    assert ae_cls("sweep-status", "-2").code == 8
    assert ae_cls("sweep-status", "outputs").code == 2
    none = ae_cls("sweep-status", "--outputs", "elsewhere")
    assert none.code == 2 and "below elsewhere/run there is none" in none.err


def test_status_tells_how_far_a_running_job_is(ae_cls: AeCls, tmp_path: Path) -> None:
    path = tmp_path / "outputs" / "run" / "sweep-ab"
    folder, plan = SweepFolder(path), [Job((f"seed={seed}",), f"seed-{seed}-ab") for seed in (0, 1)]
    with folder.owned(), table_at_the_end(folder, "run", plan):
        run = folder.run(plan[0].name)
        folder.keep(plan[0].name, Record.begun(run))
        run.mkdir()
        lines = ["2026-01-01 12:00:00,000 INFO pretrain  epoch 3/10", "2026 DEBUG nothing"]
        (run / "run.log").write_text("\n".join(lines))
        outcome = ae_cls("sweep-status")
    assert outcome.code == 0
    rows = [line.split() for line in outcome.out.splitlines()]
    assert rows[1][:2] == ["0", "running"] and rows[1][-3:] == ["pretrain", "epoch", "3/10"]
    assert rows[2] == ["1", "waiting"]
    assert f"{this_process()} runs this sweep" in outcome.err


def test_status_needs_no_torch(tmp_path: Path) -> None:
    with table_at_the_end(SweepFolder(tmp_path), "run", [Job(("seed=0",), "seed-0-ab")]):
        pass
    script = f"""
import sys
from ae_cls.cli.main import dispatch
dispatch(["sweep-status", {str(tmp_path)!r}])
print({{"torch", "numpy", "hydra"}} & sys.modules.keys())
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.endswith("set()\n") and "not started" in found.stdout


def test_whoever_waits_for_jobs_imports_no_torch(tmp_path: Path) -> None:
    script = """
import sys
from ae_cls.cli.main import dispatch
words = ["autoencoder=pixels", "pretrain=none", "encode=latent", "head=knn", "figures=false"]
print(dispatch(["run", "-m", *words, "seed=0,1", "launch.jobs=2"]), "torch" in sys.modules)
"""
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(CONFIGS.parent)},
    )  # fmt: skip
    assert found.stdout.endswith("0 False\n"), found.stderr


def test_awkward_values_make_harmless_names(
    ae_cls: AeCls, started: Started, tmp_path: Path
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
