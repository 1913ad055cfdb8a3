"""`results.csv` of a sweep or search: a line a job that has ended, for pandas or a spreadsheet.

The same finished jobs give the same bytes, whichever call of the sweep has done them.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.jobs.record import Job, Record
from ae_cls.saved.metrics import read_environment
from ae_cls.store.cells import cell, number_cell, path_cell, row_writer
from ae_cls.store.files import publish

RESULTS = "results.csv"
_ENDS = ("accuracy_low", "accuracy_high")  # of the 95 % interval
_MEASURES = ("balanced_accuracy", "macro_f1", "log_loss", "ece")
_COLUMNS = (
    *(f"{part}_{name}" for part in ("test", "valid") for name in ("accuracy", *_ENDS, *_MEASURES)),
    "reconstruction_mse", "seconds", "state", "folder",
)  # fmt: skip


@final
class Results:
    """The file, brought up to date as jobs end.

    Only the text of each line is kept meanwhile: the metrics of a thousand jobs need not fit in
    memory, nor be read a thousand times.

    Args:
        folder: of the sweep or search.
        jobs: those that are planned; others may come.
    """

    def __init__(self, folder: Path, jobs: Iterable[Job]) -> None:
        self.path = folder / RESULTS
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
        text = io.StringIO()
        write = row_writer(text)
        keys = list(dict.fromkeys(key for job in self._jobs.values() for key in job.keys))
        write([*map(cell, keys), *_COLUMNS])
        for name, job in self._jobs.items():
            if name in self._lines:
                own = (cell(job.keys.get(key, "")) for key in keys)
                write([*own, *(self._lines[name][column] for column in _COLUMNS)])
        publish(self.path, text.getvalue().encode())


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
