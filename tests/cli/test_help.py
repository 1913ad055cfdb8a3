import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import zip_longest

import pytest
from pydantic import BaseModel

from ae_cls.cli.help import help_of, help_of_options
from ae_cls.cli.main import COMMANDS
from ae_cls.experiment import configs
from ae_cls.experiment.descriptions import COMMANDS as KINDS
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import options

COMPOSED = sorted(KINDS)
PARTS = {*configs.groups(), "yardstick"}


def descriptions(kind: type[BaseModel], above: str = "") -> dict[str, str]:
    """What each key that is no group says of itself."""
    found: dict[str, str] = {}
    for name, field in kind.model_fields.items():
        if name in PARTS:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= descriptions(field.annotation, f"{name}.")
        elif field.description:
            found[above + name] = field.description
    return found


@pytest.mark.parametrize("command", COMPOSED)
def test_the_comments_behind_keys_say_what_the_descriptions_say(command: str) -> None:
    meanings = {key.name: key.meaning for key in configs.keys_of(command)}
    assert meanings == descriptions(KINDS[command])


@pytest.mark.parametrize("command", COMPOSED)
def test_help_lists_every_option_and_key_with_its_description(command: str) -> None:
    text = help_of(command)
    for group in configs.groups_of(command):
        for option in options(group):
            comment = configs.first_comment(configs.config_folder() / group / f"{option}.yaml")
            assert comment
            assert f"{option} " in text and comment in text
    for key, description in descriptions(KINDS[command]).items():
        assert f"{key}=" in text and description in text


def test_the_default_options_are_marked() -> None:
    assert "* digits" in help_of("run")
    assert "  mnist" in help_of("run")


@pytest.mark.parametrize("word", COMMANDS)
def test_every_command_has_help(ae_cls: AeCls, word: str) -> None:
    for flag in ("-h", "--help"):
        outcome = ae_cls(word, flag)
        assert outcome.code == 0
        assert f"ae-cls {word}" in outcome.out


def test_help_is_given_wherever_it_is_asked_for(ae_cls: AeCls) -> None:
    assert ae_cls("run", "seed=3", "--help").out == ae_cls("run", "-h").out


@with_hydra
def test_help_of_options_says_what_their_keys_mean_and_may_be(ae_cls: AeCls) -> None:
    words = [
        "autoencoder=vae",
        "pretrain=quick",
        "dataset=folder",
        "autoencoder.corruption=gaussian",
    ]
    out = ae_cls("run", *words, "head=svm", "launch=slurm", "encode=pooled", "--help").out
    text = " ".join(out.split())
    for row in (
        "autoencoder=vae: convolutional variational autoencoder; its code is the mean",
        "autoencoder.latent_dim=64 numbers in the code; whole number from 1 ",
        "autoencoder.corruption=... gaussian, hidden_cells, none, patch_mask, salt_pepper: ",
        "autoencoder.corruption.deviation=0.2 ",
        "autoencoder.widths=[128,64] ",
        "; number from 0 to 1 ",
        "pretrain.epochs=3 ",
        "pretrain.augment.flip=false ",
        "pretrain.optimiser=adamw adam couples its weight decay; adamw or adam ",
        "dataset.root=null ",
        "; path, or null ",
        "head.C=[1.0,10.0,100.0] ",
        "; list, each number above 0 ",
        "launch.array=16 jobs that run at a time; whole number from 1 ",
        "encode.grid=3 ",
        "All groups and the other keys: ae-cls run --help",
    ):
        assert row in text, row
    assert all(len(line) <= 80 for line in out.splitlines() if line.startswith(" " * 6))


def options_side_by_side(groups: Iterable[str]) -> Iterator[dict[str, str]]:
    """The first option of each group, then the second of each, and so on."""
    names = list(groups)
    for found in zip_longest(*(options(group) for group in names)):
        yield {group: option for group, option in zip(names, found, strict=True) if option}


@with_hydra
def test_help_of_an_option_has_each_key_of_its_file() -> None:
    """Of one option of each group at a time, as it takes a while to compose."""
    groups = configs.all_groups_of("run")
    outer = options_side_by_side(group for group in groups if "/" not in group)
    inner = options_side_by_side(group for group in groups if "/" in group)
    for chosen in (*outer, *inner):
        words = [f"{group.replace('/', '.')}={option}" for group, option in chosen.items()]
        text = help_of_options("run", words, ())
        for group, option in chosen.items():
            dotted = group.replace("/", ".")
            assert f"{dotted}={option}: " in text
            values = configs.read_yaml(configs.config_folder() / group / f"{option}.yaml")
            values.pop("defaults", None)
            for key in configs.key_names(values, f"{dotted}."):
                assert f"  {key}=" in text or f"  {key}." in text, key


@with_hydra
def test_a_wrong_option_has_no_help(ae_cls: AeCls) -> None:
    outcome = ae_cls("run", "autoencoder=vea", "--help")
    assert outcome.code == 2 and "did you mean vae?" in outcome.err


def test_help_and_version_import_nothing_heavy() -> None:
    script = """
import contextlib, io, sys
from ae_cls.cli.main import COMMANDS, dispatch
with contextlib.redirect_stdout(io.StringIO()):
    for words in ([], ["--help"], ["--version"], *([word, "--help"] for word in COMMANDS)):
        with contextlib.suppress(SystemExit):
            dispatch(words)
heavy = {"torch", "sklearn", "hydra", "omegaconf", "numpy", "pydantic", "matplotlib", "rich"}
print(sorted(heavy & sys.modules.keys()))
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
