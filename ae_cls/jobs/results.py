"""`results.csv` of a sweep or search: a line a job that has ended, for pandas or a spreadsheet.

The same finished jobs give the same bytes, whichever call of the sweep has done them, and however
often it was stopped. How long they took is never the same twice; it is in `times.csv`.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.jobs.record import Job, Record
from ae_cls.saved.metrics import read_environment
from ae_cls.saved.names import RESULTS, TIMES
from ae_cls.store.cells import cell, csv_bytes, number_cell, path_cell
from ae_cls.store.files import publish

_ENDS = ("accuracy_low", "accuracy_high")  # of the 95 % interval
_MEASURES = ("balanced_accuracy", "macro_f1", "log_loss", "ece")
_COLUMNS = (
    *(f"{part}_{name}" for part in ("test", "valid") for name in ("accuracy", *_ENDS, *_MEASURES)),
    "reconstruction_mse", "state", "folder",
)  # fmt: skip


@final
class Results:
    """The two files, brought up to date as jobs end.

    Only the text of each line is kept meanwhile: the metrics of a thousand jobs need not fit in
    memory, nor be read a thousand times.

    Args:
        folder: of the sweep or search.
        jobs: those that are planned; others may come.
    """

    def __init__(self, folder: Path, jobs: Iterable[Job]) -> None:
        self.path, self._times = folder / RESULTS, folder / TIMES
        self._jobs = {job.name: job for job in jobs}
        self._lines: dict[str, Mapping[str, str]] = {}

    def note(self, job: Job, record: Record) -> None:
        """How a job ended; nothing where it has not."""
        self._jobs.setdefault(job.name, job)
        if record.is_over:
            self._lines[job.name] = _line(record)

    def write(self) -> None:
        """Publish what is known.

        Raises:
            StorageError: the place cannot be written.
        """
        keys = list(dict.fromkeys(key for job in self._jobs.values() for key in job.keys))
        rows, times = [[*map(cell, keys), *_COLUMNS]], [["folder", "seconds"]]
        for name, job in self._jobs.items():
            if name in self._lines:
                line, own = self._lines[name], [cell(job.keys.get(key, "")) for key in keys]
                rows.append([*own, *(line[column] for column in _COLUMNS)])
                times.append([line["folder"], line["seconds"]])
        publish(self.path, csv_bytes(rows))
        publish(self._times, csv_bytes(times))


def results_of(folder: Path, ended: Sequence[tuple[Job, Record]]) -> Results:
    """The file of these jobs, not written yet."""
    results = Results(folder, [job for job, _ in ended])
    for job, record in ended:
        results.note(job, record)
    return results


def _line(record: Record) -> dict[str, str]:
    metrics = record.metrics
    rebuilt = metrics.get("reconstruction", {}).get("intact", {}).get("mse")
    return {
        **_scores("test", metrics.get("test", {})),
        **_scores("valid", metrics.get("valid", {})),
        "reconstruction_mse": number_cell(rebuilt),
        "seconds": number_cell(_seconds(record)),
        "state": "finished" if record.is_done else record.state,
        "folder": path_cell(record.folder or ""),
    }


def _scores(part: str, metrics: Mapping[str, Any]) -> dict[str, str]:
    ends = zip(_ENDS, metrics.get("accuracy_ci95", (None, None)), strict=True)
    values = {**dict(ends), **{name: metrics.get(name) for name in ("accuracy", *_MEASURES)}}
    return {f"{part}_{name}": number_cell(value) for name, value in values.items()}


def _seconds(record: Record) -> float:
    """Of the stages of a finished run, by itself; of another job, as long as it lived."""
    stages: dict[str, float] = {}
    if record.is_done and record.folder:
        with suppress(ModelFileError, StorageError):  # damaged: no reason to end a sweep
            stages = read_environment(Path(record.folder)).get("seconds", {})
    return round(sum(stages.values()), 3) if stages else round(record.seconds, 1)
