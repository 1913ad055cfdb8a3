"""Many runs at once on one empty store: one of them pretrains, all end with the same bytes."""

import multiprocessing
import os
from pathlib import Path

import pytest

from ae_cls.jobs import commands
from tests.composed import described

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["ae_cls.run.run", "tests.test_cold_starts"])
WORDS = (
    "threads=1", "precision=fp32", "device=cpu", "pretrain.epochs=2", "pretrain.min_steps=6",
    "autoencoder.widths=[16,8]", "head.C=[0.1]",
    "figures=false",
)  # fmt: skip


def carry_out(folder: str, cache: str, gate) -> None:
    os.environ["AE_CLS_CACHE"] = cache
    told = described("run", *WORDS).model_copy(update={"folder": folder, "outputs": cache})
    gate.wait()
    commands.COMMANDS["run"](told)


def start_at_once(count: int, tmp_path: Path) -> list[Path]:
    gate = FORK.Event()
    folders = [tmp_path / f"run-{number}" for number in range(count)]
    processes = [
        FORK.Process(target=carry_out, args=[str(folder), str(tmp_path / "cache"), gate])
        for folder in folders
    ]
    for process in processes:
        process.start()
    gate.set()
    for process in processes:
        process.join(200)
    assert [process.exitcode for process in processes] == [0] * count
    return folders


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_one_pretrains_and_all_end_with_the_same_bytes(tmp_path, count):
    folders = start_at_once(count, tmp_path)
    logs = [(folder / "run.log").read_text() for folder in folders]
    assert sum("pretrain  epoch 1/2" in log for log in logs) == 1
    assert sum("linear: C 0.1" in log for log in logs) == 1
    for name in ("metrics.json", "history.jsonl", "predictions.csv", "model/model.safetensors"):
        assert len({(folder / name).read_bytes() for folder in folders}) == 1
