"""From composed configs to jobs: all are checked before one begins, equal ones are planned once."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, final

from ae_cls.errors import AeClsError, DataError, UsageError
from ae_cls.experiment.common import HOW, WHERE, CommonKeys, digest_of
from ae_cls.jobs import process
from ae_cls.jobs.launch import HERE, Launch, Local, read_launch
from ae_cls.jobs.record import Job
from ae_cls.store.space import refuse_unwritable

_LONGEST_NAME = 120  # characters, of the 255 that file systems take
_SHOWN = 3

Words = tuple[str, ...]
Compose = Callable[[], dict[str, Any]]
"""Composes the config of one job; raises UsageError."""


@final
@dataclass(frozen=True)
class Plan:
    """What a sweep is to do.

    Attributes:
        command: what the jobs are descriptions of.
        jobs: to be carried out, equal ones once.
        launch: where.
    """

    command: str
    jobs: list[Job]
    launch: Launch

    def folder(self, words: Sequence[str]) -> Path:
        """Its folder: the same words find the same again; where and how jobs run does not matter.

        Args:
            words: that were typed, those that name several values as they are.
        """
        matter = sorted(word for word in words if _key(word) not in {*WHERE, *HOW, "launch"})
        return self.place(f"sweep-{short_hash([self.command, *matter])}")

    def place(self, name: str) -> Path:
        """A folder beside those of other sweeps and searches."""
        return Path(self.jobs[0].plain["outputs"]) / "run" / name


def planned(command: str, wanted: Sequence[tuple[Words, Compose]]) -> Plan:
    """Jobs as they can be carried out.

    Args:
        command: what they are descriptions of.
        wanted: each job's own words, without those that all share, and what composes it.

    Raises:
        UsageError: all mistakes of all jobs, or what the place for them lacks.
        DataError: the data of some job are not there, or nothing can be learnt from them.
        StorageError: nothing can be written where the results are to be.
    """
    mistakes = Mistakes(command, [words for words, _ in wanted])
    composed: dict[int, dict[str, Any]] = {}
    for number, (_, compose) in enumerate(wanted):
        try:
            composed[number] = compose()
        except UsageError as error:
            if number == len(wanted) - 1 and not composed:
                raise  # no job can be composed: most likely a word that all share is wrong
            near = error.fix.splitlines()[:1]  # the word that may be meant
            mistakes.add("; ".join([error.where or error.what, *near]), [number])
    launch = _launch(composed, mistakes)
    refuse_too_many(len(wanted), launch.max_jobs)
    _refuse_unwritable(composed.values())
    # In a process that has torch; this one needs none.
    answers = process.answer_of(_check, command, list(composed.values()))
    checks = [_Check(**answer) for answer in answers]
    for number, check in zip(composed, checks, strict=True):
        if check.mistake:
            mistakes.add(check.mistake, [number])
    mistakes.refuse()
    launch.refuse_missing()
    if isinstance(launch, Local):  # other machines may have data that this one has not
        _refuse_data(checks)
    jobs = [
        Job(words, name_of(words or (command,), check.digest), plain=plain)
        for (words, _), plain, check in zip(wanted, composed.values(), checks, strict=True)
    ]
    return Plan(command, _once(jobs), launch)


def _refuse_unwritable(configs: Iterable[dict[str, Any]]) -> None:
    for outputs in dict.fromkeys(plain.get("outputs") for plain in configs):
        if isinstance(outputs, str):  # what is none, the models will say
            refuse_unwritable(Path(outputs))


def refuse_too_many(count: int, most: int) -> None:
    """Stop before so many jobs are begun.

    Raises:
        UsageError: there are more than may be.
    """
    if count > most:
        raise UsageError(
            f"{count:,} jobs are more than {most:,}", where="launch.max_jobs",
            fix=f"fewer values, or launch.max_jobs={count}, if so many are meant",
        )  # fmt: skip


def name_of(words: Words, digest: str) -> str:
    """A folder's name that a person can retype: the job's own words, then a hash of its config.

    Sorted, so that the words in another order find the same folder.
    """
    safe = re.sub(r"[^\w.,-]+", "-", "_".join(sorted(words)), flags=re.ASCII).strip("-.")
    return f"{safe[:_LONGEST_NAME]}-{digest}"


def short_hash(lines: Sequence[str]) -> str:
    """Eight digits that tell a sweep or search from others."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


@final
@dataclass(frozen=True)
class Mistakes:
    """What is wrong with which jobs, by their numbers."""

    command: str
    jobs: Sequence[Words]
    found: dict[str, set[int]] = field(default_factory=dict)

    def add(self, text: str, numbers: Iterable[int]) -> None:
        """These jobs have one more mistake."""
        self.found.setdefault(text, set()).update(numbers)

    def refuse(self) -> None:
        """Stop where there are any.

        Raises:
            UsageError: each mistake once, with the jobs that have it.
        """
        if not self.found:
            return
        lines = [
            text if len(numbers) == len(self.jobs) else f"{text}\n  in {self._some(numbers)}"
            for text, numbers in self.found.items()
        ]
        wrong = len(set[int]().union(*self.found.values()))
        raise UsageError(
            f"mistakes in {wrong} of {len(self.jobs)} jobs; none was started",
            where="\n".join(lines), fix=f"ae-cls {self.command} --help",
        )  # fmt: skip

    def _some(self, numbers: set[int]) -> str:
        words = [" ".join(self.jobs[number]) for number in sorted(numbers)]
        more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
        return "; ".join(words[:_SHOWN]) + more


def _launch(composed: Mapping[int, dict[str, Any]], mistakes: Mistakes) -> Launch:
    """Where all jobs run, taken out of their configs: there is one place for a sweep."""
    chosen = [plain.pop("launch", None) for plain in composed.values()]
    first = chosen[0] if chosen else None
    if any(other != first for other in chosen):
        mistakes.add("launch: all jobs of a sweep have one place", composed)
    try:
        return HERE if first is None else read_launch(first)
    except UsageError as error:
        mistakes.add(error.where, composed)
        return HERE


@final
@dataclass(frozen=True)
class _Check:
    """What a composed job is: its digest, or all that is wrong with it.

    What its data are refused for is said as a `DataError` says it: what, where, why and fix.
    """

    digest: str = ""
    mistake: str = ""
    refusal: Sequence[str] = ()


def _refuse_data(checks: Sequence[_Check]) -> None:
    refusals = [check.refusal for check in checks if check.refusal]
    if refusals:
        what, where, why, fix = refusals[0]
        same = sum(refusal == refusals[0] for refusal in refusals)
        where += f"\nin {same} of {len(checks)} jobs; none was started" * (len(checks) > 1)
        raise DataError(what, where=where, why=why, fix=fix)


def _check(command: str, configs: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    data: dict[str, str] = {}
    return [asdict(_check_one(command, plain, data)) for plain in configs]


def _check_one(command: str, plain: dict[str, Any], data: dict[str, str]) -> _Check:
    """Check a job; `data` holds the hashes of the data sets that have been read."""
    from ae_cls.experiment.descriptions import COMMANDS  # here, as it imports torch
    from ae_cls.experiment.read import read

    try:
        described = read(COMMANDS[command], plain)
    except UsageError as error:
        return _Check(mistake=error.where or error.what)
    if described.folder:
        return _Check(mistake="folder names one run; a sweep names the folders of its jobs")
    try:
        return _Check(digest=digest_of(described, _data_sha256(described, data)))
    except DataError as error:
        refusal = (error.what, error.where, error.why, error.fix)
        return _Check(digest=digest_of(described, ""), refusal=refusal)


def _data_sha256(described: CommonKeys, known: dict[str, str]) -> str:
    """Of what a job reads, so that it is done again on other data; empty where it cannot be known.

    Each data set is read once.

    Raises:
        DataError: it cannot be read, or has nothing to classify where a job is to classify.
    """
    from ae_cls.dataset.identity import identity_of, identity_sha256
    from ae_cls.dataset.read import read
    from ae_cls.experiment.descriptions import Benchmark, Classification, Experiment, Pretraining
    from ae_cls.run.data import refuse_unlabelled
    from ae_cls.saved.encoder_run import read_encoder_run

    try:
        if isinstance(described, Classification):
            described = read_encoder_run(Path(described.encoder)).experiment(described)
        assert isinstance(described, Experiment | Pretraining | Benchmark)
        config = described.dataset
        word = config.model_dump_json()
        if word not in known:
            dataset = read(config)
            if isinstance(described, Experiment):
                refuse_unlabelled(dataset, dataset.train)
            known[word] = identity_sha256(identity_of(dataset))
        return known[word]
    except DataError:
        raise
    except AeClsError:  # what is wrong with an encoder's run the job itself will say
        return ""


def _once(jobs: Sequence[Job]) -> list[Job]:
    """Equal jobs once, with a note of their other words."""
    equal: dict[str, list[Job]] = {}
    for job in jobs:
        equal.setdefault(job.digest, []).append(job)
    return [
        replace(first, note=f"done once, as it is the same as {', '.join(map(str, others))}")
        if others
        else first
        for first, *others in equal.values()
    ]


def _key(word: str) -> str:
    """The key of a word; its group where it is one of a group's."""
    key = word.lstrip("+~").partition("=")[0]
    return "launch" if key.partition(".")[0] == "launch" else key
