"""`ae-cls`: the first word is the command."""

import os
import sys
from collections.abc import Sequence
from functools import partial

from ae_cls.cli import flags
from ae_cls.cli.commands import (
    cache,
    encode,
    predict,
    report,
    resume,
    schema,
    search,
    study,
    sweep_status,
    verify,
)  # fmt: skip
from ae_cls.cli.commands.run import run_composed
from ae_cls.cli.exits import guarded
from ae_cls.cli.parser import Command
from ae_cls.errors import UsageError
from ae_cls.experiment import configs
from ae_cls.terminal.fitted import fitted
from ae_cls.terminal.streams import make_printing_safe


def _composed(word: str) -> Command:
    summary = configs.first_comment(configs.config_folder() / f"{word}.yaml")
    parser = partial(flags.parser, word)
    return Command(partial(run_composed, word), parser, summary, is_composed=True)


COMMANDS = {
    "run": _composed("run"),
    "pretrain": _composed("pretrain"),
    "classify": _composed("classify"),
    "resume": Command(resume.resume, resume.parser, resume.SUMMARY),
    "encode": Command(encode.encode, encode.parser, encode.SUMMARY),
    "predict": Command(predict.predict, predict.parser, predict.SUMMARY),
    "study": Command(study.study_command, study.parser, study.SUMMARY, is_composed=True),
    "search": Command(search.search_command, search.parser, search.SUMMARY),
    "report": Command(report.report_command, report.parser, report.SUMMARY),
    "check": _composed("check"),
    "bench": _composed("bench"),
    "sweep-status": Command(sweep_status.sweep_status, sweep_status.parser, sweep_status.SUMMARY),
    "cache": Command(cache.cache, cache.parser, cache.SUMMARY),
    "verify": Command(verify.verify_command, verify.parser, verify.SUMMARY),
    "schema": Command(schema.schema, schema.parser, schema.SUMMARY),
}


def main() -> None:
    """The entry point: ends the process with the exit code."""
    # Before torch is imported. OpenMP's threads spin while they wait for each other, by default
    # for a millisecond: with anything else running they then hold the cores that the others need,
    # and training was ten times as slow. Sleeping at once costs a sixth on an idle machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # Those of NumPy's and SciPy's BLAS spin for longer still. Asleep after 2**4 rounds, they found
    # eigenvectors of 960 x 960 beside six other programs in 2.5 s in place of 21.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    # Whatever the user's own umask, nobody else may write to what is made here.
    os.umask(os.umask(0o077) | 0o002)
    make_printing_safe()
    sys.exit(guarded(dispatch, sys.argv[1:]))


def dispatch(words: Sequence[str]) -> int:
    """Carry out a command line; the exit code.

    Raises:
        AeClsError: what the user can mend.
    """
    if words[:1] in (["-sc"], ["--shell-completion"]):
        from ae_cls.cli.complete import complete

        return complete(words[1:], COMMANDS)
    if "--version" in words:
        from importlib.metadata import version  # here, as it takes a third of the time of --help

        print("ae-cls", version("ae-cls"))
        return 0
    if not words or words[0] in {"-h", "--help"}:
        print(fitted(overview(), sys.stdout), end="")
        return 0
    if words[0] in COMMANDS:
        return COMMANDS[words[0]].call(words[1:])
    from ae_cls.experiment.hints import meant_command  # here, as few command lines need it

    known = list(COMMANDS)
    raise UsageError(
        f"there is no command {words[0]}", fix=meant_command(words[0], known) or ", ".join(known)
    )


def overview() -> str:
    """The help text of `ae-cls` alone."""
    rows = "\n".join(f"  {word:<12} {command.summary}" for word, command in COMMANDS.items())
    return f"""\
ae-cls: does pretraining without labels help your image classifier?

usage: ae-cls COMMAND ...

{rows}

ae-cls COMMAND --help says more; ae-cls --version; completion, also in zsh and fish:
  eval "$(ae-cls -sc install=bash)"
"""
