"""`ae-cls`: the first word is the command."""

import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

from ae_cls.cli import cache, encode, predict, resume, schema, sweep_status
from ae_cls.cli.complete import complete
from ae_cls.cli.composed import run_composed
from ae_cls.cli.exits import guarded, mend_streams
from ae_cls.cli.nearest import did_you_mean
from ae_cls.cli.parser import Parser
from ae_cls.errors import UsageError
from ae_cls.experiment import configs


@final
@dataclass(frozen=True)
class Command:
    """What stands behind a command word.

    Attributes:
        call: carries out the words behind it; gives the exit code.
        summary: for the overview.
        parser: its flags and paths; None for a command whose words Hydra composes.
    """

    call: Callable[[Sequence[str]], int]
    summary: Callable[[], str]
    parser: Callable[[], Parser] | None = None


def _composed(word: str) -> Command:
    root = configs.config_folder() / f"{word}.yaml"
    return Command(partial(run_composed, word), partial(configs.first_comment, root))


COMMANDS = {
    "run": _composed("run"),
    "pretrain": _composed("pretrain"),
    "classify": _composed("classify"),
    "resume": Command(resume.resume, lambda: resume.SUMMARY, resume.parser),
    "encode": Command(encode.encode, lambda: encode.SUMMARY, encode.parser),
    "predict": Command(predict.predict, lambda: predict.SUMMARY, predict.parser),
    "bench": _composed("bench"),
    "sweep-status": Command(
        sweep_status.sweep_status, lambda: sweep_status.SUMMARY, sweep_status.parser
    ),
    "cache": Command(cache.cache, lambda: cache.SUMMARY, cache.parser),
    "schema": Command(schema.schema, lambda: schema.SUMMARY, schema.parser),
}


def main() -> None:
    """The entry point: ends the process with the exit code."""
    words = sys.argv[1:]
    # Before torch is imported. OpenMP's threads spin while they wait for each other, by default
    # for a millisecond: with anything else running they then hold the cores that the others need,
    # and training was ten times as slow. Sleeping at once costs a sixth on an idle machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    mend_streams()
    sys.exit(guarded(lambda: dispatch(words)))


def dispatch(words: Sequence[str]) -> int:
    """Carry out a command line.

    Raises:
        AeClsError: the user's mistake.
    """
    if words[:1] in (["-sc"], ["--shell-completion"]):
        return complete(words[1:], _flags())
    if "--version" in words:
        print("ae-cls", importlib.metadata.version("ae-cls"))
        return 0
    if not words or words[0] in {"-h", "--help"}:
        print(overview())
        return 0
    if words[0] in COMMANDS:
        return COMMANDS[words[0]].call(words[1:])
    known = list(COMMANDS)
    raise UsageError(
        f"there is no command {words[0]}", fix=did_you_mean(words[0], known) or ", ".join(known)
    )


def overview() -> str:
    """The help text of `ae-cls` alone."""
    rows = [f"  {word:<12} {command.summary()}" for word, command in COMMANDS.items()]
    return "\n".join(
        [
            "ae-cls: does pretraining without labels help your image classifier?",
            "",
            "usage: ae-cls COMMAND ...",
            "",
            *rows,
            "",
            "ae-cls COMMAND --help says more; ae-cls --version; completion in bash:",
            '  eval "$(ae-cls -sc install=bash)"',
        ]
    )


def _flags() -> dict[str, list[str] | None]:
    return {
        word: command.parser().flags() if command.parser else None
        for word, command in COMMANDS.items()
    }
