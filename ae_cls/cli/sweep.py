"""`-m`: a job for each combination of values."""

from functools import partial

from ae_cls.cli.combinations import combinations
from ae_cls.cli.compose import compose
from ae_cls.cli.flags import Words
from ae_cls.jobs.carry_out import sweep as carry_out
from ae_cls.jobs.plan import planned
from ae_cls.jobs.process import import_ahead
from ae_cls.report.terminal import log_to_stderr


def sweep(command: str, words: Words) -> int:
    """Carry out all jobs; 0 when all have finished, 8 when some have not.

    Raises:
        UsageError: a word of any job is wrong; nothing has been written then.
        BusyError: another process runs this sweep.
    """
    log_to_stderr()
    import_ahead()
    folders = words.folders
    wanted = [
        (job.own, partial(compose, command, job.words, folders))
        for job in combinations(words.overrides, folders)
    ]
    plan = planned(command, wanted)
    return carry_out(plan, plan.folder(words.overrides))
