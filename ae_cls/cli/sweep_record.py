"""What a sweep leaves behind: its plan and then how each job went, in sweep.json."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ae_cls.cli.sweep_job import PLAN, RECORDS, Planned, Record, attempts
from ae_cls.cli.terminal import show_sweep


@contextmanager
def table_at_the_end(folder: Path, command: str, plan: Sequence[Planned]) -> Iterator[list[Record]]:
    """Write the plan; at the end, however it comes, show, write and yield how each job went."""
    _begin(folder, command, plan)
    records: list[Record] = []
    try:
        yield records
    finally:
        records += [_read(folder, job.name) for job in plan]
        _write_plan(folder, command, plan, records)
        (folder / "multirun.yaml").unlink(missing_ok=True)  # Hydra's, and never read
        show_sweep(plan, records)


def _begin(folder: Path, command: str, plan: Sequence[Planned]) -> None:
    from ae_cls.store.files import cannot_write

    try:
        (folder / RECORDS).mkdir(parents=True, exist_ok=True)
        # What an earlier call wrote down says nothing of this one; finished run folders do.
        for record in (folder / RECORDS).iterdir():
            record.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
    _write_plan(folder, command, plan, [Record("waiting") for _ in plan])


def _write_plan(
    folder: Path, command: str, plan: Sequence[Planned], records: Sequence[Record]
) -> None:
    from ae_cls.store.files import write_json

    jobs = [
        {"words": job.words, "name": job.name, **asdict(record)}
        for job, record in zip(plan, records, strict=True)
    ]
    write_json(folder / PLAN, {"command": command, "jobs": jobs})


def _read(folder: Path, name: str) -> Record:
    path = folder / RECORDS / f"{name}.json"
    if path.is_file():
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    if there := attempts(folder, name):
        return Record("died", str(there[-1]), reason="its process ended without a word")
    return Record("waiting", reason="not started")
