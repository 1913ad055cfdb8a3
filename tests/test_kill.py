"""kill -9 at any time: what is on the disk is whole, and the same words end with the same bytes."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from ae_cls.errors import ModelFileError
from ae_cls.jobs import commands
from ae_cls.run.folder import read_status
from ae_cls.store.cleaning import damage_in
from ae_cls.store.manifest import check_files
from tests.composed import described

# Started once with everything imported: kills then hit the run, not its imports.
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    ["ae_cls.run.run", "matplotlib.backends.backend_agg", "tests.test_kill"]
)

WORDS = (
    "threads=1", "precision=fp32", "device=cpu", "pretrain.epochs=3", "pretrain.min_steps=1",
    "autoencoder.widths=[64,32]", "head.C=[0.01,0.1,1.0]", "checkpoint_seconds=0.2",
)  # fmt: skip
STAGES = ("pretrain", "encode", "classify", "evaluate", "report")
COMPARED = (
    "metrics.json", "history.jsonl", "predictions.csv", "split.npz", "config.json",
    "model/model.safetensors", "model/head.safetensors", "figures/latent_map.svg",
)  # fmt: skip


def carry_out(folder: str, cache: str) -> None:
    """The run, as the command line would start it."""
    os.environ["AE_CLS_CACHE"] = cache
    told = described("run", *WORDS)
    commands.COMMANDS["run"](told.model_copy(update={"folder": folder, "outputs": cache}))


def start(folder: Path, cache: Path):
    process = FORK.Process(target=carry_out, args=[str(folder), str(cache)])
    process.start()
    return process


def contents(folder: Path) -> dict[str, bytes]:
    return {
        name: (folder / name).read_bytes().replace(str(folder.parent).encode(), b"")
        for name in COMPARED
        if name != "config.json"
    }


def verify(folder: Path, cache: Path) -> None:
    """Whatever is there is whole."""
    assert damage_in(cache / "stages") == {}
    for name in ("status.json", "config.json", "metrics.json"):
        if (folder / name).exists():
            json.loads((folder / name).read_bytes())
    try:
        check_files(folder / "model")
    except ModelFileError as error:
        assert error.what == "there is no saved model here"
    assert (folder / "metrics.json").exists() <= (folder / "model" / "manifest.json").exists()


def undisturbed(folder: Path, cache: Path) -> float:
    started = time.monotonic()
    process = start(folder, cache)
    process.join(200)
    assert process.exitcode == 0
    return time.monotonic() - started


def kill_at_random(rounds: int, tmp_path: Path, draws: random.Random) -> Counter[str]:
    """The stages that were hit; ends with an undisturbed run that is compared."""
    straight = tmp_path / "straight"
    length = undisturbed(straight, tmp_path / "other")
    folder, cache, hit = tmp_path / "killed", tmp_path / "cache", Counter[str]()
    for _ in range(rounds):
        process = start(folder, cache)
        process.join(draws.uniform(0, length))
        if process.exitcode is None:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join(30)
            verify(folder, cache)
        else:
            assert process.exitcode == 0
        if folder.exists() and read_status(folder)["state"] == "finished":  # killed since, or not
            assert contents(folder) == contents(straight)
            shutil.rmtree(folder)
            shutil.rmtree(cache)
        else:
            hit[stage_of(folder)] += 1
    if not (folder / "metrics.json").exists():
        undisturbed(folder, cache)
    assert contents(folder) == contents(straight)
    assert read_status(folder)["state"] == "finished"
    return hit


def test_some_kills_change_no_byte(tmp_path):
    assert sum(kill_at_random(4, tmp_path, random.Random(3)).values()) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_in_all_stages_change_no_byte(tmp_path):
    hit = kill_at_random(50, tmp_path, random.Random(4))
    print(dict(hit))
    # To encode takes a hundredth of the run: the test below hits it for sure.
    assert set(hit) >= {"pretrain", "classify", "report"}, hit


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_kill_in_each_stage_changes_no_byte(tmp_path):
    straight, folder, cache = tmp_path / "straight", tmp_path / "killed", tmp_path / "cache"
    undisturbed(straight, tmp_path / "other")
    hit = [stage for stage in STAGES if kill_in(stage, folder, cache)]
    assert hit[:3] == ["pretrain", "encode", "classify"] and "report" in hit
    undisturbed(folder, cache)
    assert contents(folder) == contents(straight)


def kill_in(stage: str, folder: Path, cache: Path) -> bool:
    """Start the run, or go on with it, and kill it as soon as it is there; whether it was hit."""
    process = start(folder, cache)
    while process.exitcode is None and stage_of(folder) != stage:
        time.sleep(0.001)
    if process.exitcode is not None:
        return False
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    verify(folder, cache)
    return stage_of(folder) == stage


def stage_of(folder: Path) -> str:
    if not (folder / "status.json").exists():
        return "begin"
    return str(read_status(folder).get("stage", "begin"))
