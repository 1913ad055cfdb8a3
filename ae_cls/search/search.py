"""A search from its words to its winner: trials are drawn, carried out and shown in a table."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from ae_cls.errors import StorageError, UsageError
from ae_cls.experiment.mistakes import read_part
from ae_cls.interrupt import INTERRUPTED
from ae_cls.jobs.carry_out import exit_code, table_at_the_end
from ae_cls.jobs.launch import Launch
from ae_cls.jobs.plan import Plan, planned, short_hash
from ae_cls.jobs.process import import_ahead
from ae_cls.jobs.record import Job, Record, SweepFolder
from ae_cls.jobs.results import Results, results_of
from ae_cls.jobs.signals import Signals, noted_signals
from ae_cls.jobs.work import Streak, Work
from ae_cls.search.goal import GOALS, Goal
from ae_cls.search.request import Request
from ae_cls.search.settings import SearchSettings
from ae_cls.search.trials import Ended, Trial, Trials, open_trials
from ae_cls.search.winner import print_winner

_LOG = logging.getLogger(__name__)
_STUDY = "study.db"
_GROUP = "+search=optuna"  # no root of a command has it


def search(request: Request) -> int:
    """Carry out trials; 0 when all have finished, 8 when some have not.

    Raises:
        UsageError: a word is wrong; nothing has been written then.
        BusyError: another process is at this search.
        KeyboardInterrupt, SystemExit: a signal has ended it.
    """
    import_ahead()
    goal, probes = GOALS[request.command], request.space.probes()
    composed = _composed(request, goal, probes[0])
    settings = _settings(composed["search"])
    plan = _planned(request, goal, probes)
    goal = goal.following(composed)
    launch = plan.launch.with_jobs(settings.jobs)
    identity = _identity(request, settings, plan.jobs[0])
    folder = SweepFolder(
        Path(settings.folder) if settings.folder else plan.place(f"search-{short_hash(identity)}")
    )
    seed = plan.jobs[0].plain["seed"] if settings.seed is None else settings.seed
    _LOG.info("%d trials in %s", settings.trials, folder.path)
    with (
        folder.owned(),
        open_trials(
            folder.path / _STUDY, request.space, settings,
            direction=goal.direction, seed=seed, identity=identity,
        ) as trials,
    ):  # fmt: skip
        records = Search(request, goal, trials, folder, launch, settings.jobs).carry_out()
        print_winner(request, goal, trials.ended(), folder.path)
    return exit_code(records)


def _composed(request: Request, goal: Goal, own: Sequence[str]) -> dict[str, Any]:
    return request.compose([_GROUP, *request.shared, *goal.words, *own])


def _planned(request: Request, goal: Goal, trials: Sequence[tuple[str, ...]]) -> Plan:
    """Trials as they can be carried out, by the own words of each."""

    def config(own: tuple[str, ...]) -> dict[str, Any]:
        return {
            key: value for key, value in _composed(request, goal, own).items() if key != "search"
        }

    return planned(request.command, [(own, lambda own=own: config(own)) for own in trials])


def _settings(plain: dict[str, Any]) -> SearchSettings:
    keys = ", ".join(f"search.{key}" for key in SearchSettings.model_fields)
    return read_part(SearchSettings.model_validate_json, plain, "search", f"its keys are {keys}")


def _identity(request: Request, settings: SearchSettings, first: Job) -> list[str]:
    """What makes it this search: not how many trials, how they are launched or where they lie."""
    matter = settings.model_dump(include={"sampler", "startup_trials", "seed"})
    return [
        request.command,
        *sorted(request.of_trials),
        *(f"{key}={values}" for key, values in request.space.dimensions.items()),
        *(f"{key}={value}" for key, value in matter.items()),
        # The numbers behind the words may change, in a file of options.
        f"config={first.digest}",
    ]


@final
@dataclass(frozen=True)
class Search:
    """Carries out what Optuna draws.

    Attributes:
        request: what was asked for.
        goal: what trials are compared by.
        trials: draws and remembers.
        folder: of the jobs.
        launch: where they are carried out.
        at_once: trials at a time.
    """

    request: Request
    goal: Goal
    trials: Trials
    folder: SweepFolder
    launch: Launch
    at_once: int

    def carry_out(self) -> list[Record]:
        """All trials until there have been enough, then the table; how the jobs went."""
        with (
            table_at_the_end(
                self.folder, self.request.command, self._ended_before(), self.goal.order
            ) as records,
            noted_signals() as signals,
        ):
            results, streak = self._recalled(), Streak()
            while not streak.is_enough and (drawn := self.trials.following()):
                self._carry_out(drawn, signals, results, streak)
        return records

    def _ended_before(self) -> list[Job]:
        """The jobs of the trials that ended in earlier calls, each once."""
        words = self.request.space.words
        jobs = {ended.name: words(ended.trial.drawn) for ended in self.trials.ended()}
        return [Job(own, name) for name, own in jobs.items()]

    def _recalled(self) -> Results:
        """Write down again how they ended; the results of earlier calls."""
        for ended in self.trials.ended():
            done = {"state": "skipped", "seconds": 0.0} if ended.record.is_done else {}
            self.folder.keep(ended.name, replace(ended.record, **done))
        return results_of(self.folder.path, self.folder.ended())

    def _carry_out(
        self, drawn: Sequence[Trial], signals: Signals, results: Results, streak: Streak
    ) -> None:
        prepared = [self._prepared(trial) for trial in drawn]
        jobs = [job for _, job in prepared if job]
        if jobs:
            self.launch.carry_out(
                Work(
                    self.request.command, jobs, self.folder, signals, self.at_once, results,
                    streak=streak,
                )
            )  # fmt: skip
        for trial, (name, _) in zip(drawn, prepared, strict=True):
            if not (streak.is_enough and self.folder.record(name).state == "waiting"):
                self._tell(trial, name)

    def _prepared(self, trial: Trial) -> tuple[str, Job | None]:
        """The name of a trial's job, and the job where it has to be carried out."""
        words = self.request.space.words(trial.drawn)
        try:
            (job,) = _planned(self.request, self.goal, [words]).jobs
        except UsageError as mistake:
            return self._refused(trial, mistake), None
        # An equal config, drawn again, is carried out once.
        if any(job.name == earlier.name for earlier in self.folder.jobs()):
            return job.name, None
        self.folder.add(job)
        return job.name, job

    def _refused(self, trial: Trial, mistake: UsageError) -> str:
        """Write down that its values do not go together, though each of them was right."""
        name = f"trial-{trial.number}"
        self.folder.add(Job(self.request.space.words(trial.drawn), name))
        reason = mistake.where or mistake.what
        self.folder.keep(name, Record("failed", code=mistake.code, reason=reason))
        return name

    def _tell(self, trial: Trial, name: str) -> None:
        record = self.folder.record(name)
        if record.is_done:
            kept = replace(record, metrics=self.goal.kept(record.metrics))
            self.trials.tell(Ended(trial, name, kept), self.goal.score_of(record.metrics))
        elif record.code == StorageError.code or record.state not in {"failed", "died"}:
            # The trial stays open: the same command again carries it out.
            raise SystemExit(record.code or INTERRUPTED)
        else:
            self.trials.tell(Ended(trial, name, record), None)
