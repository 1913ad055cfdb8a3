import importlib.metadata
import json
import subprocess
import sys

import pytest

from ae_cls.cli.main import COMMANDS
from tests.cli.conftest import AeCls
from tests.composed import CONFIGS


def test_a_wrong_command_word_gets_the_nearest(ae_cls: AeCls) -> None:
    outcome = ae_cls("rnu")
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err == "error[2] there is no command rnu\n  fix    did you mean run?\n"


@pytest.mark.parametrize("words", [["--version"], ["run", "--version"], ["head=svm", "--version"]])
def test_version_is_answered_first(ae_cls: AeCls, words: list[str]) -> None:
    assert ae_cls(*words).out == f"ae-cls {importlib.metadata.version('ae-cls')}\n"


def test_the_overview_names_every_command(ae_cls: AeCls) -> None:
    assert ae_cls().out == ae_cls("--help").out
    assert all(f"\n  {word} " in ae_cls().out for word in COMMANDS)


def test_the_package_starts_like_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ae_cls", "rnu"], capture_output=True, text=True, cwd=CONFIGS.parent
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean run?" in done.stderr


@pytest.mark.parametrize("command", ["run", "pretrain", "classify"])
def test_schema_lists_the_keys_of_a_command(ae_cls: AeCls, command: str) -> None:
    outcome = ae_cls("schema", command)
    assert outcome.code == 0
    assert "seed" in json.loads(outcome.out)["required"]


@pytest.mark.parametrize(
    "words", [["schema", "encode"], ["predict"], ["predict", "--outpt", "x"], ["encode", "RUN"]]
)
def test_mistakes_of_plain_commands_are_one_block(ae_cls: AeCls, words: list[str]) -> None:
    outcome = ae_cls(*words)
    assert outcome.code == 2
    assert outcome.err.startswith("error[2] ")
    assert f"ae-cls {words[0]} --help" in outcome.err
