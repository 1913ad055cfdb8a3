"""A report on any finished runs: read, paired, judged, written."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ae_cls.compare.arms import Arm
from ae_cls.compare.pages import page_of, written_in
from ae_cls.compare.results import results_csv, times_csv
from ae_cls.compare.runs import FinishedRun, read_runs
from ae_cls.compare.verdict import Verdict, verdict
from ae_cls.errors import IN_PART, DataError
from ae_cls.experiment.again import command_of_runs, words_of
from ae_cls.report.page.render import html, markdown
from ae_cls.report.page.values import Page
from ae_cls.store.files import cannot_write, publish
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.tree import write_list


@final
@dataclass(frozen=True)
class Report:
    """What a report leaves behind.

    Attributes:
        page: its words and numbers.
        files: that were written: report.html, report.md, results.csv, times.csv.
        exit_code: 0, or 8 where runs could not be read.
    """

    page: Page
    files: tuple[Path, ...]
    exit_code: int


def report(folders: Sequence[Path], place: Path) -> Report:
    """Read all runs in and below the folders, and write what they show.

    Args:
        folders: of runs, sweeps, searches or studies.
        place: folder for the files; made if it is missing.

    Raises:
        UsageError: there is no run.
        DataError: no run can be compared.
        StorageError: the place cannot be written.
    """
    runs, unreadable = read_runs(folders)
    if not runs:
        raise DataError(
            "none of these runs can be compared",
            where="\n".join(f"{one.folder}: {one.why}" for one in unreadable[:10]),
            fix="finished runs of ae-cls run or classify, with test=true",
        )  # fmt: skip
    verdicts = [verdict(own, words=words_of) for own in _by_data(runs)]
    page = page_of(verdicts, unreadable, _again)
    return Report(page, _written(page, verdicts, place), IN_PART if unreadable else 0)


def _by_data(runs: Sequence[FinishedRun]) -> list[list[FinishedRun]]:
    """The runs of each data set, that with the most runs first."""
    sets: dict[str, list[FinishedRun]] = defaultdict(list)
    for run in runs:
        sets[run.data_sha256].append(run)
    return sorted(sets.values(), key=len, reverse=True)


def _again(arm: Arm) -> str:
    return command_of_runs([run.config for run in arm.runs.values()])


def _written(page: Page, verdicts: Sequence[Verdict], place: Path) -> tuple[Path, ...]:
    paths = written_in(place)
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / MANIFEST).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(place, error) from error
    publish(paths["results"], results_csv(verdicts, words_of))
    publish(paths["times"], times_csv(verdicts))
    publish(paths["markdown"], markdown(page).encode(errors="backslashreplace"))
    publish(paths["html"], html(page).encode(errors="backslashreplace"))
    write_list(place, names=[path.name for path in paths.values()])
    return tuple(paths.values())
