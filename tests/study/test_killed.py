"""A study as a shell starts it, killed at any moment and started again."""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ae_cls.cli.commands.study import study_command
from ae_cls.jobs import process as jobs_process
from tests.composed import CONFIGS

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    ["ae_cls.jobs.worker", "ae_cls.compare.report", "ae_cls.run.figures", "tests.study.test_killed"]
)

WORDS = (
    "study", "study.arms=[pretrained,hog]", "study.budgets=[2]", "study.draws=2", "seed=3",
    "autoencoder.widths=[8,8]", "autoencoder.latent_dim=4", "pretrain=quick", "pretrain.epochs=1",
    "pretrain.min_steps=2", "head=knn", "threads=1",
)  # fmt: skip
LIMIT = 200.0  # seconds on a busy machine


def start(place: Path, jobs: int) -> subprocess.Popen[bytes]:
    code = "from ae_cls.cli.main import main; main()"
    path = os.pathsep.join([str(CONFIGS.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "AE_CLS_CACHE": str(place / "cache")}
    with (place / "said").open("a") as said:
        return subprocess.Popen(
            [sys.executable, "-c", code, *WORDS, f"launch.jobs={jobs}"], cwd=place,
            stdout=said, stderr=said, env=environment, start_new_session=True,
        )  # fmt: skip


def results(place: Path) -> list[bytes]:
    """The files with the numbers, of the study and of its report."""
    (folder,) = (place / "outputs" / "run").glob("study-*")
    return [(folder / name / "results.csv").read_bytes() for name in (".", "report")]


def wait_until_finished(place: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until so many runs have finished."""
    deadline = time.monotonic() + LIMIT
    while len(list((place / "outputs").glob("run/study-*/*/metrics.json"))) < count:
        assert process.poll() is None, (place / "said").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_study_ends_with_the_results_of_one_that_was_not(
    tmp_path: Path, jobs: int
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for place in (whole, killed):
        place.mkdir()
    assert start(whole, jobs).wait(LIMIT) == 0
    for count in (1, 2):
        process = start(killed, jobs)
        wait_until_finished(killed, count, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(LIMIT)
    assert start(killed, jobs).wait(LIMIT) == 0
    assert results(killed) == results(whole)
    assert all(len(text.splitlines()) == 1 + 4 for text in results(whole))
    assert "finished before" in (killed / "said").read_text()
    (page,) = (killed / "outputs" / "run").glob("study-*/report/report.html")
    assert "pretrained" in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_sixty_kills_of_a_study_change_no_byte(tmp_path: Path) -> None:
    draws, place, kills = random.Random(5), tmp_path / "study", 0
    started = time.monotonic()
    whole = undisturbed(place)
    length = time.monotonic() - started
    shutil.rmtree(place)
    ended = 0
    while kills < 60:
        process = forked(place)
        process.join(draws.uniform(0, length))
        if process.exitcode is None:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join(30)
            kills += 1
        else:
            assert process.exitcode == 0, (place / "said").read_text()
            assert left_by(place) == whole
            shutil.rmtree(place)
            ended += 1
    assert undisturbed(place) == whole
    print(f"{kills} kills; ended between them: {ended}")


def undisturbed(place: Path) -> dict[str, bytes]:
    process = forked(place)
    process.join(LIMIT)
    assert process.exitcode == 0, (place / "said").read_text()
    return left_by(place)


def forked(place: Path) -> multiprocessing.process.BaseProcess:
    """The study in a process that has imported all: kills then hit the study, not its imports."""
    place.mkdir(exist_ok=True)
    process = FORK.Process(target=carry_out, args=[str(place)])
    process.start()
    return process


def carry_out(place: str) -> None:
    """As the command line would; jobs are forked from here, which has imported all."""
    os.chdir(place)
    os.environ["AE_CLS_CACHE"] = str(Path(place) / "cache")
    with Path("said").open("a") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    jobs_process.context = lambda: multiprocessing.get_context("fork")
    jobs_process.import_ahead = lambda: None
    sys.exit(study_command(WORDS[1:]))


OF_THIS_CALL = {"status.json", "environment.json", "run.log", "manifest.json", ".lock"}


def left_by(place: Path) -> dict[str, bytes]:
    """All files of the runs that follow from their configs alone, and the results."""
    (folder,) = (place / "outputs" / "run").glob("study-*")
    runs = [config.parent for config in sorted(folder.glob("*/config.json"))]
    assert len(runs) == 4
    files = [
        path
        for run in runs
        for path in sorted(run.rglob("*"))
        if path.is_file() and not (path.parent == run and path.name in OF_THIS_CALL)
    ]
    assert len([path for path in files if path.name == "predictions.csv"]) == 4
    tables = [folder / "results.csv", folder / "report" / "results.csv"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in [*files, *tables]}
