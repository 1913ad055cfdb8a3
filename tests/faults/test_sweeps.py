"""Group S of the battery: jobs that fail, parents that are killed, how many jobs there may be."""

import gc
import json
import math
import signal
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ae_cls.jobs import process, slurm
from ae_cls.jobs.launch import MOST_JOBS, Local, SlurmHere
from ae_cls.jobs.record import Job, Record, SweepFolder
from ae_cls.jobs.results import Results
from ae_cls.jobs.signals import noted_signals
from ae_cls.jobs.work import Streak, Work
from tests.cli.conftest import AeCls
from tests.composed import options, plain
from tests.jobs.conftest import forked, forking, started
from tests.jobs.fake_runs import Started
from tests.jobs.test_processes import TRIVIAL, Shell, shell

__all__ = ["forking", "shell", "started"]

pytestmark = [
    forked,
    pytest.mark.filterwarnings("ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"),
]

TRIVIAL_RUN = ("run", "-m", *TRIVIAL)


def table(place: Path) -> list[dict]:
    (sweep,) = place.glob("outputs/run/sweep-*")
    return json.loads((sweep / "sweep.json").read_text())["jobs"]


@pytest.mark.parametrize("case", ["S01"])
def test_one_job_that_fails_ends_no_other(case, ae_cls: AeCls, started: Started, tmp_path: Path):
    ended = ae_cls(*TRIVIAL_RUN, "seed=20,1,21")
    assert ended.code == 8
    assert [job["state"] for job in table(tmp_path)] == ["finished", "failed", "finished"]
    assert table(tmp_path)[1]["reason"] == "no luck with seed 1"


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(11, id="S02-abort"), pytest.param(12, id="S02-segmentation-fault"),
        pytest.param(13, id="S02-exit-0-without-results"), pytest.param(14, id="S02-killed"),
    ],
)  # fmt: skip
def test_a_job_whose_process_dies_counts_as_failed(
    seed: int, ae_cls: AeCls, started: Started, tmp_path: Path
):
    assert ae_cls(*TRIVIAL_RUN, f"seed=20,{seed},21").code == 8
    assert [job["state"] for job in table(tmp_path)] == ["finished", "died", "finished"]


@pytest.mark.parametrize(
    ("words", "begun"),
    [
        pytest.param(["launch.fail_fast=3"], [1, 2, 14], id="S07-three"),
        pytest.param(["launch.fail_fast=1"], [1], id="S07-one"),
        pytest.param([], [1, 2, 14, 20, 21], id="S07-never"),
    ],
)
def test_so_many_failed_jobs_in_a_row_end_a_sweep(
    words, begun, ae_cls: AeCls, started: Started, tmp_path: Path
):
    ended = ae_cls(*TRIVIAL_RUN, *words, "seed=1,2,14,20,21")
    assert ended.code == 8
    assert started.seeds() == begun
    said = f"the last {len(begun)} jobs failed (launch.fail_fast={len(begun)})" in ended.err
    assert said == bool(words)
    states = [job["state"] for job in table(tmp_path)]
    assert states.count("waiting") == 5 - len(begun)


@pytest.mark.parametrize("case", ["S07-not-in-a-row"])
def test_a_job_that_finishes_begins_the_count_again(
    case, ae_cls: AeCls, started: Started, tmp_path: Path
):
    assert ae_cls(*TRIVIAL_RUN, "launch.fail_fast=2", "seed=1,20,2,21,1").code == 8
    assert started.seeds() == [1, 20, 2, 21]  # the second seed=1 is the first


@pytest.mark.parametrize("case", ["S07-lot"])
def test_jobs_that_share_a_process_give_up_together(case, started: Started, tmp_path: Path):
    jobs = [
        Job((f"seed={seed}",), f"{place}-{seed}", plain={**plain("run"), "seed": seed}, lot="a")
        for place, seed in enumerate((20, 1, 2, 21, 22))
    ]
    folder = SweepFolder(tmp_path / "run" / "sweep")
    folder.begin("run", jobs)
    with noted_signals() as signals:
        work = Work("run", jobs, folder, signals, len(jobs), quiet=True)
        Local(name="local", jobs=1, fail_fast=2).carry_out(work)
    states = [folder.record(job.name).state for job in jobs]
    assert states == ["finished", "failed", "failed", "waiting", "waiting"]
    assert started.seeds() == [20, 1, 2]


class Handle:
    """A job as submitit hands it out, which is over at some look, or once it is called off."""

    def __init__(self, looks: float, end: Callable[[], None] = lambda: None) -> None:
        self.looks, self.end, self.called_off = looks, end, False
        self.paths = SimpleNamespace(stderr="task.err")

    def done(self) -> bool:
        self.looks -= 1
        if self.looks == 0:
            self.end()
        return self.looks <= 0

    def cancel(self, check: bool) -> None:
        self.called_off, self.looks = True, 0


@pytest.mark.parametrize("case", ["S07-cluster"])
def test_submitted_jobs_that_have_not_begun_are_called_off(
    case, tmp_path: Path, monkeypatch, caplog
):
    pytest.importorskip("submitit", reason="the extra slurm is missing")
    jobs = [Job((f"seed={n}",), f"s-{n}", plain={**plain("run"), "seed": n}) for n in range(5)]
    folder = SweepFolder(tmp_path / "run" / "sweep")
    folder.begin("run", jobs)
    folder.keep("s-3", Record.begun(tmp_path))

    def fails(name: str) -> Callable[[], None]:
        return lambda: folder.keep(name, Record("failed", code=3, reason="no luck"))

    handles = [
        Handle(1, fails("s-0")), Handle(1, fails("s-1")), Handle(1), Handle(9, fails("s-3")),
        Handle(math.inf),
    ]  # fmt: skip
    submitted = SimpleNamespace(submit_array=lambda tasks: handles)
    monkeypatch.setattr(SlurmHere, "_executor", lambda self, place: submitted)
    monkeypatch.setattr(slurm, "_LOOK", 0.0)
    here = SlurmHere(
        name="slurm_here", timeout_min=1.0, signal_delay_s=1, max_num_timeout=0, fail_fast=3
    )
    with noted_signals() as signals:
        here.carry_out(Work("run", jobs, folder, signals, 5))
    states = [folder.record(job.name).state for job in jobs]
    assert states == ["failed", "failed", "died", "failed", "waiting"]
    assert [handle.called_off for handle in handles] == [False, False, False, False, True]
    assert caplog.text.count("launch.fail_fast=3") == 1


def test_a_streak_counts_what_failed_and_not_what_was_stopped():
    streak = Streak(2)
    for state, length in [("failed", 1), ("stopped", 1), ("died", 2), ("skipped", 0)]:
        streak.note(Record(state))
        assert (streak.length, streak.is_enough) == (length, length == 2)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        pytest.param(["seed=range(0,1000000000)"], 10**9, id="S-range"),
        pytest.param(["seed=range(0,100)", "labels.draw=range(0,21)"], 2100, id="S-product"),
        pytest.param(["seed=1,2,3", "launch.max_jobs=2"], 3, id="S-typed"),
        pytest.param(["head=glob(*)", "launch.max_jobs=5"], len(options("head")), id="S-glob"),
    ],
)
def test_more_jobs_than_may_be_are_refused_before_any_is_composed(
    words, count, ae_cls: AeCls, monkeypatch
):
    from ae_cls.words import compose

    def composed(*_: object) -> dict:
        raise AssertionError("a job was composed")

    monkeypatch.setattr(compose, "_merged", composed)
    begun = time.monotonic()
    ended = ae_cls("run", "-m", *words)
    assert ended.code == 2 and time.monotonic() - begun < 10
    assert f"error[2] {count:,} jobs are more than " in ended.err
    assert f"launch.max_jobs={count}" in ended.err


@pytest.mark.parametrize("kind", [Local, SlurmHere])
def test_an_option_of_a_users_own_from_before_needs_neither_key(kind):
    own = {"timeout_min": 1.0, "signal_delay_s": 1, "max_num_timeout": 0}
    plain = {"jobs": 1} if kind is Local else own
    launch = kind(name="local" if kind is Local else "slurm_here", **plain)
    assert (launch.max_jobs, launch.fail_fast) == (MOST_JOBS, None)


def test_a_key_of_launch_that_a_single_run_cannot_follow_is_named(ae_cls: AeCls):
    ended = ae_cls("run", "launch.fail_fast=3")
    assert ended.code == 2
    assert "launch.fail_fast=3 has no effect on a single run" in ended.err


@pytest.mark.parametrize("case", ["S-signal-while-the-server-starts"])
def test_a_signal_while_the_server_starts_is_not_lost(case):
    # A shell lets what it starts in the background ignore Ctrl-C, and so these tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), process._blocked():
        signal.raise_signal(signal.SIGINT)
    assert not signal.sigpending()


@pytest.mark.parametrize("case", ["S-flat"])
def test_the_memory_of_the_parent_does_not_grow_with_the_number_of_jobs(
    case, started: Started, tmp_path: Path
):
    jobs = [
        Job((f"seed={seed}",), f"s-{seed}", plain={**plain("run"), "seed": seed})
        for seed in range(20, 52)
    ]
    folder, held = SweepFolder(tmp_path / "run" / "sweep"), list[int]()
    folder.begin("run", jobs)
    with noted_signals() as signals:
        work = Work("run", [], folder, signals, 2, Results(folder.path, jobs), quiet=True)
        for some in (jobs[:8], jobs[8:16], jobs[16:]):
            tracemalloc.start()
            Local(name="local", jobs=2).carry_out(replace(work, jobs=some))
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.stop()
    assert held[2] - held[1] < 8 * 20_000, held  # bytes, of eight jobs more
    assert all(folder.record(job.name).is_done for job in jobs)


def processes_of(place: Path) -> list[int]:
    """Those that live in or for a folder, by their environment."""
    mark = f"AE_CLS_TEST_PLACE={place}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.5, 1.5, 3.0, 5.0, 8.0, 12.0], ids=lambda s: f"S03-{s}")
def test_nothing_is_left_behind_where_the_parent_is_killed(
    after: float, shell: Shell, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("AE_CLS_TEST_PLACE", str(tmp_path))
    sweep = shell.start(*TRIVIAL_RUN, "launch.jobs=2", "seed=range(0,40)")
    time.sleep(after)
    sweep.kill()
    sweep.wait()
    deadline = time.monotonic() + 15
    while (left := processes_of(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left
