"""Jobs that are to be carried out, and under which conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from ae_cls.jobs.record import Planned, SweepFolder
from ae_cls.jobs.signals import Signals
from ae_cls.store.lock import Owner


@final
@dataclass(frozen=True)
class Job:
    """A job that can be carried out.

    Attributes:
        planned: its words and name.
        plain: the composed config.
    """

    planned: Planned
    plain: dict[str, Any]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.planned.name

    @property
    def in_words(self) -> str:
        """The job as people are told."""
        return " ".join(self.planned.words)


@final
@dataclass(frozen=True)
class Conditions:
    """What the place means for each job.

    Attributes:
        threads: of a job that names none; None: all cores.
        quiet: what a job says goes to its log, as several speak at once.
        owner: process with which the jobs end; None: they outlive it.
    """

    threads: int | None = None
    quiet: bool = False
    owner: Owner | None = None


@final
@dataclass(frozen=True)
class Work:
    """Some jobs of a sweep or search.

    Attributes:
        command: what the jobs are descriptions of.
        jobs: to be carried out, in this order.
        folder: of the sweep or search.
        signals: that may end the work.
    """

    command: str
    jobs: Sequence[Job]
    folder: SweepFolder
    signals: Signals
