import subprocess
import sys

import pytest
from pydantic import BaseModel

from ae_cls.cli.help import help_of
from ae_cls.cli.main import COMMANDS
from ae_cls.experiment import configs
from ae_cls.experiment.descriptions import COMMANDS as KINDS
from tests.cli.conftest import AeCls
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
    assert ae_cls("run", "head=svm", "--help").out == ae_cls("run", "-h").out


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
