"""Recipes compose, say what they are, and run on small data of the same shape."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from ae_cls.autoencoder.contract import build
from ae_cls.cli.help import help_of
from ae_cls.errors import UsageError
from ae_cls.experiment import configs
from ae_cls.experiment.again import words_of
from ae_cls.experiment.recipes import GROUP, spelt_out
from ae_cls.run.run import run
from ae_cls.study.arms import Arm, words_of_arm
from ae_cls.study.request import own_arms
from ae_cls.words.combinations import combinations
from tests.autoencoder.variants import config
from tests.composed import CONFIGS, experiment, options, plain

RECIPES = options(GROUP)
SAID = ("# Source: ", "# Command", "# Cost: ", "# Expected: ")


def words_in(name: str) -> list[str]:
    return configs.read_yaml(CONFIGS / GROUP / f"{name}.yaml")["words"]


def is_study(name: str) -> bool:
    return any(word.startswith(("study", "arm.")) for word in words_in(name))


def runs_of(name: str, *more: str) -> Iterator[Sequence[str]]:
    """The words of each run that a recipe makes; of a study, of each arm of its own."""
    command = "study" if is_study(name) else "run"
    words, arms = own_arms(spelt_out(command, [f"{GROUP}={name}", *more], ()))
    words = tuple(word for word in words if not word.startswith("study"))
    for own in arms.values() or [()]:
        whole = words_of_arm(Arm("", own, ""), words, configs.defaults_of("run"))
        yield from (one.words for one in combinations(whole))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_states_source_command_cost_and_expected_result(name):
    text = (CONFIGS / GROUP / f"{name}.yaml").read_text(encoding="utf-8")
    assert all(said in text for said in SAID)
    command = "study" if is_study(name) else "run( -m)?"
    assert re.search(rf"^#   ae-cls {command} {GROUP}={name}\b", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", RECIPES)
def test_every_run_of_a_recipe_composes_and_has_its_words(name):
    root = ("dataset.root=photos",) if "dataset=folder" in words_in(name) else ()
    for words in runs_of(name, *root):
        composed = plain("run", *words)
        experiment(*words)
        assert plain("run", *words_of(composed)) == composed


SMALL = ("pretrain.epochs=1", "pretrain.min_steps=2", "pretrain.batch_size=8")
STAND_INS = {
    "article1": ((28, 28), SMALL),
    "article2_dense": ((28, 28), SMALL),
    "article2_vgg16": ((224, 224, 3), (
        *SMALL, "autoencoder.network=vgg11", "autoencoder.stages=1",
        "autoencoder.weights=first.pth", "autoencoder.decoder_width=8",
    )),
    "cpu_quick": ((28, 28), (*SMALL, "labels.per_class=3")),
    "few_labels": ((28, 28), (*SMALL, "labels.per_class=3")),
    "wide_frozen": ((32, 32, 3), ("autoencoder.centres=8", "autoencoder.patches=500")),
    "cifar_conv": ((32, 32, 3), (*SMALL, "labels.fraction=0.5")),
    "mae_small": ((32, 32, 3), (
        *SMALL, "autoencoder.width=12", "autoencoder.depth=1", "autoencoder.decoder_width=12",
        "autoencoder.decoder_depth=1",
    )),
    "stl10_unlabelled": ((96, 96, 3), (*SMALL, "labels.per_class=3")),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_on_small_data_of_the_same_shape(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shape, words = STAND_INS[name]
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 255, (40, *shape), np.uint8), np.arange(40) % 4
    # An official test part, as most of the recipes' data have: nothing is judged by folds.
    np.savez(
        "made_up.npz", train_images=images[:32], train_labels=labels[:32],
        test_images=images[32:], test_labels=labels[32:],
    )  # fmt: skip
    if "autoencoder.weights=first.pth" in words:
        save_weights_of_torchvision("vgg11", "first.pth")
    data = ("dataset=npz", "dataset.root=made_up.npz", "figures=false", "store=own")
    words_of_first = next(iter(runs_of(name, *data, *words)))
    assert "accuracy" in run(experiment(*words_of_first)).metrics["test"]


def save_weights_of_torchvision(network: str, path: str) -> None:
    trunk = build(config("backbone", f"autoencoder.network={network}"), (3, 224, 224), 0).trunk
    layers = trunk.layers.state_dict().items()
    torch.save({f"features.{key}": tensor for key, tensor in layers}, path)


def test_the_users_words_take_the_place_of_a_recipes():
    said = spelt_out("run", ["experiment=wide_frozen", "autoencoder.centres=8", "seed=1"], ())
    assert "autoencoder.centres=8" in said and "autoencoder.centres=1600" not in said
    assert said[-1] == "seed=1"
    other = spelt_out("run", ["+experiment=wide_frozen", "autoencoder=pca"], ())
    assert [word for word in other if word.startswith("autoencoder")] == ["autoencoder=pca"]


def test_a_recipe_that_is_a_study_says_so_elsewhere():
    with pytest.raises(UsageError) as refusal:
        spelt_out("run", ["experiment=article1", "seed=1"], ())
    assert refusal.value.fix == "ae-cls study experiment=article1 seed=1"


def test_a_wrong_recipe_names_the_nearest():
    with pytest.raises(UsageError) as refusal:
        spelt_out("run", ["experiment=artcle1"], ())
    assert refusal.value.fix == "did you mean article1?"


def test_help_lists_the_recipes():
    for command in ("run", "study"):
        assert all(f"  {name} " in help_of(command) for name in RECIPES)
    assert GROUP not in help_of("pretrain")
