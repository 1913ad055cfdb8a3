"""`ae-cls resume`: go on with a run that was stopped."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ae_cls.cli.parser import Parser
from ae_cls.errors import UsageError

SUMMARY = "go on with a run that was stopped or killed"
_EPILOG = """\
The run goes on in its own folder and ends with the same bytes as one that was never stopped.
More epochs, another device, other numbers of devices or threads may be given; what comes out then
goes into a new folder:

  ae-cls resume outputs/run/digits-conv-linear/20260101-120000-000000
  ae-cls resume RUN pretrain.epochs=20
  ae-cls resume RUN device=cuda
"""
_LOG = logging.getLogger(__name__)


def parser() -> Parser:
    """What may stand behind `ae-cls resume`."""
    found = Parser("resume", SUMMARY, epilog=_EPILOG)
    found.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    found.add_argument("words", nargs="*", metavar="KEY=VALUE", help="what may differ")
    return found


def resume(words: Sequence[str]) -> int:
    """Go on; 0 when the run has finished."""
    given = parser().read(words)
    changes = dict(_read(word) for word in given.words)
    from ae_cls.interrupt import end_on_signals
    from ae_cls.jobs.commands import print_result
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.run.folder import read_status
    from ae_cls.run.resume import resume as go_on  # here, as it imports torch

    log_to_stderr()
    end_on_signals()
    if not changes and read_status(given.run)["state"] == "finished":
        _LOG.info("this run has finished; there is nothing left to do: %s", given.run)
        return 0
    if result := go_on(given.run, changes):
        print_result("run", result)
    return 0


def _read(word: str) -> tuple[str, Any]:
    import yaml

    key, equals, value = word.partition("=")
    if not equals:
        raise UsageError(f"{word} is not of the form key=value", fix="ae-cls resume --help")
    return key, yaml.safe_load(value)
