"""A search from its words to its winner: trials are drawn, carried out and told of in a table."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ae_cls.cli.flags import Words
from ae_cls.cli.job_process import import_ahead
from ae_cls.cli.search_goal import GOALS, Goal
from ae_cls.cli.search_jobs import Jobs, Launch, jobs_of
from ae_cls.cli.search_refusals import refuse_unfair, refuse_words
from ae_cls.cli.search_study import Outcome, Study, Trial, open_study
from ae_cls.cli.search_winner import print_winner
from ae_cls.cli.sweep import Job, code_of, name_of
from ae_cls.cli.sweep_launch import stopped_by_signals
from ae_cls.cli.sweep_owner import owned
from ae_cls.cli.sweep_record import (
    Planned,
    Record,
    add_to_plan,
    keep_record,
    planned_jobs,
    record_of,
    table_at_the_end,
)
from ae_cls.errors import StorageError, UsageError
from ae_cls.interrupt import INTERRUPTED
from ae_cls.report.terminal import log_to_stderr

_LOG = logging.getLogger(__name__)
_STUDY = "study.db"


def carry_out_trials(command: str, words: Words) -> int:
    """Search; 0 when all trials have finished, 8 when some have not.

    Raises:
        UsageError: a word is wrong; nothing has been written then.
        BusyError: another process is at this search.
    """
    log_to_stderr()
    refuse_words(command, words)
    import_ahead()
    goal = GOALS[command]
    with jobs_of(command, words, goal.words) as jobs:
        refuse_unfair(jobs.space)
        first = jobs.checked(jobs.space.probes())[0]
        told = _told(jobs, first)
        folder = _folder(jobs, first, told)
        _LOG.info("%d trials in %s", jobs.settings.n_trials, folder)
        with owned(folder), _study(folder, jobs, goal, first, told) as study:
            search = Search(jobs, goal, study, folder, jobs.launching(folder))
            records = search.carry_out()
            print_winner(command, words, jobs.space, goal, study.ended(), folder)
    return code_of(records)


def _told(jobs: Jobs, first: Job) -> list[str]:
    """What makes it this search: not how many trials, how they are launched or where they lie."""
    settings = jobs.settings.model_dump(include={"sampler", "startup_trials", "seed"})
    return [
        jobs.command,
        *sorted([*jobs.space.fixed, *jobs.space.searched]),
        *(f"{key}={value}" for key, value in settings.items()),
        # The numbers behind the words may change, in a file of options.
        f"config={first.digest}",
    ]


def _folder(jobs: Jobs, first: Job, told: Sequence[str]) -> Path:
    """The same words find the same folder again."""
    if first.plain["folder"]:
        raise UsageError("a search names the folders of its jobs", where="folder")
    if jobs.settings.folder:
        return Path(jobs.settings.folder)
    name = hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]
    return Path(first.plain["outputs"]) / "run" / f"search-{name}"


@contextmanager
def _study(
    folder: Path, jobs: Jobs, goal: Goal, first: Job, told: Sequence[str]
) -> Iterator[Study]:
    seed = first.plain["seed"] if jobs.settings.seed is None else jobs.settings.seed
    with open_study(
        folder / _STUDY, jobs.space, jobs.settings, direction=goal.direction, seed=seed, told=told
    ) as study:
        yield study


@final
@dataclass(frozen=True)
class Search:
    """Carries out what the study draws.

    Attributes:
        jobs: composes and launches.
        goal: what trials are compared by.
        study: draws and remembers.
        folder: of the jobs.
        launch: carries them out there.
    """

    jobs: Jobs
    goal: Goal
    study: Study
    folder: Path
    launch: Launch

    def carry_out(self) -> list[Record]:
        """All trials until there have been enough, then the table; how the jobs went."""
        with (
            table_at_the_end(
                self.folder,
                self.jobs.command,
                self._ended_before(),
                self.jobs.conditions,
                self.goal.order,
            ) as records,
            stopped_by_signals(self.folder),
        ):
            self._recall()
            while trials := self.study.following():
                self._carry_out(trials)
        return records

    def _ended_before(self) -> list[Planned]:
        """The jobs of the trials that ended in earlier calls, each once."""
        found = {
            outcome.name: Planned(self.jobs.space.words(trial.drawn), outcome.name)
            for trial, outcome in self.study.ended()
        }
        return list(found.values())

    def _recall(self) -> None:
        """Write down again how they ended."""
        for _, outcome in self.study.ended():
            state = "failed" if outcome.score is None else "skipped"
            record = Record(
                state, metrics=outcome.metrics, code=outcome.code, reason=outcome.reason
            )
            keep_record(self.folder, outcome.name, record, self.folder / outcome.name, 0.0)

    def _carry_out(self, trials: Sequence[Trial]) -> None:
        names = [self._prepared(trial) for trial in trials]
        self.launch([job for _, job in names if job])
        for trial, (name, _) in zip(trials, names, strict=True):
            self.study.tell(trial, self._outcome(name))

    def _prepared(self, trial: Trial) -> tuple[str, Job | None]:
        """The name of a trial's job, and the job where it has to be carried out."""
        words = self.jobs.space.words(trial.drawn)
        try:
            (job,) = self.jobs.checked([words])
        except UsageError as mistake:
            return self._refused(trial, mistake), None
        name = name_of(words, job.digest)
        # An equal config, drawn again, is carried out once.
        if any(name == planned.name for planned in planned_jobs(self.folder)):
            return name, None
        add_to_plan(self.folder, [Planned(words, name)])
        return name, job

    def _refused(self, trial: Trial, mistake: UsageError) -> str:
        """Write down that its values do not go together, though each of them was right."""
        name = f"trial-{trial.number}"
        add_to_plan(self.folder, [Planned(self.jobs.space.words(trial.drawn), name)])
        record = Record("failed", code=mistake.code, reason=mistake.where or mistake.what)
        keep_record(self.folder, name, record, self.folder / name, 0.0)
        return name

    def _outcome(self, name: str) -> Outcome:
        record = record_of(self.folder, name)
        if record.is_done:
            score, kept = self.goal.score(record.metrics), self.goal.kept(record.metrics)
            return Outcome(name=name, score=score, metrics=kept, code=0, reason="")
        if record.code == StorageError.code or record.state not in {"failed", "died"}:
            # The trial stays open: the same command again carries it out.
            raise SystemExit(record.code or INTERRUPTED)
        return Outcome(name=name, score=None, metrics={}, code=record.code, reason=record.reason)
