"""Completion in bash: `eval "$(ae-cls -sc install=bash)"`."""

import io
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout

from ae_cls.cli.flags import FLAGS, sort_words
from ae_cls.cli.words import hydra_words
from ae_cls.errors import UsageError
from ae_cls.experiment import configs

_QUERY = "query=bash"


def complete(words: Sequence[str], commands: Mapping[str, Sequence[str] | None]) -> int:
    """Print what the shell asks for: the script to install, or what may stand at the cursor.

    Args:
        words: behind `-sc`.
        commands: command words, each with its flags; None for those that Hydra composes.
    """
    if _QUERY not in words:
        _ask_hydra("run", words)  # the script is the same for all commands
        return 0
    typed = _before_cursor()
    *earlier, current = typed.split()[1:] + ([""] if typed.endswith(" ") else [])
    if not earlier:
        print(*commands)
    elif earlier[0] in commands:
        _complete_command(earlier[0], commands[earlier[0]], earlier[1:], current)
    return 0


def _before_cursor() -> str:
    line = os.environ.get("COMP_LINE", "")
    return line[: int(os.environ.get("COMP_POINT") or len(line))] or "ae-cls "


def _complete_command(
    command: str, flags: Sequence[str] | None, earlier: list[str], current: str
) -> None:
    if current.startswith("-"):
        print(*(flags or [flag.names[-1] for flag in FLAGS]))
    elif flags is None:
        try:
            _complete_override(command, earlier, current)
        except UsageError:
            return  # an earlier word is wrong: it is told when the line is entered


def _complete_override(command: str, earlier: list[str], current: str) -> None:
    words = sort_words(earlier)
    sweep = ["-m"] if "--multirun" in words.flags else []
    folder = words.flags.get("--config-dir")
    # Hydra reads the line as if there was no command word, and wants its flags first.
    line = " ".join(["ae-cls", *sweep, *hydra_words(words), current])
    os.environ["COMP_LINE"] = line
    with redirect_stdout(io.StringIO()) as found:
        _ask_hydra(command, [*(["--config-dir", folder] if folder else []), _QUERY])
    foreign = {"hydra", *configs.groups(words.config_folders)} - {*configs.groups_of(command)}
    print(
        *(word for word in found.getvalue().split() if current or word.rstrip("=") not in foreign)
    )


def _ask_hydra(command: str, words: Sequence[str]) -> None:
    from ae_cls.cli.compose import hand_to_hydra

    hand_to_hydra(command, ["-sc", *words], _no_job)


def _no_job(config: object) -> None:
    raise AssertionError("completion starts no job")
