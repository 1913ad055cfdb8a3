import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ae_cls.cli.sweep_launch import launch
from ae_cls.cli.sweep_record import (
    Planned,
    Record,
    keep_death,
    keep_record,
    keep_start,
    record_of,
    table_at_the_end,
)
from ae_cls.errors import UsageError
from ae_cls.experiment.common import CommonKeys
from ae_cls.jobs import commands
from ae_cls.run import run as runner
from ae_cls.store.files import write_json
from tests.cli.conftest import AeCls, forked, with_hydra
from tests.cli.fake_runs import Started, carry_out

pytestmark = [with_hydra, forked]

PLAN = [Planned((f"seed={seed}",), f"seed-{seed}-ab") for seed in range(2)]


def begin(folder: Path, job: Planned) -> None:
    """As a process that died does."""
    keep_start(folder, job.name, folder / job.name)
    path = folder / "jobs" / f"{job.name}.json"
    told = json.loads(path.read_text())
    write_json(path, {**told, "owner": {**told["owner"], "started": 1}})


def finish(folder: Path, job: Planned) -> None:
    keep_record(folder, job.name, Record("finished"), folder / job.name, 1.0)


def launched(folder: Path, *calls: Callable[[], None]) -> list[str]:
    """The states after a launcher that does one thing a call."""
    rest = list(calls)
    with table_at_the_end(folder, "run", PLAN) as records:
        launch(lambda: rest.pop(0)(), folder)
    assert not rest
    return [record.state for record in records]


def broken(*work: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        for each in work:
            each()
        raise RuntimeError("a worker was killed\nby somebody")

    return call


def test_a_launcher_that_ends_early_is_asked_again_for_the_rest(tmp_path: Path) -> None:
    first = broken(lambda: finish(tmp_path, PLAN[0]))
    assert launched(tmp_path, first, lambda: finish(tmp_path, PLAN[1])) == ["finished"] * 2


def test_a_job_under_way_is_begun_once_more(tmp_path: Path) -> None:
    def second() -> None:
        assert record_of(tmp_path, PLAN[0].name).state == "waiting"
        finish(tmp_path, PLAN[0])
        finish(tmp_path, PLAN[1])

    assert launched(tmp_path, broken(lambda: begin(tmp_path, PLAN[0])), second) == ["finished"] * 2


def test_the_second_time_a_job_under_way_has_died(tmp_path: Path) -> None:
    again = broken(lambda: begin(tmp_path, PLAN[0]))
    states = launched(tmp_path, again, again, lambda: finish(tmp_path, PLAN[1]))
    assert states == ["died", "finished"]


def test_a_job_that_died_by_itself_is_not_begun_again(tmp_path: Path) -> None:
    dies = broken(lambda: keep_death(tmp_path, PLAN[0].name, "its process was killed by SIGKILL"))
    assert launched(tmp_path, dies, lambda: finish(tmp_path, PLAN[1])) == ["died", "finished"]


def test_a_launcher_that_starts_nothing_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a worker was killed") as refusal:
        launched(tmp_path, broken())
    assert "somebody" not in str(refusal.value)


def test_a_launcher_that_gets_nowhere_any_more_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        launched(tmp_path, broken(lambda: finish(tmp_path, PLAN[0])), broken())


def test_a_wait_that_is_broken_off_ends_the_job(
    ae_cls: AeCls,
    started: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
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
    (plan,) = (tmp_path / "outputs" / "run").glob("*/sweep.json")
    jobs = json.loads(plan.read_text())["jobs"]
    assert [(job["state"], job["code"]) for job in jobs] == [("stopped", 143), ("waiting", 0)]
