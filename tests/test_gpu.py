"""On a CUDA device: autoencoders and heads as on the CPU; resume, bench, a sweep, full memory."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_cls.bench.compare import bench
from ae_cls.compute import start
from ae_cls.dataset.rows import ImageRows
from ae_cls.errors import TrainingError
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.machine.faults import as_ours
from ae_cls.run import run as runner
from ae_cls.run.resume import resume
from ae_cls.run.run import Result
from ae_cls.saved.model import load_classifier
from tests.autoencoder.variants import TRAINED, table
from tests.composed import described, needed_by, options
from tests.run.test_resume import COMPARED, interrupted, told

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

QUICK = ("pretrain=quick", "figures=false", "labels.per_class=20", "precision=fp32")
STEPS = ("pretrain.epochs=3", "pretrain.min_steps=6", "autoencoder.widths=[16,32]")
APART = 0.04
"""Accuracies on 359 images: networks whose sums were rounded in another order are not the same."""


def ran(folder: Path, device: str, *words: str) -> Result:
    return runner.run(told(folder, *QUICK, f"device={device}", *words))


def accuracy(result: Result) -> float:
    return result.metrics["test"]["accuracy"]


def both(tmp_path: Path, *words: str) -> tuple[Result, Result]:
    """On the CPU and on the device."""
    return ran(tmp_path / "cpu", "cpu", *words), ran(tmp_path / "cuda", "cuda", *words)


@pytest.mark.parametrize("name", options("autoencoder"))
def test_every_autoencoder_does_as_well_as_on_the_cpu(name, tmp_path):
    results = both(tmp_path, f"autoencoder={name}", "encode=latent")
    assert accuracy(results[1]) == pytest.approx(accuracy(results[0]), abs=APART)
    environment = json.loads((results[1].folder / "environment.json").read_text())
    assert environment["device"].startswith("cuda")
    losses = (results[1].folder / "history.jsonl").read_text().splitlines()
    assert name not in TRAINED or all(
        np.isfinite(json.loads(line)["valid"]["loss"]) for line in losses
    )


@pytest.mark.parametrize("name", options("head"))
def test_every_head_does_as_well_as_on_the_cpu(name, tmp_path):
    results = both(tmp_path, f"head={name}", *needed_by(name))
    assert accuracy(results[1]) == pytest.approx(accuracy(results[0]), abs=APART)


def test_bf16_does_as_well_as_fp32(tmp_path):
    whole, half = (
        ran(tmp_path / precision, "cuda", f"precision={precision}")
        for precision in ("fp32", "bf16")
    )
    assert accuracy(half) == pytest.approx(accuracy(whole), abs=APART)


def test_a_model_trained_there_answers_alike_on_the_cpu(tmp_path):
    folder = ran(tmp_path / "cuda", "cuda").folder
    images = ImageRows(table((1, 8, 8)).images, np.arange(24))
    answers = [
        load_classifier(folder, start(device, "fp32", None)).predict_proba(images)
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-3)


@pytest.mark.parametrize(
    "words",
    [("head=linear", "head.C=[0.1]"), ("head=finetune", "head.epochs=2", "head.min_steps=6")],
    ids=["linear", "finetune"],
)
def test_a_stopped_run_goes_on_with_the_same_bytes(words, tmp_path, monkeypatch):
    words = (*QUICK, *STEPS, "device=cuda", "store=own", *words)
    straight = runner.run(told(tmp_path / "straight", *words)).folder
    folder = interrupted(tmp_path, monkeypatch, 2, *words)
    assert resume(folder, {}).folder == folder
    for name in COMPARED:
        assert (folder / name).read_bytes() == (straight / name).read_bytes(), name


def test_jobs_of_a_sweep_share_the_device(tmp_path):
    words = ("device=cuda", "seed=0,1,2,3", "launch.jobs=2", f"outputs={tmp_path}")
    command = [sys.executable, "-m", "ae_cls", "run", "-m", *QUICK, *STEPS, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("metrics.json"))) == 4


def test_a_job_of_a_sweep_that_does_not_fit_takes_no_other_with_it(tmp_path):
    """S11: a single map of the first job's batch has 64 GiB, and there are several."""
    images = np.random.default_rng(0).integers(0, 255, (1300, 256, 256), np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(1300) % 2)
    data = ("dataset=npz", f"dataset.root={tmp_path / 'own.npz'}", "device=cuda", "head=knn")
    large = ("autoencoder.widths=[1024,1024]", "pretrain.epochs=1", "pretrain.min_steps=1")
    words = (*QUICK, *data, *large, "pretrain.batch_size=1024,2", f"outputs={tmp_path}")
    command = [sys.executable, "-m", "ae_cls", "run", "-m", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 8, done.stderr
    (plan,) = tmp_path.rglob("sweep.json")
    first, second = json.loads(plan.read_text())["jobs"]
    assert (first["state"], first["code"], second["state"]) == ("failed", 4, "finished")
    assert "memory" in first["reason"] and "pretrain.batch_size=1024" in first["words"]


def test_bench_times_the_device(tmp_path):
    words = ("dataset=digits", "steps=20", "repeats=1", "until=null", "device=cuda")
    given = described("bench", *words, f"folder={tmp_path / 'bench'}")
    assert isinstance(given, Benchmark)
    rows = bench(given).metrics["contenders"]
    assert all(row["images_per_second"] > 0 for row in rows)
    assert all(row["peak_device_memory_mib"] > 0 for row in rows)
    assert rows[-1]["precision"] == "bf16" and rows[-1]["ratio"] > 1


def test_memory_of_the_device_that_is_full_is_named_with_its_cure(tmp_path):
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-4)
    try:
        # In training it is our error already, while the network is moved that of torch.
        with pytest.raises((TrainingError, torch.OutOfMemoryError)) as refused:
            ran(tmp_path / "full", "cuda", "autoencoder.widths=[512,512]")
        named = as_ours(refused.value)
        assert named is not None and "not enough memory" in named.what
        assert "batch_size" in named.fix
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
