"""`ae-cls resume`: continue a run that was stopped."""

from collections.abc import Sequence
from typing import Any

from ae_cls.cli.exits import complain
from ae_cls.cli.last import RUN, add_run, named_run
from ae_cls.cli.parser import Parser
from ae_cls.errors import UsageError, printable
from ae_cls.experiment.configs import is_path_key

SUMMARY = "continue a run that was stopped or killed"
_EPILOG = """\
The run goes on in its own folder and ends with the same bytes as one that was never stopped.
More epochs, another device, or another number of devices or threads may be given; the result then
goes into a new folder beside it. If only its data have moved, it goes on in its own:

  ae-cls resume outputs/run/digits-conv-linear/20260101-120000-000000
  ae-cls resume latest
  ae-cls resume RUN pretrain.epochs=20
  ae-cls resume RUN device=cuda
  ae-cls resume RUN dataset.root=WHERE_THE_DATA_ARE_NOW
"""


def parser() -> Parser:
    """What may stand behind `ae-cls resume`."""
    arguments = Parser("resume", SUMMARY, epilog=_EPILOG)
    add_run(arguments, "run", "folder of the run")
    arguments.add_argument("words", nargs="*", metavar="KEY=VALUE", help="what may differ")
    return arguments


def resume(words: Sequence[str]) -> int:
    """Continue; 0 when the run has finished."""
    given = parser().read(words)
    changes = dict(_read(word) for word in given.words)
    run = named_run(given.run, given.outputs, RUN)
    from ae_cls.interrupt import end_on_signals
    from ae_cls.jobs.commands import print_result
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.run.folder import read_status
    from ae_cls.run.resume import resume as continue_run  # here, as it imports torch
    from ae_cls.saved.metrics import METRICS
    from ae_cls.saved.names import CONFIG, STATUS
    from ae_cls.saved.whole import refuse_damage

    log_to_stderr()
    end_on_signals()
    if not changes.keys() - {"dataset.root"} and read_status(run)["state"] == "finished":
        refuse_damage(run, STATUS, CONFIG, METRICS)
        complain(printable(f"this run has finished; there is nothing left to do: {run}"))
        return 0
    if result := continue_run(run, changes):
        print_result("run", result)
    return 0


def _read(word: str) -> tuple[str, Any]:
    import yaml

    from ae_cls.store.places import at_home

    key, equals, value = word.partition("=")
    if not equals:
        raise UsageError(f"{word} is not of the form key=value", fix="ae-cls resume --help")
    if is_path_key(key) and value != "null" and value[:1] not in {"'", '"'}:
        return key, at_home(value)
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"{word} cannot be read", why=str(error)) from None
    return key, at_home(read) if is_path_key(key) and isinstance(read, str) else read
