"""Layers of a stack trained one after another."""

import json
import math

import pytest
import torch

from ae_cls.autoencoder.contract import Autoencoder, build
from ae_cls.compute import Compute
from ae_cls.errors import UsageError
from ae_cls.pretrain.layerwise import LayerwisePretraining
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.run import pretrain
from ae_cls.store.weights import weights_bytes
from ae_cls.train.checkpoint import Checkpoint, Checkpoints, NoCheckpoints
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import VARIANTS, config, draws, table, unit
from tests.composed import described

CPU = Compute(torch.device("cpu"), "fp32")
IMAGES, VALID = table((1, 8, 8), 24), table((1, 8, 8), 10)
SHORT = ("pretrain.epochs=2", "pretrain.batch_size=8", "pretrain.min_steps=1")
STACKS = {
    "deep": ("autoencoder.widths=[16,12]", "autoencoder.latent_dim=4"),
    "conv": ("autoencoder.widths=[8,8,16]", "autoencoder.patch=1", "autoencoder.latent_dim=4"),
}
LAYERS = 3


def stack(name: str, *words: str) -> Autoencoder:
    return build(config(name, *STACKS[name], *words), (1, 8, 8), 0)


def schedule(*words: str) -> LayerwisePretraining:
    found = described("pretrain", "pretrain=layerwise", *SHORT, *words).pretrain
    assert isinstance(found, LayerwisePretraining)
    return found


def task(checkpoints: Checkpoints) -> TrainTask:
    return TrainTask(IMAGES, VALID, True, 0, CPU, checkpoints)


class Noted(Checkpoints):
    """Notes the whole network after each part; stops after so many steps."""

    def __init__(self, inner: Checkpoints, steps: float = math.inf) -> None:
        self.inner, self.left = inner, steps
        self.kept: list[Checkpoint] = []

    def newest(self) -> Checkpoint | None:
        return self.inner.newest()

    def is_due(self, *, epoch_ended: bool) -> bool:
        self.left -= not epoch_ended
        if self.left == 0:
            raise KeyboardInterrupt
        return False

    def keep(self, checkpoint: Checkpoint) -> None:
        tensors = {name: tensor.clone() for name, tensor in checkpoint.tensors.items()}
        self.kept.append(Checkpoint(checkpoint.step, tensors, checkpoint.facts))
        self.inner.keep(checkpoint)


def network_in(checkpoint: Checkpoint, kind: str) -> dict[str, torch.Tensor]:
    start = f"{kind}.model."
    parts = checkpoint.tensors.items()
    return {name.removeprefix(start): t for name, t in parts if name.startswith(start)}


@pytest.mark.parametrize("name", STACKS)
def test_while_a_layer_trains_all_others_stay_to_the_byte(name):
    model, noted = stack(name, "autoencoder/corruption=none"), Noted(NoCheckpoints())
    model.fit_closed_form(IMAGES, seed=0)  # once more when training begins, and with the same end
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    trained = [
        {tensor.data_ptr() for module in layer.modules for tensor in module.state_dict().values()}
        for layer in model.layers()
    ]
    places = {key: tensor.data_ptr() for key, tensor in model.state_dict().items()}
    names = [{key for key, place in places.items() if place in own} for own in trained]
    schedule("pretrain.joint_epochs=0").fit(model, task(noted))
    assert len(noted.kept) == LAYERS
    for checkpoint, own in zip(noted.kept, names, strict=True):
        after = network_in(checkpoint, "network")
        assert {key for key in before if not torch.equal(before[key], after[key])} == own
        before = network_in(checkpoint, "best")
    assert all(torch.equal(before[key], t) for key, t in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "words"), [("deep", ()), ("conv", ("autoencoder.principal_path=false",))]
)
def test_the_stack_afterwards_is_the_layers_put_together(name, words):
    model = stack(name, *words).eval()
    images = unit(IMAGES)
    code = model.feature_maps(images)[-1].flatten(1)
    code = model.to_latent(code)
    assert torch.equal(model.encode(images), code)


def test_one_stage_is_the_plain_variant():
    words = ("autoencoder.widths=[8]", "autoencoder/corruption=patch_mask")
    alone, plain = (build(config("conv", *words), (1, 8, 8), 0) for _ in range(2))
    history = schedule("pretrain.joint_epochs=0").fit(alone, task(NoCheckpoints()))
    usual = described("pretrain", "pretrain=standard", *SHORT).pretrain
    expected = usual.fit(plain, task(NoCheckpoints()))
    assert weights_bytes(alone) == weights_bytes(plain)
    assert [record.train for record in history] == [record.train for record in expected]


@pytest.mark.parametrize("name", STACKS)
def test_a_layer_is_given_clean_codes_and_its_own_input_is_corrupted(name):
    clean = stack(name, "autoencoder/corruption=none").eval()
    words = ("autoencoder/corruption=gaussian", "autoencoder.corruption.deviation=0.5")
    noisy = stack(name, *words).eval()
    images = unit(IMAGES)
    for number in range(LAYERS):
        torch.manual_seed(0)
        plain = clean.layers()[number].loss(images, draws(24), 0.0).total
        torch.manual_seed(0)
        harder = noisy.layers()[number].loss(images, draws(24), 0.0).total
        assert not torch.equal(plain, harder)
        assert torch.equal(clean._below(number, images), noisy._below(number, images))


@pytest.mark.parametrize("name", STACKS)
def test_each_layer_learns(name):
    model = stack(name)
    longer = schedule("pretrain.epochs=8", "pretrain.joint_epochs=2", "pretrain.lr=0.01")
    history = longer.fit(model, task(NoCheckpoints()))
    stages = list(dict.fromkeys(record.stage for record in history))
    assert stages == [*(f"pretrain layer {n} of {LAYERS}" for n in (1, 2, 3)), "pretrain"]
    for stage in stages[:-1]:
        losses = [record.train["loss"] for record in history if record.stage == stage]
        assert losses[-1] < losses[0]


@pytest.mark.parametrize("steps", [1, 6, 7, 13, 18, 20])
def test_a_stop_in_any_layer_changes_no_byte(tmp_path, steps):
    def fit(checkpoints: Checkpoints) -> tuple[bytes, str]:
        model = stack("conv")
        history = schedule("pretrain.joint_epochs=1").fit(model, task(checkpoints))
        return weights_bytes(model), json.dumps([record.as_dict() for record in history])

    straight = fit(NoCheckpoints())
    with pytest.raises(KeyboardInterrupt):
        fit(Noted(CheckpointFolder(tmp_path / "a", of="a", every=math.inf), steps))
    assert fit(CheckpointFolder(tmp_path / "a", of="a", every=math.inf)) == straight


def test_what_is_no_stack_is_refused_with_those_that_are():
    for name in VARIANTS:
        if not config(name).is_stack:
            with pytest.raises(UsageError) as refusal:
                described("run", f"autoencoder={name}", "pretrain=layerwise", "head=linear")
            assert "choose deep or conv" in refusal.value.where


def test_a_run_has_its_layers_in_its_history(tmp_path):
    words = (
        "autoencoder=deep", *STACKS["deep"], "pretrain=layerwise", "pretrain.epochs=1",
        "pretrain.min_steps=2", "pretrain.joint_epochs=1", "figures=false", "store=own",
    )  # fmt: skip
    result = pretrain(described("pretrain", *words, f"folder={tmp_path / 'run'}"))
    lines = (result.folder / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["stage"] for line in lines][::3] == [
        "pretrain layer 1 of 3",
        "pretrain",
    ]
    assert "reconstruction" in result.metrics
