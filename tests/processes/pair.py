"""What two processes do side by side, and one alone, so that tests can compare."""

import copy
import itertools
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ae_cls.autoencoder.contract import build
from ae_cls.compute import Compute
from ae_cls.dataset.rows import LabelledImages
from ae_cls.draws import Draws
from ae_cls.encode import Encoder
from ae_cls.experiment.descriptions import Classification, Experiment, Pretraining
from ae_cls.head.task import Task
from ae_cls.processes.batch import batch_mean, shared_batch
from ae_cls.processes.follower import calls_of_the_leader
from ae_cls.processes.leader import followers_of
from ae_cls.processes.norm import exact_norms
from ae_cls.processes.world import World
from ae_cls.run.data import prepare
from ae_cls.train.checkpoint import Checkpoint, Checkpoints, NoCheckpoints
from ae_cls.train.loop import whole_loss
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import CORRUPTED, CORRUPTIONS, corrupted, table, unit, variant
from tests.composed import described, needed_by

CPU = Compute(torch.device("cpu"), "fp32")
TWO = World(0, 2, 0, 2)
SHAPE = (1, 8, 8)
STEPS = 10
"""Of a training: two passes over 50 images, in batches of 16, or one with a batch of one image."""
EMPHASIS = dict.fromkeys(("patch_mask", "salt_pepper"), ("intact_weight=0.1",))


def in_two(names: list[str]) -> dict[str, Any]:
    """What each job gives the first of two processes."""
    found = {}
    with followers_of(TWO, CPU.device, 1, take_part, "") as followers:
        for name in names:
            with followers.called(name):
                found[name] = JOBS[name](TWO)
    return found


def take_part(told: str) -> None:
    """The second process."""
    with calls_of_the_leader(CPU.device, 1) as tasks:
        for name in tasks:
            JOBS[name](World(1, 2, 1, 2))


class EachStep(Checkpoints):
    """Keeps nothing but the loss of each step, from the sums that a checkpoint holds."""

    def __init__(self) -> None:
        self.sums, self.counts = [0.0], [0]

    def newest(self) -> Checkpoint | None:
        return None

    def is_due(self, *, epoch_ended: bool) -> bool:
        return not epoch_ended

    def keep(self, checkpoint: Checkpoint) -> None:
        if checkpoint.facts.count:  # else it is that of the end
            self.sums.append(float(checkpoint.tensors["sums.loss"]))
            self.counts.append(checkpoint.facts.count)

    def losses(self) -> np.ndarray:
        return np.diff(self.sums) / np.diff(self.counts)


def pretraining(
    name: str, given: tuple[str, ...], world: World, *, batch_size: int = 16, lr: float = 0.002
) -> dict[str, Any]:
    """Losses of each step, validation and weights; 50 images leave a smaller last batch."""
    small = ("pretrain=quick", f"pretrain.min_steps={STEPS}", "pretrain.epochs=1")
    found = described("pretrain", *small, f"pretrain.batch_size={batch_size}", f"pretrain.lr={lr}")
    assert isinstance(found, Pretraining)
    model, steps = variant(name, SHAPE, words=given), EachStep()
    compute = replace(CPU, world=world)
    task = TrainTask(table(SHAPE, 50), table(SHAPE, 21), True, 0, compute, steps)
    history = found.pretrain.fit(model, task)
    return {"losses": steps.losses(), "valid": history[0].valid, "weights": model.state_dict()}


def real(variant: tuple[str, ...], world: World) -> dict[str, Any]:
    """Losses of each step and validation of a default network on the digits."""
    words = (*variant, "precision=fp32", "pretrain.epochs=1", f"pretrain.min_steps={STEPS}")
    found = described("pretrain", *words)
    assert isinstance(found, Pretraining)
    prepared, steps = prepare(found), EachStep()
    split, compute = prepared.split, replace(CPU, world=world)
    train, valid = prepared.images(split.pretrain), prepared.images(split.valid)
    history = found.pretrain.fit(
        prepared.network, TrainTask(train, valid, False, 0, compute, steps)
    )
    return {
        "losses": steps.losses(),
        "valid": history[0].valid,
        "weights": prepared.network.state_dict(),
    }


def training_encoder(
    head: str, world: World, autoencoder: str = "conv", own: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Losses of each step, validation and weights."""
    # At a higher rate, rounding alone tips a maximum over after ten steps, with one process, too.
    words = ("batch_size=16", f"min_steps={STEPS}", "epochs=1", "lr=0.0005")
    words = (f"head={head}", *needed_by(head)[1:], *(f"head.{word}" for word in (*words, *own)))
    found = described("classify", "encoder=x", *words)
    assert isinstance(found, Classification)
    steps, images = EachStep(), table(SHAPE, 90)
    labels = np.random.default_rng(0).integers(0, 3, 61)
    parts = [
        LabelledImages(replace(images, rows=rows), labels[rows])
        for rows in (np.arange(40), np.arange(40, 61))
    ]
    compute = replace(CPU, world=world)
    learned = found.head.classify(
        Task(
            Encoder(variant(autoencoder, SHAPE), found.encode, compute),
            parts[0], np.arange(40), replace(images, rows=np.arange(61, 90)), parts[1],
            features=no_features, pool=no_features,
            class_names=("a", "b", "c"), mirrored_is_same=True, choose_by="accuracy",
            seed=0, checkpoints=steps,
        )
    )  # fmt: skip
    weights = learned.classifier.encoder.model.state_dict()
    return {"losses": steps.losses(), "valid": learned.history[0].valid, "weights": weights}


def every_loss(world: World) -> dict[str, Any]:
    """Loss, terms and length of the gradient of each variant with each corruption; 7 images."""
    found = {}
    for name, corruption in itertools.product(CORRUPTED, CORRUPTIONS):
        made = corrupted(name, corruption, *EMPHASIS.get(corruption, ()))
        model = build(made.small(), SHAPE, 0).double().train()
        positions, images = world.share_of(torch.arange(7)), table(SHAPE, 7)
        batch, own = unit(images)[positions].double(), Draws(3, 0, positions)
        with exact_norms(model), shared_batch(world, own=len(positions), count=7):
            loss = whole_loss(model.loss(batch, own, progress=0.5))
        loss.total.backward()
        slopes = [world.summed(p.grad) / world.size for p in model.parameters()]
        length = torch.stack([slope.norm() for slope in slopes]).norm()
        terms = {key: float(term) for key, term in loss.terms.items()}
        found[f"{name}, {corruption}"] = {
            "total": float(loss.total.detach()),
            **terms,
            "slope": float(length),
        }
    return found


def no_features() -> Any:
    raise AssertionError("fine-tuning takes images")


def batch_norms(world: World) -> dict[str, Any]:
    """Outputs, gradients and buffers of two steps of a small network with batch norms."""
    torch.manual_seed(0)
    # Far from 0: means must not cost digits.
    given = torch.randn(2, 7, 3, 4, 4).double() * 5 + 100
    network = nn.Sequential(
        nn.BatchNorm2d(3), nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5, affine=False), nn.Flatten(),
        nn.BatchNorm1d(20, momentum=None),
    ).double()  # fmt: skip
    outputs, slopes = [], []
    with exact_norms(network):
        for whole in given:
            positions = world.share_of(torch.arange(7))
            images = whole[positions].requires_grad_()
            with shared_batch(world, own=len(positions), count=7):
                output = network(images)
                loss = batch_mean((output.square() * output.sigmoid()).flatten(1).sum(1).mean())
            loss.backward()
            outputs.append(output.detach())
            slopes.append(images.grad)
    gradients = [world.summed(p.grad) for p in network.parameters()]
    return {
        "outputs": torch.cat(outputs), "slopes": torch.cat(slopes), "gradients": gradients,
        "buffers": dict(network.named_buffers()), "names": list(network.state_dict()),
        "plain": all("forward" not in vars(module) for module in network),
    }  # fmt: skip


def encoding(world: World) -> dict[str, Any]:
    """Features by a network that is solved, of which the others know nothing before."""
    model, images = variant("pca", SHAPE), table(SHAPE, 1100)
    compute = replace(CPU, world=world)
    found = described("run", "pretrain=quick", "encode=latent")
    assert isinstance(found, Experiment)
    found.pretrain.fit(model, TrainTask(images, images, True, 0, compute))
    return {"features": Encoder(model, found.encode, compute).features(images)}


class From(Checkpoints):
    """Keeps a copy of the state after ten steps, and begins with what it is given."""

    def __init__(self, begun: Checkpoint | None) -> None:
        self.begun, self.kept = begun, begun

    def newest(self) -> Checkpoint | None:
        return self.begun

    def is_due(self, *, epoch_ended: bool) -> bool:
        return not epoch_ended

    def keep(self, checkpoint: Checkpoint) -> None:
        if checkpoint.step == 10:
            self.kept = copy.deepcopy(checkpoint)


def resuming(world: World) -> dict[str, Any]:
    """Weights of a training, and of another one that goes on from its tenth step."""
    words = ("pretrain.epochs=1", "pretrain.min_steps=20", "pretrain.batch_size=16")
    found = described("pretrain", "pretrain=quick", *words)
    assert isinstance(found, Pretraining)

    def weights(own: Checkpoints) -> dict[str, Tensor]:
        model = variant("conv", SHAPE, seed=0 if isinstance(own, From) and not own.begun else 1)
        compute = replace(CPU, world=world)
        task = TrainTask(table(SHAPE, 50), table(SHAPE, 21), True, 0, compute, own)
        found.pretrain.fit(model, task)
        return model.state_dict()

    first = From(None)
    whole = weights(first)
    # The other process has nothing of its own to go on from.
    return {
        "whole": whole,
        "resumed": weights(From(first.kept) if world.is_first else NoCheckpoints()),
    }


def talking(world: World) -> dict[str, Any]:
    """What comes out of the ways to talk, in the first process."""
    own = torch.full((2, 3), float(world.rank + 1))
    sent = (torch.arange(6.0).view(2, 3) * (1 - world.rank)).t()  # another layout
    world.copy_from_first([sent])
    # Each gives back what it has got: the sum tells whether both have the same.
    return {
        "summed": world.summed(own),
        "shared": world.share({"text": "ä", "number": 0.1} if world.is_first else None),
        "echo": world.summed(sent.contiguous()),
    }


def failing(world: World) -> None:
    """A mistake in the second process, for which the first one waits."""
    if not world.is_first:
        raise KeyError("what was missing")
    world.summed(torch.zeros(1))


def killed(world: World) -> None:
    """The second process is gone, as when the system has no memory left."""
    if not world.is_first:
        os.kill(os.getpid(), signal.SIGKILL)
    world.summed(torch.zeros(1))


def unnoticed(world: World) -> None:
    """The first process waits for something else than the second, which is gone."""
    if not world.is_first:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(200)


def never_there(told: str) -> None:
    """A process that fails while it reads its data."""
    raise ValueError("no data here")


JOBS: dict[str, Callable[[World], Any]] = {
    "conv": partial(pretraining, "conv", ("autoencoder/corruption=patch_mask",)),
    "salt and pepper": partial(
        pretraining, "conv",
        ("autoencoder/corruption=salt_pepper", "autoencoder.corruption.intact_weight=0.1"),
    ),
    "vae": partial(pretraining, "vae", ("autoencoder.free_bits=0.05",)),
    "vqvae": partial(pretraining, "vqvae", ()),
    "winners": partial(pretraining, "sparse", ("autoencoder.kind=winner_take_all",)),
    "rae": partial(pretraining, "rae", ("autoencoder.kind=gradient_penalty",)),
    "wae": partial(pretraining, "wae", ()),
    "aae": partial(pretraining, "aae", ()),
    "gmvae": partial(
        pretraining, "gmvae",
        ("autoencoder.clusters=5", "autoencoder.beta=2", "autoencoder.patch=2"),
    ),
    "conditional_vae": partial(pretraining, "conditional_vae", ()),
    # Adam makes a whole step of a slope near 0, whatever its sign; mae has many of them.
    "mae": partial(pretraining, "mae", (), lr=0.0001),
    "masked_conv": partial(pretraining, "masked_conv", ()),
    "one sample left": partial(pretraining, "conv", (), batch_size=7),
    "digits": partial(real, ("autoencoder=conv",)),
    # Components of all 64 pixels leave hardly any noise, and steps from there magnify rounding.
    "digits, vae": partial(
        real, ("autoencoder=vae", "autoencoder.patch=2", "autoencoder.principal_path=false")
    ),
    "finetune": partial(training_encoder, "finetune"),
    "joint": partial(training_encoder, "joint"),
    "ladder": partial(training_encoder, "ladder"),
    "ladder, all rungs": partial(training_encoder, "ladder", own=("lateral=[1.0,0.1]",)),
    "m2": partial(training_encoder, "m2", autoencoder="conditional_vae"),
    "losses": every_loss,
    "norms": batch_norms,
    "encoding": encoding,
    "resuming": resuming,
    "talking": talking,
    "failing": failing,
    "killed": killed,
    "unnoticed": unnoticed,
}  # fmt: skip
