"""A study as a shell starts it, killed at any moment and started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.composed import CONFIGS

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
