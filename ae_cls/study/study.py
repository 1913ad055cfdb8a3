"""A study from its words to its verdict: planned, said, carried out, shown."""

import logging
import time
from collections.abc import Sequence

from ae_cls.jobs.carry_out import exit_code
from ae_cls.jobs.process import import_ahead
from ae_cls.jobs.record import Record, SweepFolder
from ae_cls.jobs.results import Results, results_of
from ae_cls.jobs.signals import noted_signals
from ae_cls.jobs.work import Work
from ae_cls.report.study_table import study_table
from ae_cls.report.table import print_table
from ae_cls.saved.names import STUDY
from ae_cls.saved.written_by import stamp
from ae_cls.store.files import write_json
from ae_cls.study.earlier import planned_in
from ae_cls.study.live import Progress, shown
from ae_cls.study.plan import StudyPlan, plan_of
from ae_cls.study.request import Request
from ae_cls.study.say import lines

_LOG = logging.getLogger(__name__)


def study(request: Request) -> int:
    """Carry out a study; 0 when all runs have finished, 8 when some have not.

    Raises:
        UsageError: a word is wrong; nothing has been written then.
        BusyError: another process is at this study.
        KeyboardInterrupt, SystemExit: a signal has ended it.
    """
    plan = explain(request)
    folder = SweepFolder(plan.path)
    with folder.owned():
        earlier = planned_in(plan.path).cells  # of more draws than now, perhaps
        folder.begin("run", plan.jobs)
        described = {**stamp(), **plan.described()}
        write_json(plan.path / STUDY, {**described, "cells": earlier | described["cells"]})
        progress = Progress(folder, plan.cells, plan.estimates)
        try:
            _carry_out(plan, folder, progress)
        except (KeyboardInterrupt, SystemExit) as stop:
            stop.add_note(str(plan.path))  # where there is what has finished
            raise
        finally:
            ended = folder.ended()
            folder.end("run", ended)
            results_of(plan.path, ended).write()
            print_table(study_table(progress.rows()))
        records = [record for _, record in ended]
        if any(record.is_done for record in records):
            _print_verdict(plan)
        _say_what_is_left(records)
    return exit_code(records)


def explain(request: Request) -> StudyPlan:
    """Say what is compared with what, how often and how long it takes; nothing is run.

    Raises:
        UsageError: a word is wrong.
    """
    import_ahead()
    plan = plan_of(request)
    for line in lines(plan):
        _LOG.info("%s", line)
    return plan


def _print_verdict(plan: StudyPlan) -> None:
    from ae_cls.compare.report import report  # here, as these take time to import
    from ae_cls.report.verdict_table import verdict_table

    made = report([plan.path], plan.path / "report")
    print_table(verdict_table(made.page, made.files))


def _say_what_is_left(records: Sequence[Record]) -> None:
    left = sum(not record.has_begun for record in records)
    if left:
        runs = "1 run was" if left == 1 else f"{left} runs were"
        _LOG.warning("%s not begun in time; the same command does what is missing", runs)


def _carry_out(plan: StudyPlan, folder: SweepFolder, progress: Progress) -> None:
    results, until = Results(plan.path, plan.jobs), _end_of(plan.settings.minutes)
    with noted_signals() as signals, shown(progress):
        work = Work(
            "run", plan.jobs, folder, signals, len(plan.jobs), results, quiet=True, until=until
        )
        plan.at_once.launch.carry_out(work)


def _end_of(minutes: float | None) -> float | None:
    """When so many minutes from now are over, by the monotonic clock: estimates may be wrong."""
    return None if minutes is None else time.monotonic() + 60 * minutes
