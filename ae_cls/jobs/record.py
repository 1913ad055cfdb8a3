"""What a sweep leaves on disk: its plan and how each job went (`sweep.json`), who runs it.

`jobs/NAME.json` says how a job goes from its start on; `jobs/NAME.log` what went wrong where there
was no run folder to say it in; `results.csv` has the numbers.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, final

from pydantic import Field, field_validator

from ae_cls.errors import AeClsError, BusyError, ModelFileError, StorageError, TrainingError, some
from ae_cls.saved.metrics import Metrics, read_metrics
from ae_cls.saved.names import DAMAGED, STATUS, STUDY
from ae_cls.saved.status import is_finished as says_finished
from ae_cls.saved.whole import is_bound
from ae_cls.saved.written_by import FORMATS, read_plan, refuse_later, stamp
from ae_cls.settings import Settings
from ae_cls.store.files import cannot_write, write_json
from ae_cls.store.lock import Lock, Owner, WrittenOwner, owner_from, this_process
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.ours import is_file, make_folder, refuse_links
from ae_cls.store.received import MOST_PER_CLASS, MOST_PER_JOB, read_json, read_typed
from ae_cls.store.tree import SMALL, damage_to, has_list, write_list

_LOG = logging.getLogger(__name__)

PLAN = "sweep.json"
_RECORDS, _CLAIMS, _SWEEP = "jobs", ".claims", "sweep"
_WRITTEN = ("study.db", "study.db-journal", ".submitit", "report")
"""What searches, clusters and studies write into its folder."""


@final
@dataclass(frozen=True)
class Job:
    """A job of a sweep or search.

    Attributes:
        words: those that are not the same in all jobs.
        name: of its folder; words and a hash of the resolved config.
        note: what the table says of it besides; mostly nothing.
        plain: the composed config; not in the plan on disk, as the run folder has it.
        lot: jobs of one lot that follow each other share a process, which reads their data once,
            and all lie in one folder, whatever other sweeps have finished; empty: a process for
            this job alone.
    """

    words: tuple[str, ...]
    name: str
    note: str = ""
    plain: Mapping[str, Any] = field(default_factory=dict)
    lot: str = ""

    @property
    def digest(self) -> str:
        """The hash in its name: the same for equal jobs of any sweep."""
        return self.name.rpartition("-")[2]

    @property
    def keys(self) -> dict[str, str]:
        """Its words as keys and values; a word without a value has an empty one."""
        return {key: value for key, _, value in (word.partition("=") for word in self.words)}

    def __str__(self) -> str:
        return " ".join(self.words)


@final
@dataclass(frozen=True)
class Record:
    """How a job went, or goes.

    Attributes:
        state: running; finished, skipped (it was finished before), failed, stopped (by a signal) or
            died (its process ended unexpectedly); waiting where there is no record.
        folder: its run folder; None when it ended before it had one.
        metrics: as in metrics.json; empty unless finished or skipped.
        seconds: that it took in this call; 0 when skipped.
        code: the exit code that it would have had alone.
        reason: why it is not finished.
        owner: the process that carries it out, or did.
        started: date and time, UTC.
    """

    state: str
    folder: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    code: int = 0
    reason: str = ""
    owner: Owner | None = None
    started: str = ""

    @classmethod
    def begun(cls, run: Path) -> "Record":
        """Of a job that this process begins to carry out."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls("running", str(run), owner=this_process(), started=now)

    @classmethod
    def died(cls, reason: str) -> "Record":
        """Of a job whose process could not write it."""
        return cls("died", code=TrainingError.code, reason=reason)

    @classmethod
    def read(cls, plain: dict[str, Any]) -> "Record":
        return cls(**{**plain, "owner": owner_from(plain["owner"])})

    @property
    def is_done(self) -> bool:
        """Whether there are results."""
        return self.state in {"finished", "skipped"}

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it in this call."""
        return self.state not in {"running", "waiting"}

    @property
    def has_begun(self) -> bool:
        """Whether a process has taken it up."""
        return self.state != "waiting"

    @property
    def lets_others_follow(self) -> bool:
        """Whether its process goes on with the next job of the lot after it.

        Not after a signal or a full disk, and not where the process has died.
        """
        if self.state == "failed":
            return self.code != StorageError.code
        return self.is_done

    @property
    def in_words(self) -> str:
        """The state, for people."""
        return "finished before" if self.state == "skipped" else self.state


_WAITING = Record("waiting", reason="not started")


class _WrittenRecord(Settings):
    """A `Record` as jobs/NAME.json holds it."""

    state: Literal["running", "waiting", "finished", "skipped", "failed", "stopped", "died"]
    folder: str | None
    metrics: Metrics
    seconds: float
    code: int
    reason: str
    owner: WrittenOwner | None
    started: str = Field(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)?$")


@final
class _Entry(_WrittenRecord):
    """A job of sweep.json, which leads to a folder, and how it went."""

    words: Annotated[tuple[str, ...], Field(strict=False)]
    name: str = Field(pattern=r"^[^/\x00]+$")
    note: str

    @field_validator("name")
    @classmethod
    def _is_below(cls, name: str) -> str:
        if name in {".", ".."}:
            raise ValueError("it leads out of the folder of the sweep")
        return name


@final
class _Plan(Settings):
    """sweep.json."""

    format: int = FORMATS[0]
    ae_cls: str = ""  # its version
    command: str
    jobs: Annotated[tuple[_Entry, ...], Field(strict=False)]


@final
@dataclass(frozen=True)
class SweepFolder:
    """The folder of a sweep or search.

    Attributes:
        path: of the folder; run folders of jobs lie in it.
    """

    path: Path

    def begin(self, command: str, jobs: Sequence[Job]) -> None:
        """Write the plan, and forget the records of earlier calls: run folders say what is done.

        Raises:
            StorageError: the place cannot be written.
        """
        records = self.path / _RECORDS
        try:
            make_folder(records, within=self.path)
            for record in records.iterdir():
                if is_file(record) and record.suffix in {".json", ".log", ".tmp"}:
                    record.unlink()
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._say_if_damaged()
        self.end(command, [(job, _WAITING) for job in jobs])

    def _say_if_damaged(self) -> None:
        try:
            self.jobs()
        except (AeClsError, LookupError, TypeError) as error:
            why = getattr(error, "why", "") or str(error)
            _LOG.warning("%s was damaged and is written anew: %s", self.path / PLAN, why)

    def add(self, job: Job) -> None:
        """Plan one more; readers see the plan before or after."""
        plan = self._plan()
        self._write_plan(plan.command, [*(e.model_dump() for e in plan.jobs), _entry(job)])

    def ended(self) -> list[tuple[Job, Record]]:
        """Every planned job and how it went."""
        return [(job, self.record(job.name)) for job in self.jobs()]

    def end(self, command: str, ended: Sequence[tuple[Job, Record]]) -> None:
        """Let the plan tell how the jobs went."""
        self._write_plan(command, [_entry(job, record) for job, record in ended])

    def jobs(self) -> list[Job]:
        """The plan on disk."""
        return [Job(entry.words, entry.name, entry.note) for entry in self._plan().jobs]

    def finished_here(self) -> list[str]:
        """The run folders in this one of all jobs that have finished, by the plan on disk."""
        return [
            entry.name
            for entry in self._plan().jobs
            if entry.state == "finished" or (entry.state == "skipped" and not entry.reason)
        ]

    def run(self, name: str) -> Path:
        """The run folder of a job."""
        return self.path / name

    def log(self, name: str) -> Path:
        """The job's own log: what it said without a run folder, and how its process crashed."""
        return self.path / _RECORDS / f"{name}.log"

    def claim(self, name: str) -> Lock:
        """What the process that carries out a job holds, whichever call of the sweep started it."""
        return Lock(self.path / _CLAIMS / name)

    def keep(self, name: str, record: Record) -> None:
        """Write down at once how a job goes or went."""
        run = Path(record.folder) if record.folder else self.run(name)
        where = str(run) if run.is_dir() or record.state == "running" else None
        line = {**asdict(record), "folder": where, "seconds": round(record.seconds, 1)}
        write_json(self._record(name), line)

    def record(self, name: str) -> Record:
        """How a job goes. One whose process has gone without writing so has died."""
        record = self._read(name)
        if record.state == "running" and record.owner and record.owner.is_gone():
            record = self._read(name)  # its end may have been written since
            if record.state == "running":
                unexpected = Record.died("its process ended unexpectedly")
                return replace(unexpected, folder=record.folder, owner=record.owner)
        return record

    def owner(self) -> Owner | None:
        """Who runs the sweep, or ran it last."""
        if not (self.path / _CLAIMS / _SWEEP).is_file():
            return None
        lock = Lock(self.path / _CLAIMS / _SWEEP)
        try:
            return lock.owner()
        finally:
            lock.release()

    @contextmanager
    def owned(self) -> Iterator[None]:
        """The sweep belongs to this process alone.

        Raises:
            BusyError: a living process runs it.
            ModelFileError: a later version wrote it.
            StorageError: a place that it writes to is a link.
        """
        for name in ("", _RECORDS, *_WRITTEN):
            refuse_links(self.path / name, within=self.path.parent)
        lock = self.claim(_SWEEP)
        try:
            if not lock.take():
                raise BusyError(
                    "another process runs this sweep", where=str(self.path), why=str(lock.owner()),
                    fix=f"wait, or end that process; its progress: ae-cls sweep-status {self.path}",
                )  # fmt: skip
            for name in (PLAN, STUDY):
                refuse_later(self.path / name, most=MOST_PER_JOB)
            (self.path / MANIFEST).unlink(missing_ok=True)
            try:
                yield
            finally:
                self._list_files()
        finally:
            lock.release()

    def _plan(self) -> _Plan:
        try:
            return read_plan(self.path / PLAN, _Plan, most=MOST_PER_JOB)
        except FileNotFoundError:
            return _Plan(command="", jobs=())

    def _write_plan(self, command: str, entries: Sequence[Mapping[str, Any]]) -> None:
        write_json(self.path / PLAN, {**stamp(), "command": command, "jobs": entries})

    def _list_files(self) -> None:
        """Once all is over: what another process still writes to cannot be listed."""
        try:
            if all(record.is_over or record == _WAITING for _, record in self.ended()):
                inner = {path.name for path in self.path.iterdir() if path.is_dir()}
                write_list(self.path, but=inner - {_RECORDS})
        except (AeClsError, OSError) as error:
            _LOG.warning("the files of %s could not be listed: %s", self.path, error)

    def _record(self, name: str) -> Path:
        return self.path / _RECORDS / f"{name}.json"

    def _read(self, name: str) -> Record:
        try:
            written = read_typed(self._record(name), _WrittenRecord, most=MOST_PER_CLASS)
        except FileNotFoundError:
            return _WAITING
        return Record.read(written.model_dump())


def _entry(job: Job, record: Record = _WAITING) -> dict[str, Any]:
    return {"words": job.words, "name": job.name, "note": job.note, **asdict(record)}


def finished_before(folder: SweepFolder, job: Job) -> Record | None:
    """The record of a job that it, or an equal one of any sweep or search, was finished before.

    Its folder was looked at: sizes of all files, hashes of the small ones. One that is damaged is
    said and does not count.
    """
    own = folder.run(job.name)
    end = f"*-{job.digest}"
    equal = folder.path.glob(end) if job.lot else folder.path.parent.glob(f"*/{end}")
    for run in (own, *sorted(equal)):
        if not is_finished(run):
            continue
        if damage := quick_damage(run):
            _LOG.warning("a finished run is damaged and does not count: %s: %s", run, damage)
        else:
            where = "" if run.parent == folder.path else f"in {run}"
            return Record("skipped", str(run), read_metrics(run), reason=where)
    return None


def is_finished(run: Path) -> bool:
    """Whether a run says that it has finished; one whose status is damaged does not."""
    try:
        return says_finished(run)
    except (ModelFileError, StorageError):
        return False  # whoever needs it will say so


def quick_damage(run: Path) -> str:
    """What is wrong with a finished run, as far as a quick look shows; empty if nothing is."""
    try:
        if has_list(run) or is_bound(read_json(run / STATUS)):
            damage = damage_to(run, hash_up_to=SMALL)
            return "; ".join(some([f"{name}: {why}" for name, why in damage.items()], 3))
        read_metrics(run)  # of an earlier version, which listed no files
        return ""
    except (AeClsError, OSError) as error:
        return getattr(error, "what", str(error))


def set_aside(run: Path) -> Path:
    """Give a run folder that cannot be used another name, by which nobody takes it for a run.

    Raises:
        StorageError: it cannot be renamed.
    """
    aside = run.with_name(f"{DAMAGED}{run.name}-{uuid.uuid4().hex[:8]}")
    try:
        run.rename(aside)
    except OSError as error:
        raise cannot_write(aside, error) from error
    _LOG.warning("a damaged run was set aside and is done again: %s", aside)
    return aside
