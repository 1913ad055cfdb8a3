"""Jobs of one lot share a process; what goes wrong with one of them stays with it."""

import os
from pathlib import Path

import pytest

from ae_cls.experiment.common import CommonKeys
from ae_cls.jobs import commands
from ae_cls.jobs.launch import Local
from ae_cls.jobs.record import Job, Record, SweepFolder
from ae_cls.jobs.signals import noted_signals
from ae_cls.jobs.work import Work
from ae_cls.run import run as runner
from tests.composed import plain
from tests.jobs.conftest import forked
from tests.jobs.fake_runs import Started

pytestmark = forked


def carried_out(place: Path, seeds: list[int], *, lot: str = "a", at_once: int = 1) -> list[Record]:
    """The records of jobs with these seeds, which say how they end."""
    jobs = [
        Job((f"seed={seed}",), f"seed-{seed}", plain={**plain("run"), "seed": seed}, lot=lot)
        for seed in seeds
    ]
    folder = folder_in(place)
    folder.begin("run", jobs)
    with noted_signals() as signals:
        work = Work("run", jobs, folder, signals, len(jobs), quiet=True)
        Local(name="local", jobs=at_once).carry_out(work)
    return [folder.record(job.name) for job in jobs]


def folder_in(place: Path) -> SweepFolder:
    """Equal jobs are looked for beside it, where no other test may have left any."""
    return SweepFolder(place / "run" / "sweep")


def processes(records: list[Record]) -> list[int | None]:
    return [record.owner.process if record.owner else None for record in records]


def test_jobs_of_a_lot_share_a_process(started: Started, tmp_path: Path) -> None:
    records = carried_out(tmp_path, [20, 21, 22])
    assert [record.state for record in records] == ["finished"] * 3
    assert len(set(processes(records))) == 1
    assert started.seeds() == [20, 21, 22]


def test_lots_grow_smaller_towards_the_end_where_several_run_at_a_time(
    started: Started, tmp_path: Path
) -> None:
    numbers = processes(carried_out(tmp_path, list(range(20, 32)), at_once=2))
    sizes = [numbers.count(number) for number in dict.fromkeys(numbers)]
    assert sizes == [3, 3, 2, 1, 1, 1, 1]


def test_jobs_of_no_lot_share_none(started: Started, tmp_path: Path) -> None:
    assert len(set(processes(carried_out(tmp_path, [20, 21, 22], lot="")))) == 3


def test_a_failing_job_lets_the_rest_of_its_lot_go_on(started: Started, tmp_path: Path) -> None:
    records = carried_out(tmp_path, [20, 1, 2, 21])
    assert [record.state for record in records] == ["finished", "failed", "failed", "finished"]
    assert len(set(processes(records))) == 1


@pytest.mark.parametrize("deadly", [11, 13, 14])
def test_the_rest_of_a_lot_goes_on_in_another_process(
    started: Started, tmp_path: Path, deadly: int
) -> None:
    records = carried_out(tmp_path, [20, deadly, 21, 22])
    assert [record.state for record in records] == ["finished", "died", "finished", "finished"]
    first, _, third, fourth = processes(records)
    assert first != third == fourth
    assert started.seeds() == [20, deadly, 21, 22]


def test_a_full_disk_ends_a_lot_and_all_others(started: Started, tmp_path: Path) -> None:
    records = carried_out(tmp_path, [20, 4, 21, 22])
    assert [record.state for record in records] == ["finished", "failed", "waiting", "waiting"]


def test_a_signal_ends_a_lot(started: Started, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        carried_out(tmp_path, [20, 3, 21, 22])
    states = [folder_in(tmp_path).record(f"seed-{seed}").state for seed in (20, 3, 21, 22)]
    assert states == ["finished", "stopped", "waiting", "waiting"]


def test_each_job_of_a_lot_has_its_own_log(
    forking: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speak(described: CommonKeys) -> runner.Result:
        os.write(2, f"seed {described.seed}\n".encode())
        return runner.Result(tmp_path, {}, {})

    monkeypatch.setitem(commands.COMMANDS, "run", speak)
    carried_out(tmp_path, [20, 21])
    for seed in (20, 21):
        assert folder_in(tmp_path).log(f"seed-{seed}").read_text() == f"seed {seed}\n"


def test_a_job_of_a_lot_is_done_though_an_equal_one_lies_elsewhere(
    started: Started, tmp_path: Path
) -> None:
    carried_out(tmp_path, [20], lot="")
    (tmp_path / "run" / "sweep").rename(tmp_path / "run" / "other")
    assert [record.state for record in carried_out(tmp_path, [20], lot="")] == ["skipped"]
    assert [record.state for record in carried_out(tmp_path, [20], lot="a")] == ["finished"]
    assert [record.state for record in carried_out(tmp_path, [20], lot="a")] == ["skipped"]
