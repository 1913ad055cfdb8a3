"""`-m`: a job for each combination of values, from the words to the table at the end."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ae_cls.errors import UsageError
from ae_cls.experiment import configs
from ae_cls.jobs.carry_out import exit_code, table_at_the_end
from ae_cls.jobs.launch import MOST_JOBS
from ae_cls.jobs.plan import Plan, planned, refuse_too_many
from ae_cls.jobs.process import import_ahead
from ae_cls.jobs.record import SweepFolder
from ae_cls.jobs.results import Results
from ae_cls.jobs.signals import noted_signals
from ae_cls.jobs.work import Work
from ae_cls.processes.alone import refuse_several_processes
from ae_cls.words.combinations import Combination, combinations, count_combinations
from ae_cls.words.compose import compose
from ae_cls.words.read import chosen_options, parsed

_LOG = logging.getLogger(__name__)


def sweep(command: str, words: Sequence[str], folders: Sequence[Path]) -> int:
    """Carry out all jobs; 0 when all have finished, 8 when some have not, 6 on a full disk.

    Args:
        command: what the jobs are.
        words: `group=option` and `key=value`, as the user types them.
        folders: the user's own option folders.

    Raises:
        UsageError: a word of any job is wrong; nothing has been written then.
        BusyError: another process runs this sweep.
        KeyboardInterrupt, SystemExit: a signal has ended it.
    """
    _refuse_too_many(words, folders)
    jobs = combinations(words, folders)
    _refuse_names_wrong_in_all(command, jobs, folders)
    refuse_several_processes("a sweep")
    import_ahead()
    composing = [(job.own, partial(compose, command, job.words, folders)) for job in jobs]
    plan = planned(command, composing)
    return _carried_out(plan, plan.folder(words))


def _refuse_too_many(words: Sequence[str], folders: Sequence[Path]) -> None:
    """Before any job is composed, by the number that the words or the chosen option's file say."""
    typed = {word.key_or_group: word for word in parsed(words, folders)}
    option = chosen_options(words, folders).get("launch", "local")
    if configs.is_option("launch", option, folders):
        said = configs.read_yaml(configs.option_file("launch", option, folders))
        most = said.get("max_jobs", MOST_JOBS)
        if "launch.max_jobs" in typed:
            most = typed["launch.max_jobs"].value()
        if isinstance(most, int):  # what is none, the models will say
            refuse_too_many(count_combinations(words, folders), most)


def _refuse_names_wrong_in_all(
    command: str, jobs: Sequence[Combination], folders: Sequence[Path]
) -> None:
    """Before the models are imported, which takes seconds."""
    for number, job in enumerate(jobs, 1):
        try:
            compose(command, job.words, folders)
        except UsageError:
            if number == len(jobs):
                raise
        else:
            return


def _carried_out(plan: Plan, path: Path) -> int:
    folder, count = SweepFolder(path), len(plan.jobs)
    _LOG.info("%d job%s in %s", count, "" if count == 1 else "s", path)
    with (
        folder.owned(),
        table_at_the_end(folder, plan.command, plan.jobs) as records,
        noted_signals() as signals,
    ):
        results = Results(path, plan.jobs)
        plan.launch.carry_out(Work(plan.command, plan.jobs, folder, signals, count, results))
    return exit_code(records)
