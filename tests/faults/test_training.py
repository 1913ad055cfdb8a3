"""Group T of the battery: numbers that are not finite, memory, disks, logs, degenerate results."""

import errno
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ae_cls.autoencoder.contract import build, bytes_of_weights
from ae_cls.errors import StorageError, TrainingError
from ae_cls.evaluate.health import feature_warnings, head_warnings, warnings
from ae_cls.evaluate.metrics import evaluate
from ae_cls.evaluate.variety import effective_rank
from ae_cls.head.contract import HeadConfig
from ae_cls.head.network import has_converged
from ae_cls.machine import memory as machine_memory
from ae_cls.machine.faults import as_ours
from ae_cls.run import checkpoints, log
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.store import cleaning, space
from ae_cls.train import loop
from ae_cls.train.checkpoint import NoCheckpoints
from ae_cls.train.loss import Loss
from ae_cls.train.order import passes
from ae_cls.train.record import EpochRecord, Score
from ae_cls.train.step import Group
from ae_cls.train.task import Objective, TrainTask
from tests.autoencoder.variants import table
from tests.composed import described, options
from tests.train.kept import checkpoint
from tests.train.test_loop import CPU, OneWeight, schedule

pytestmark = pytest.mark.filterwarnings(
    "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"
)

TINY = (
    "run", "autoencoder=shallow", "autoencoder.latent_dim=4", "encode=latent", "pretrain=quick",
    "pretrain.min_steps=4", "pretrain.epochs=2", "figures=false", "threads=1",
)  # fmt: skip


def trained(
    network: nn.Module, *words: str, scores=None, factor_at=None, checkpoints=None, every=1
):
    """The records of a training of `OneWeight` with made-up scores or losses."""
    left = iter(scores or ())
    step = iter(range(10_000))

    def loss(images, positions, draws, progress):
        factor = factor_at(next(step)) if factor_at and draws.epoch >= 0 else 1.0
        return Loss((network.weight - 1).square().sum() * factor, {})

    def validate(_: int) -> Score:
        value = next(left) if scores else float((network.weight.detach() - 1).square())
        return Score(value, {"loss": value})

    objective = Objective(
        stage="test", network=network, groups=[Group([network], 1.0)], loss_of_batch=loss,
        validate=validate,
    )  # fmt: skip
    task = TrainTask(
        train=table((1, 8, 8), 20), valid=table((1, 8, 8), 10), mirrored_is_same=False, seed=0,
        compute=CPU, checkpoints=checkpoints or NoCheckpoints(),
    )  # fmt: skip
    return loop.optimise(objective, task, schedule(*words))


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        pytest.param([NAN, 2.0, 1.0], 2, id="T02-first"),
        pytest.param([2.0, NAN, 1.0], 2, id="T02-middle"),
        pytest.param([1.0, 2.0, NAN], 0, id="T02-last"),
        pytest.param([1.0, -INF, INF], 0, id="T02-infinite"),
    ],
)
def test_a_validation_that_is_not_finite_is_never_the_best(scores, best):
    history = trained(OneWeight(), "epochs=3", scores=scores)
    assert max(n for n, record in enumerate(history) if record.best) == best
    for score, record in zip(scores, history, strict=True):
        line = json.loads(json.dumps(record.as_dict(), allow_nan=False))
        if math.isfinite(score):
            assert line["valid"] == {"loss": score} and "why_null" not in line
        else:
            assert line["valid"] == {"loss": None} and line["why_null"] == "it was not finite"


@pytest.mark.parametrize("case", ["T02-all"])
def test_no_finite_validation_at_all_is_a_failed_training(case):
    with pytest.raises(TrainingError, match="no validation of test has a finite score"):
        trained(OneWeight(), "epochs=3", scores=[NAN, INF, NAN])


@pytest.mark.parametrize("case", ["T02-resumed"])
def test_the_best_is_the_same_after_a_break_behind_a_validation_that_is_not_finite(case, tmp_path):
    whole = trained(OneWeight(), "epochs=4", scores=[NAN, 3.0, NAN, 4.0])

    class Stopped(OneWeight):
        pass

    folder = CheckpointFolder(tmp_path, of="one", every=0.0)
    with pytest.raises(KeyboardInterrupt):
        trained(
            Stopped(), "epochs=4", scores=[NAN, 3.0, NAN, 4.0], checkpoints=folder,
            factor_at=lambda step: interrupt() if step == 7 else 1.0,
        )  # fmt: skip
    go_on = trained(Stopped(), "epochs=4", scores=[NAN, 4.0], checkpoints=folder)
    assert [record.as_dict() for record in go_on] == [record.as_dict() for record in whole]


def interrupt() -> float:
    raise KeyboardInterrupt


@pytest.mark.parametrize("case", ["T01-loss"])
def test_a_step_that_is_not_finite_is_not_taken_and_what_is_left_is_said(case, tmp_path):
    network, folder = OneWeight(), CheckpointFolder(tmp_path, of="one", every=0.0)
    with pytest.raises(TrainingError) as failed:
        trained(
            network, "epochs=4", checkpoints=folder,
            factor_at=lambda step: NAN if step == 7 else 1.0,
        )  # fmt: skip
    error = failed.value
    assert error.where == "test, step 8 of 12 (epoch 3)"
    assert "a checkpoint after step 7 is kept" in error.why
    assert "gradient norm nan" in error.why and "learning rate" in error.why
    newest = folder.newest()
    assert newest is not None and newest.step == 7
    assert all(torch.isfinite(tensor).all() for tensor in newest.tensors.values())
    assert torch.isfinite(network.weight).all()


@pytest.mark.parametrize("case", ["T01-nothing-kept"])
def test_a_training_that_kept_nothing_says_so(case):
    with pytest.raises(TrainingError, match="nothing of it is kept"):
        trained(OneWeight(), factor_at=lambda step: INF)


@pytest.mark.parametrize("case", ["T01-weights"])
def test_weights_that_are_not_finite_are_never_kept(case, tmp_path):
    network, folder = OneWeight(), CheckpointFolder(tmp_path, of="one", every=0.0)

    def fill(weight: torch.Tensor) -> None:
        weight.data.fill_(INF)

    def spoil(step: int) -> float:
        if step == 3:  # after a loss and a gradient that are as they should be
            network.weight.register_post_accumulate_grad_hook(fill)
        return 1.0

    with pytest.raises(TrainingError, match="a weight is not finite"):
        trained(network, "epochs=4", checkpoints=folder, factor_at=spoil)
    newest = folder.newest()
    assert newest is not None and newest.step == 3


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        pytest.param(MemoryError("Unable to allocate 9 GiB"), 4, "9 GiB", id="T07-numpy"),
        pytest.param(
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
                "memory: you tried to allocate 256 bytes."
            ),
            4, "you tried to allocate 256 bytes", id="T07-torch",
        ),
        pytest.param(torch.OutOfMemoryError("CUDA out of memory."), 4, "CUDA", id="T07-card"),
        pytest.param(OSError(errno.ENOMEM, "Cannot allocate memory"), 4, "memory", id="T07-system"),
        pytest.param(RuntimeError("can't start new thread"), 4, "ulimit -u", id="T07-thread"),
        pytest.param(
            ImportError("libtorch_python.so: failed to map segment from shared object"),
            4, "ulimit -v", id="T07-library",
        ),
        pytest.param(OSError(errno.EAGAIN, "again"), 4, "ulimit -u", id="T07-process"),
        pytest.param(OSError(errno.EMFILE, "many"), 4, "ulimit -n", id="T07-files"),
        pytest.param(OSError(errno.EDQUOT, "quota"), 6, "quota", id="T07-quota"),
        pytest.param(OSError(errno.EFBIG, "large"), 6, "ulimit -f", id="T07-file-size"),
        pytest.param(PermissionError(errno.EACCES, "no"), 6, "not permitted", id="T07-permission"),
    ],
)  # fmt: skip
def test_a_limit_of_the_machine_is_named(error, code, says):
    ours = as_ours(error)
    assert ours is not None and ours.code == code
    assert says in ours.block()


@pytest.mark.parametrize(
    "error", [ValueError("odd"), RuntimeError("odd"), KeyError("x"), ImportError("x")]
)
def test_what_is_no_limit_of_the_machine_stays_a_bug(error):
    assert as_ours(error) is None


@pytest.mark.parametrize("case", ["T07-batch"])
def test_a_batch_that_does_not_fit_is_named_and_never_made_smaller(case):
    def too_much(step: int) -> float:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")

    with pytest.raises(TrainingError) as failed:
        trained(OneWeight(), factor_at=too_much)
    assert failed.value.where == "test, batch_size 8"
    assert failed.value.fix.startswith("a smaller batch_size, such as 4")
    assert failed.value.why == "can't allocate memory: you tried to allocate 9"


@pytest.mark.parametrize("name", options("autoencoder"))
def test_weights_are_counted_as_they_are_without_allocating_any(name):
    config = described("run", f"autoencoder={name}").autoencoder
    state = build(config, (3, 64, 64), 0).state_dict()
    assert bytes_of_weights(config, (3, 64, 64)) == sum(t.nbytes for t in state.values())


HUGE = [
    pytest.param(["autoencoder=shallow", "autoencoder.latent_dim=1000000000"], id="T07-shallow"),
    pytest.param(["autoencoder=conv", "autoencoder.latent_dim=1000000000"], id="T07-conv"),
    pytest.param(["autoencoder=vae", f"autoencoder.latent_dim={10**18}"], id="T07-uncountable"),
    pytest.param(["autoencoder=textbook", "autoencoder.latent_dim=1000000000"], id="T07-textbook"),
    pytest.param(["autoencoder=deep", "autoencoder.latent_dim=1000000000"], id="T07-deep"),
]


@pytest.mark.parametrize("words", HUGE)
def test_a_network_larger_than_memory_is_refused_before_it_is_allocated(words, ae_cls):
    ended = ae_cls("run", *words)
    assert ended.code == 4
    assert "error[4] the network needs " in ended.err and "why    there are " in ended.err
    assert not Path("outputs").exists()


@pytest.mark.parametrize("case", ["T07-training"])
def test_a_network_that_fits_but_cannot_be_trained_is_refused_before_the_first_step(
    case, monkeypatch
):
    monkeypatch.setattr(machine_memory, "memory", lambda: 20.0)  # bytes; one weight has four
    with pytest.raises(TrainingError, match="to train this network needs"):
        trained(OneWeight())


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["head=mlp", "head.width=[65536]"], id="T07-mlp"),
        pytest.param(["head=svm", "head.components=60000"], id="T07-svm"),
    ],
)
def test_a_head_larger_than_memory_is_refused_before_pretraining(words, ae_cls, monkeypatch):
    monkeypatch.setattr(machine_memory, "memory", lambda: 1e7)
    ended = ae_cls(*TINY, *words)
    assert ended.code == 4 and "the head " in ended.err
    assert not Path("outputs").exists()


@pytest.mark.parametrize("limit", ["100", "9223372036854771712", "max"])
def test_memory_of_a_container_is_what_its_group_may_have(limit, tmp_path, monkeypatch):
    file = tmp_path / "memory.max"
    file.write_text(f"{limit}\n")
    monkeypatch.setattr(machine_memory, "_OF_GROUP", (str(file), str(tmp_path / "none")))
    assert (machine_memory.memory() == 100) == (limit == "100")


@pytest.mark.parametrize("words", [["run"], ["pretrain"], ["check"], ["run", "-m", "seed=1,2"]])
def test_outputs_that_cannot_be_written_are_refused_before_data_are_read(
    words, ae_cls, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    gone = "dataset=folder", "dataset.root=not_there", f"outputs={tmp_path}/file/deeper"
    ended = ae_cls(*words, *gone)
    assert ended.code == 6
    assert f"where  {tmp_path}/file/deeper" in ended.err and "not_there" not in ended.err


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path):
    space.refuse_unwritable(tmp_path / "new" / "er")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", ["K03-start"])
def test_a_disk_too_small_for_what_will_be_written_is_refused_before_training(
    case, ae_cls, monkeypatch
):
    full = type("Usage", (), {"free": 200_000})
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: full)
    ended = ae_cls(*TINY, "autoencoder.latent_dim=64")
    assert ended.code == 6
    assert "and 0.2 MB are free" in ended.err
    assert not Path("outputs").exists()


@pytest.mark.parametrize("case", ["K03-kept"])
def test_a_training_that_is_kept_needs_no_room_for_its_checkpoints(case, ae_cls, monkeypatch):
    assert ae_cls(*TINY).code == 0
    full = type("Usage", (), {"free": 200_000})
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: full)
    assert ae_cls(*TINY, "head=knn").code == 0


@pytest.mark.parametrize("case", ["O-log-full"])
def test_a_log_that_cannot_be_written_costs_a_warning_and_the_exit_code(case, ae_cls, monkeypatch):
    monkeypatch.setattr(log, "open_to_write", lambda path, flags: os.open("/dev/full", flags))
    ended = ae_cls(*TINY)
    assert ended.code == 6
    assert ended.err.count("warning: run.log cannot be written: No space left on device") == 1
    (run,) = Path("outputs/run").glob("*/*")
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert (run / "metrics.json").is_file() and "test accuracy" in ended.out


@pytest.mark.parametrize("case", ["T-housekeeping"])
def test_old_outputs_that_cannot_be_removed_end_no_run(case, tmp_path, monkeypatch, caplog):
    def refused(*_: object) -> None:
        raise StorageError("cannot write", where="x")

    monkeypatch.setattr(cleaning, "bound", refused)
    cleaning.tidy(tmp_path, "encode", 0)
    assert "old outputs of encode could not be removed" in caplog.text


def test_features_that_differ_in_one_direction_have_the_effective_rank_1():
    rng = np.random.default_rng(0)
    line = rng.normal(size=(100, 1)) @ rng.normal(size=(1, 8))
    assert effective_rank(line) == pytest.approx(1)
    assert effective_rank(np.full((100, 8), 0.3, np.float32)) == 0
    assert effective_rank(np.zeros((100, 8))) == 0
    square = np.concatenate([np.eye(2), -np.eye(2)])
    assert effective_rank(square) == pytest.approx(2)
    assert 7 < effective_rank(rng.normal(size=(4000, 8))) <= 8


@pytest.mark.parametrize(
    ("rank", "numbers", "says"),
    [
        pytest.param(0.0, 64, "the same features", id="T-collapsed"),
        pytest.param(1.1, 64, "hardly more than one direction", id="T-nearly-collapsed"),
        pytest.param(1.0, 2, "", id="T-meant-narrow"),
        pytest.param(9.0, 64, "", id="T-healthy"),
    ],
)
def test_collapsed_features_are_named(rank, numbers, says):
    found = feature_warnings(rank, numbers=numbers)
    assert bool(found) == bool(says) and says in "".join(found)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        pytest.param({"converged": False, "steps": 1}, "head.max_steps", id="T11-steps"),
        pytest.param({"converged": False, "epochs": 1}, "head.epochs", id="T11-epochs"),
        pytest.param({"converged": True, "steps": 1}, "", id="T11-converged"),
        pytest.param({"converged": None, "epochs": 1}, "", id="T11-unknown"),
        pytest.param({}, "", id="T11-no-iterations"),
    ],
)
def test_a_head_that_has_not_converged_is_named(facts, says):
    found = head_warnings(facts)
    assert bool(found) == bool(says) and says in "".join(found)


@pytest.mark.parametrize(
    ("losses", "converged"),
    [([0.5], None), ([0.5, 0.2], False), ([0.5, 0.2, 0.195], True), ([0.2, 0.3], True)],
)
def test_fine_tuninghas_converged_once_its_training_loss_is_still(losses, converged):
    history = [
        EpochRecord("finetune", n, n, 0.1, 1.0, 1.0, {"loss": loss}, {}, best=True)
        for n, loss in enumerate(losses)
    ]
    assert has_converged(history) is converged


def evaluated(answers: list[int], labels: list[int]):
    probabilities = np.eye(2)[answers] * 0.8 + 0.1
    return evaluate(probabilities, np.array(labels), ("cat", "dog"))


def test_validation_that_is_not_above_the_majority_is_named_beside_test():
    good, bad = evaluated([0, 1] * 50, [0, 1] * 50), evaluated([0] * 40, [0, 1] * 20)
    assert not warnings(good, good)
    (said,) = warnings(good, bad)
    assert said.startswith("on validation, accuracy 50.0 % ")


@pytest.mark.parametrize("case", ["T-equal-images"])
def test_images_without_variance_give_numbers_that_are_flagged(case, ae_cls, tmp_path):
    # In official parts: where the parts are ours, equal images would all lie in one.
    parts = {"train": 42, "valid": 8, "test": 10}
    arrays = {
        f"{part}_{name}": array
        for part, count in parts.items()
        for name, array in (
            ("images", np.full((count, 8, 8), 77, np.uint8)),
            ("labels", np.arange(count) % 2),
        )
    }
    np.savez(tmp_path / "grey.npz", **arrays)
    words = ("dataset=npz", "dataset.root=grey.npz")
    ended = ae_cls(*TINY, *words)
    assert ended.code == 0, ended.err
    (run,) = Path("outputs/run").glob("*/*")
    metrics = json.loads((run / "metrics.json").read_text(), parse_constant=pytest.fail)
    for said in (
        "all 42 training images are equal", "have the same features",
        "is not shown to be above", "every image is answered with one class",
    ):  # fmt: skip
        assert any(said in warning for warning in metrics["warnings"]), metrics["warnings"]
        assert said in ended.err
    assert metrics["encoder"]["effective_rank"] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["head=knn", "head.neighbours=500"], "all of them vote", id="T-knn"),
        pytest.param(["head=forest", "head.min_samples_leaf=26"], "no tree can", id="T-forest"),
    ],
)
def test_settings_that_the_labels_cannot_carry_are_named(words, says):
    head = described("run", *words).head
    assert isinstance(head, HeadConfig)
    assert says in "".join(head.beyond(50))
    assert head.beyond(5000) == []


@pytest.mark.parametrize("case", ["H03-checkpoints"])
def test_another_that_finishes_first_and_clears_up_ends_no_training(case, tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path / "unfinished", of="one", every=0.0)
    hashed, cleared = checkpoints.file_sha256, []

    def cleared_up(path: Path) -> str:
        if not cleared:
            cleared.append(path)
            shutil.rmtree(path.parent)
        return hashed(path)

    monkeypatch.setattr(checkpoints, "file_sha256", cleared_up)
    folder.keep(checkpoint(1))
    newest = folder.newest()
    assert cleared and newest is not None and newest.step == 1


@pytest.mark.parametrize("case", ["T-housekeeping-checkpoints"])
def test_an_old_checkpoint_that_cannot_be_removed_ends_no_training(
    case, tmp_path, monkeypatch, caplog
):
    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".safetensors":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    folder = CheckpointFolder(tmp_path, of="one", every=0.0)
    monkeypatch.setattr(Path, "unlink", refused)
    for step in (1, 2, 3):
        folder.keep(checkpoint(step))
    newest = folder.newest()
    assert newest is not None and newest.step == 3
    assert "an old checkpoint cannot be removed" in caplog.text


@pytest.mark.parametrize(
    ("count", "batch", "sizes"),
    [
        pytest.param(9, 8, [7, 2], id="T10-one-left"),
        pytest.param(17, 8, [8, 7, 2], id="T10-one-left-of-many"),
        pytest.param(10, 8, [8, 2], id="T10-two-left"),
        pytest.param(16, 8, [8, 8], id="T10-none-left"),
        pytest.param(1, 8, [1], id="T10-one-image"),
        pytest.param(3, 2, [2, 1], id="T10-batches-of-two"),
    ],
)
def test_no_image_is_left_over_alone(count, batch, sizes):
    positions = passes(count, batch, seed=0)
    taken = [positions(step)[1] for step in range(len(sizes))]
    assert [len(some) for some in taken] == sizes
    assert sorted(torch.cat(taken).tolist()) == list(range(count))
    assert positions(len(sizes))[0] == 1  # the next pass


@pytest.mark.parametrize("case", ["T10-batch-norm"])
def test_a_single_image_that_a_batch_norm_cannot_take_is_no_bug(case):
    norm = nn.BatchNorm1d(2)

    def alone(step: int) -> float:
        return float(norm(torch.zeros(1, 2)).sum())

    with pytest.raises(TrainingError, match="a batch norm needs more than one image"):
        trained(OneWeight(), factor_at=alone)
