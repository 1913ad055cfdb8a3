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
from ae_cls.store.manifest import NAME as LIST
from ae_cls.store.manifest import check_files
from tests.composed import described

# Started once with everything imported: kills then hit the run, not its imports.
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    ["ae_cls.run.run", "matplotlib.backends.backend_agg", "tests.test_kill"]
)

COMMON = (
    "threads=1", "precision=fp32", "device=cpu", "pretrain.epochs=3", "pretrain.min_steps=1",
)  # fmt: skip
FROZEN = (
    *COMMON, "autoencoder.widths=[64,32]", "head.C=[0.01,0.1,1.0]", "checkpoint_seconds=0.2",
)  # fmt: skip
FINE_TUNED = (
    *COMMON, "autoencoder.widths=[32,16]", "head=finetune", "head.epochs=2", "head.min_steps=20",
    "labels.per_class=10", "checkpoint_seconds=0.05",
)  # fmt: skip
RECIPES = {"frozen": FROZEN, "finetune": FINE_TUNED}
STAGES = ("pretrain", "encode", "classify", "evaluate", "report")
OF_THIS_CALL = {"status.json", "environment.json", "run.log", ".lock", LIST}
"""What says when and how a run went."""


def carry_out(words: tuple[str, ...], folder: str, cache: str) -> None:
    """The run, as the command line would start it."""
    os.environ["AE_CLS_CACHE"] = cache
    told = described("run", *words)
    commands.COMMANDS["run"](told.model_copy(update={"folder": folder, "outputs": cache}))


def start(words: tuple[str, ...], folder: Path, cache: Path):
    process = FORK.Process(target=carry_out, args=[words, str(folder), str(cache)])
    process.start()
    return process


def contents(folder: Path) -> dict[str, bytes]:
    """All files that follow from the config alone."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not (path.parent == folder and path.name in OF_THIS_CALL)
    }
    assert found.keys() >= {"metrics.json", "predictions.csv", "model/model.safetensors"}
    return found


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


def undisturbed(words: tuple[str, ...], folder: Path, cache: Path) -> dict[str, bytes]:
    """What the run leaves behind, when it is begun, or gone on with, and not killed."""
    process = start(words, folder, cache)
    process.join(200)
    assert process.exitcode == 0
    assert read_status(folder)["state"] == "finished"
    return contents(folder)


def never_killed(
    words: tuple[str, ...], folder: Path, cache: Path
) -> tuple[dict[str, bytes], float]:
    """What the run leaves behind, and its seconds; its folder goes, as config.json names it."""
    started = time.monotonic()
    whole = undisturbed(words, folder, cache)
    length = time.monotonic() - started
    shutil.rmtree(folder)
    shutil.rmtree(cache)
    return whole, length


def kill_at_random(
    words: tuple[str, ...], kills: int, tmp_path: Path, draws: random.Random
) -> Counter[str]:
    """The stages that so many kills have hit; whatever ends meanwhile is compared, and the last."""
    folder, cache, hit = tmp_path / "run", tmp_path / "cache", Counter[str]()
    whole, length = never_killed(words, folder, cache)
    while hit.total() < kills:
        process = start(words, folder, cache)
        process.join(draws.uniform(0, length))
        if process.exitcode is None:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join(30)
            verify(folder, cache)
            hit[stage_of(folder)] += 1
        else:
            assert process.exitcode == 0
        if folder.exists() and read_status(folder)["state"] == "finished":  # killed since, or not
            assert contents(folder) == whole
            shutil.rmtree(folder)
            shutil.rmtree(cache)
    assert undisturbed(words, folder, cache) == whole
    return hit


def test_some_kills_change_no_byte(tmp_path):
    kill_at_random(FROZEN, 3, tmp_path, random.Random(3))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("recipe", RECIPES)
def test_seventy_kills_change_no_byte(tmp_path, recipe):
    hit = kill_at_random((*RECIPES[recipe], "figures=false"), 70, tmp_path, random.Random(4))
    print(recipe, dict(hit))
    # To encode takes a hundredth of the run: the test below hits it for sure.
    assert set(hit) >= {"pretrain", "classify"}, hit


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_kill_in_each_stage_changes_no_byte(tmp_path, recipe):
    words, folder, cache = RECIPES[recipe], tmp_path / "run", tmp_path / "cache"
    whole, _ = never_killed(words, folder, cache)
    hit = [stage for stage in STAGES if kill_in(words, stage, folder, cache)]
    assert hit[0] == "pretrain" and {"classify", "report"} <= set(hit)
    assert recipe == "finetune" or "encode" in hit
    assert undisturbed(words, folder, cache) == whole


def kill_in(words: tuple[str, ...], stage: str, folder: Path, cache: Path) -> bool:
    """Start the run, or go on with it, and kill it as soon as it is there; whether it was hit."""
    process = start(words, folder, cache)
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
