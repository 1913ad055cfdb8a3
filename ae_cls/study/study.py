"""A study from its words to its verdict: planned, said, carried out, shown."""

import logging

from ae_cls.jobs.carry_out import exit_code
from ae_cls.jobs.process import import_ahead
from ae_cls.jobs.record import SweepFolder
from ae_cls.jobs.signals import noted_signals
from ae_cls.jobs.work import Work
from ae_cls.report.study_table import study_table
from ae_cls.report.table import print_table
from ae_cls.store.files import write_json
from ae_cls.study.live import Progress, shown
from ae_cls.study.plan import STUDY, StudyPlan, plan_of
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
    import_ahead()
    plan = plan_of(request)
    for line in lines(plan):
        _LOG.info("%s", line)
    folder = SweepFolder(plan.path)
    with folder.owned():
        folder.begin("run", plan.jobs)
        write_json(plan.path / STUDY, plan.described())
        progress = Progress(folder, plan.cells, plan.seconds)
        try:
            _carry_out(plan, folder, progress)
        finally:
            ended = folder.ended()
            folder.end("run", ended)
            print_table(study_table(progress.rows()))
    return exit_code([record for _, record in ended])


def _carry_out(plan: StudyPlan, folder: SweepFolder, progress: Progress) -> None:
    with noted_signals() as signals, shown(progress):
        plan.launch.carry_out(Work("run", plan.jobs, folder, signals, len(plan.jobs), quiet=True))
