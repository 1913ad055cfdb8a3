"""Real configs, composed as the command line composes them."""

from functools import cache
from pathlib import Path

from ae_cls.experiment.common import CommonKeys
from ae_cls.experiment.descriptions import COMMANDS, Experiment
from ae_cls.experiment.read import read
from ae_cls.words.compose import compose

CONFIGS = Path(__file__).parents[1] / "configs"


def options(group: str) -> list[str]:
    """The words of a config group."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def needed_by(option: str) -> tuple[str, ...]:
    """The words without which an option of a group cannot be used."""
    if option in ("assignments", "clusters"):
        return "autoencoder=gmvae", "encode=assignments"
    return ("autoencoder=conditional_vae", "encode=latent") if option == "m2" else ()


@cache
def plain(command: str, *words: str) -> dict:
    """What a command line composes to, apart from where its jobs are carried out."""
    return {key: value for key, value in compose(command, words).items() if key != "launch"}


@cache
def described(command: str, *words: str) -> CommonKeys:
    """The validated description of a command line."""
    return read(COMMANDS[command], plain(command, *words))


def experiment(*words: str) -> Experiment:
    """The validated description of `ae-cls run` with these words."""
    found = described("run", *words)
    assert isinstance(found, Experiment)
    return found
