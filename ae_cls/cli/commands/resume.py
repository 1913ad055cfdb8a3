"""`ae-cls resume`: continue a run that was stopped."""

from collections.abc import Sequence

from ae_cls.cli.exits import complain
from ae_cls.cli.last import add_run, named
from ae_cls.cli.parser import Parser
from ae_cls.errors import printable

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
    arguments = Parser("resume", SUMMARY, epilog=_EPILOG)
    add_run(arguments, "run", "folder of the run")
    arguments.add_argument("words", nargs="*", metavar="KEY=VALUE", help="what may differ")
    return arguments


def resume(words: Sequence[str]) -> int:
    """Continue; 0 when the run has finished."""
    given = parser().read(words)
    from ae_cls.interrupt import end_on_signals  # here and below, as these take time to import
    from ae_cls.jobs.last import RUN
    from ae_cls.words.read import values_of

    changes = values_of(given.words)
    run = named(given.run, given.outputs, RUN)
    from ae_cls.jobs.commands import print_result
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.run.folder import read_status
    from ae_cls.run.resume import resume as continue_run
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
