"""Jobs that take no time, in processes forked from the test's own: no second import of torch."""

import multiprocessing
import os
from pathlib import Path

import pytest

from ae_cls.jobs import commands, process
from tests.cli.conftest import ae_cls as ae_cls
from tests.jobs.fake_runs import Started

forked = pytest.mark.filterwarnings(
    # The threads are those of pytest's plug-ins, and the child needs none of their locks.
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)
"""For modules whose tests fork this process: Python 3.12 and later warn of that."""


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs, and what checks them, are forked from this process: they find all as it is here."""
    monkeypatch.setattr(process, "context", lambda: multiprocessing.get_context("fork"))


@pytest.fixture
def started(
    forking: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Started:
    """What the jobs of a sweep were given."""
    found = Started(tmp_path_factory.mktemp("started") / "log")
    monkeypatch.setitem(commands.COMMANDS, "run", found.run)
    return found


_SBATCH = """#!/bin/bash
# A cluster of one machine: carries out the script's command for each task of its array.
cp "$1" "{place}/script"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$1")
for task in $(seq 0 "${{last:-0}}"); do
    test -n "$last" && export SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task
    SLURM_JOB_ID=7 bash "{place}/script" > "{place}/said$task" 2>&1 &
done
echo "Submitted batch job 7"
"""
_SRUN = """#!/bin/bash
while [[ "$1" == --* ]]; do case "$1" in --output|--error) shift 2;; *) shift;; esac; done
exec "$@"
"""


@pytest.fixture
def a_cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what looks like SLURM; the script that was submitted is kept in it."""
    place = tmp_path_factory.mktemp("cluster")
    for name, text in {"sbatch": _SBATCH.format(place=place), "srun": _SRUN, "sacct": ""}.items():
        (place / name).write_text(text or "#!/bin/bash\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return place
