"""A search from its words to its winner: trials are drawn, carried out and told of in a table."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ae_cls.cli.exits import IN_PART, INTERRUPTED, end_on_sigterm
from ae_cls.cli.flags import Words
from ae_cls.cli.search_goal import GOALS, Goal
from ae_cls.cli.search_jobs import Jobs, Launch, jobs_of
from ae_cls.cli.search_refusals import refuse_unfair, refuse_words
from ae_cls.cli.search_study import Outcome, Study, Trial, open_study
from ae_cls.cli.search_winner import print_winner
from ae_cls.cli.sweep import name_of, validated
from ae_cls.cli.sweep_job import digest
from ae_cls.cli.sweep_record import (
    Planned,
    Record,
    add_to_plan,
    keep_record,
    record_of,
    table_at_the_end,
)
from ae_cls.cli.terminal import log_to_stderr
from ae_cls.errors import BusyError, StorageError, UsageError
from ae_cls.experiment import Described
from ae_cls.store.lock import Lock

_LOG = logging.getLogger(__name__)
_STUDY = "study.db"


def carry_out_trials(command: str, words: Words) -> int:
    """Search; 0 when all trials have finished, 8 when some have not.

    Raises:
        UsageError: a word is wrong; nothing has been written then.
        BusyError: another process is at this search.
    """
    log_to_stderr()
    end_on_sigterm()
    refuse_words(command, words)
    goal = GOALS[command]
    with jobs_of(command, words, goal.words) as jobs:
        refuse_unfair(jobs.space)
        first = validated(command, [jobs.composed(each) for each in jobs.space.probes()])[0][1]
        told = _told(jobs, first)
        folder = _folder(jobs, first, told)
        with _owned(folder), _study(folder, jobs, goal, first, told) as study:
            search = Search(jobs, goal, study, folder, jobs.launching(folder))
            with table_at_the_end(folder, command, search.plan(), goal.order) as records:
                search.recall()
                search.go_on()
            print_winner(command, words, jobs.space, goal, study.ended(), folder)
    return 0 if all(record.is_done for record in records) else IN_PART


def _told(jobs: Jobs, first: Described) -> list[str]:
    """What makes it this search: not how many trials, how they are launched or where they lie."""
    settings = jobs.settings.model_dump(include={"sampler", "startup_trials", "seed"})
    return [
        jobs.command,
        *sorted([*jobs.space.fixed, *jobs.space.searched]),
        *(f"{key}={value}" for key, value in settings.items()),
        # The numbers behind the words may change, in a file of options.
        f"config={digest(first)}",
    ]


def _folder(jobs: Jobs, first: Described, told: Sequence[str]) -> Path:
    """The same words find the same folder again."""
    if first.folder:
        raise UsageError("a search names the folders of its jobs", where="folder")
    if jobs.settings.folder:
        return Path(jobs.settings.folder)
    name = hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]
    return Path(first.outputs) / "run" / f"search-{name}"


@contextmanager
def _study(
    folder: Path, jobs: Jobs, goal: Goal, first: Described, told: Sequence[str]
) -> Iterator[Study]:
    seed = first.seed if jobs.settings.seed is None else jobs.settings.seed
    with open_study(
        folder / _STUDY, jobs.space, jobs.settings, direction=goal.direction, seed=seed, told=told
    ) as study:
        yield study


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    lock = Lock(folder / ".claims" / "sweep")
    try:
        if not lock.take():
            raise BusyError(
                "another process is at this search", where=str(folder), why=str(lock.owner()),
                fix="wait, or end that process",
            )  # fmt: skip
        yield
    finally:
        lock.release()


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

    def plan(self) -> list[Planned]:
        """The jobs of the trials that ended in earlier calls, each once."""
        found = {
            outcome.name: Planned(self.jobs.space.words(trial.drawn), outcome.name)
            for trial, outcome in self.study.ended()
        }
        return list(found.values())

    def recall(self) -> None:
        """Write down again how they ended."""
        for _, outcome in self.study.ended():
            state = "failed" if outcome.score is None else "skipped"
            record = Record(
                state, metrics=outcome.metrics, code=outcome.code, reason=outcome.reason
            )
            keep_record(self.folder, outcome.name, record, self.folder / outcome.name, 0.0)

    def go_on(self) -> None:
        """Carry out trials until there have been enough."""
        while trials := self.study.following():
            checked = [self._checked(trial) for trial in trials]
            over = {outcome.name for _, outcome in self.study.ended()}
            # By name: an equal config, drawn again, is carried out once.
            new = {job.name: job for job, _ in checked if job.name not in over}
            add_to_plan(self.folder, list(new.values()))
            refused = {job.name: mistake for job, mistake in checked if mistake}
            for name, mistake in refused.items():
                record = Record("failed", code=mistake.code, reason=mistake.where or mistake.what)
                keep_record(self.folder, name, record, self.folder / name, 0.0)
            sound = [job.words for job in new.values() if job.name not in refused]
            self.launch(sound)
            for trial, (job, _) in zip(trials, checked, strict=True):
                self.study.tell(trial, self._outcome(job.name))

    def _checked(self, trial: Trial) -> tuple[Planned, UsageError | None]:
        """The job of a trial, and what is wrong with it: single words were right, not all pairs."""
        words = self.jobs.space.words(trial.drawn)
        try:
            ((_, described),) = validated(self.jobs.command, [self.jobs.composed(words)])
        except UsageError as mistake:
            return Planned(words, f"trial-{trial.number}"), mistake
        return Planned(words, name_of(words, described)), None

    def _outcome(self, name: str) -> Outcome:
        record = record_of(self.folder, name)
        if record.is_done:
            score, kept = self.goal.score(record.metrics), self.goal.kept(record.metrics)
            return Outcome(name=name, score=score, metrics=kept, code=0, reason="")
        if record.code == StorageError.code or record.state not in {"failed", "died"}:
            # The trial stays open: the same command again carries it out.
            raise SystemExit(record.code or INTERRUPTED)
        return Outcome(name=name, score=None, metrics={}, code=record.code, reason=record.reason)
