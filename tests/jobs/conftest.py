"""Jobs that take no time, in processes forked from the test's own: no second import of torch."""

import multiprocessing

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
