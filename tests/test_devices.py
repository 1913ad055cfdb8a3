"""`devices=2`: one model by two processes, through whole commands."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ae_cls.jobs import commands
from ae_cls.run import run as runner
from ae_cls.run.stages import figures as figures_stage
from tests.composed import described

SMALL = (
    "pretrain=quick", "pretrain.epochs=1", "pretrain.min_steps=4", "autoencoder.widths=[8,16]",
    "autoencoder.latent_dim=8", "head.C=[0.1]", "device=cpu", "precision=fp32", "threads=1",
)  # fmt: skip
LONG = (*SMALL, "pretrain.epochs=100000")
START = "from ae_cls.cli.main import main; main()"


def go(outputs: Path, *words: str) -> runner.Result:
    description = described("run", *SMALL, *words).model_copy(update={"outputs": str(outputs)})
    result = commands.carry_out("run", description)
    assert isinstance(result, runner.Result)
    return result


def command(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, *words], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip


def told(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / name).read_text())


def alike(found: dict[str, Any], one: dict[str, Any]) -> None:
    assert found["test"]["log_loss"] == pytest.approx(one["test"]["log_loss"], rel=1e-3)
    rebuilt, alone = found["reconstruction"], one["reconstruction"]
    for name in ("intact", "corrupted", "pca"):
        assert rebuilt[name]["mse"] == pytest.approx(alone[name]["mse"], rel=1e-4)


def test_a_run_by_two_processes_gives_what_one_gives(tmp_path, monkeypatch):
    for place, name in (
        (figures_stage, "write_pretraining"), (runner.figures, "write_history"),
        (runner.figures, "write_classification"),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, lambda *_, **__: None)  # they take longer than the rest
    one = go(tmp_path, "store=own")
    two = go(tmp_path, "devices=2")
    alike(two.metrics, one.metrics)
    assert told(two.folder, "environment.json")["processes"] == 2
    assert told(one.folder, "environment.json")["processes"] == 1
    assert told(two.folder, "status.json")["state"] == "finished"
    # Another number of processes is another way to the same output, and finds what is kept.
    again = go(tmp_path, "devices=1")
    assert {"pretrain", "encode", "classify"} <= set(again.kept)
    assert again.metrics == two.metrics


@pytest.mark.slow
def test_fine_tuning_by_two_processes_gives_what_one_gives(tmp_path):
    words = [word for word in SMALL if not word.startswith("head")]
    words += ["head=finetune", "head.epochs=1", "head.min_steps=20", "head.lr=0.0005", "store=own"]
    found = []
    for devices in (1, 2):
        description = described("run", *words, f"devices={devices}")
        result = commands.carry_out(
            "run", description.model_copy(update={"outputs": str(tmp_path)})
        )
        assert result is not None
        found.append(result.metrics)
    alike(found[1], found[0])


@pytest.mark.slow
def test_in_a_sweep_each_job_has_its_processes(tmp_path):
    words = ("run", "-m", *SMALL, "seed=0,1", "devices=2", f"outputs={tmp_path}")
    started = command(*words)
    _, errors = started.communicate(timeout=200)
    assert started.returncode == 0, errors
    folders = [path.parent for path in tmp_path.glob("run/*/*/metrics.json")]
    assert len(folders) == 2
    assert [told(folder, "environment.json")["processes"] for folder in folders] == [2, 2]


@pytest.mark.slow
def test_processes_that_torchrun_has_started_are_one_run(tmp_path):
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    words = ("run", *SMALL, f"outputs={tmp_path}", "store=own")
    ranks = [
        command(*words, RANK=rank, LOCAL_RANK=rank, MASTER_PORT="29517", **shared)
        for rank in ("0", "1")
    ]
    outputs = [each.communicate(timeout=200) for each in ranks]
    assert [each.returncode for each in ranks] == [0, 0], outputs
    assert outputs[1] == ("", "")  # the first one speaks
    folder = Path(outputs[0][0].split()[-1])
    assert list(tmp_path.glob("run/*/*")) == [folder]
    alike(told(folder, "metrics.json"), go(tmp_path, "store=own").metrics)


@pytest.mark.slow
@pytest.mark.parametrize("words", [("run", "-m", "seed=0,1"), ("search", "run", "seed=0,1")])
def test_a_sweep_or_search_under_torchrun_is_refused(tmp_path, words):
    started = command(
        *words, *SMALL, f"outputs={tmp_path}", RANK="0", WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1", MASTER_PORT="29518", LOCAL_WORLD_SIZE="2",
    )  # fmt: skip
    _, errors = started.communicate(timeout=200)
    assert started.returncode == 2
    assert "devices=N" in errors
    assert not list(tmp_path.iterdir())


def training(folder: Path) -> subprocess.Popen[str]:
    """Two processes that are at it."""
    started = command("run", *LONG, "devices=2", f"folder={folder}", "store=own")
    log = folder / "run.log"
    while not (log.exists() and "epoch 3/" in log.read_text()):
        assert started.poll() is None, started.communicate()
        time.sleep(0.1)
    return started


def children_of(process: int) -> list[int]:
    """Python processes that train; not multiprocessing's tracker of resources."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(path.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            words = path.joinpath("cmdline").read_text()
        except OSError:
            continue
        if parent == process and "spawn_main" in words:
            found.append(int(path.name))
    return found


def assert_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{each}").exists() for each in processes):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_killed_process_ends_the_command(tmp_path):
    started = training(tmp_path / "run")
    (other,) = children_of(started.pid)
    os.kill(other, signal.SIGKILL)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 4
    assert "process 1 of 2 was ended by SIGKILL" in errors
    assert "Warning" not in errors
    assert told(tmp_path / "run", "status.json")["code"] == 4


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_ends_all(tmp_path, number, code):
    started = training(tmp_path / "run")
    others = children_of(started.pid)
    for each in (started.pid, *others):  # as a terminal does
        os.kill(each, number)
    started.communicate(timeout=60)
    assert started.returncode == code
    assert_gone(others)
    assert list(tmp_path.glob("run/**/step-*.safetensors"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_others_end_when_the_first_is_killed(tmp_path):
    started = training(tmp_path / "run")
    others = children_of(started.pid)
    started.kill()
    started.communicate()
    assert_gone(others)
