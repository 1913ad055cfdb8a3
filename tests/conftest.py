"""Shapes and types are checked while tests run; one thread a process, as tests share two cores."""

import hashlib
import logging
import os
import signal
from collections.abc import Iterator
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch and BLAS start
# Nothing that is kept between runs may reach a test, nor stay after it.
_CACHE = TemporaryDirectory(prefix="ae-cls-tests-")
os.environ["AE_CLS_CACHE"] = _CACHE.name

from jaxtyping import install_import_hook

install_import_hook("ae_cls", "beartype.beartype")

import pytest
import torch

from ae_cls import interrupt
from ae_cls.dataset import find_copies as copies_room
from ae_cls.dataset import read as reading
from ae_cls.dataset.contract import ImageTable
from ae_cls.dataset.copies import Copies
from ae_cls.dataset.fingerprint import row_hashes

torch.set_num_threads(1)
_COPIES: dict[tuple[str, int], Copies] = {}


def _copies_found_once(images: ImageTable) -> Copies:
    """Nothing is kept on the disk between tests, so each run would look for copies again.

    What is found depends on the pixels and on the bound alone. The tests of the search itself call
    it where it is defined.
    """
    pixels = hashlib.sha256(row_hashes(images).tobytes()).hexdigest()
    key = (pixels, copies_room.MOST_COMPARED)
    if key not in _COPIES:
        _COPIES[key] = copies_room.find_copies(images)
    return _COPIES[key]


@pytest.fixture(autouse=True, scope="session")
def same_things_once() -> Iterator[None]:
    """What takes long in every run, and shows nothing that is not tested elsewhere.

    A flush to the disk matters when the power fails, which it does in no test: a run has a hundred.
    Tests of what is done where the flush fails put their own in its place, and the processes that
    tests start flush.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "find_copies", _copies_found_once)
        patch.setattr(os, "fsync", os.fstat)  # which refuses a wrong handle, too
        yield


@pytest.fixture(autouse=True)
def log_handlers() -> Iterator[None]:
    """What a command hangs on the log of this process is taken down again."""
    logger = logging.getLogger("ae_cls")
    before, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = before
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Signals of this process are answered as before: a command leaves its watch behind.

    It would end this process eight seconds after a signal that a later test sends.
    """
    before = {number: signal.getsignal(number) for number in interrupt.CODES}
    wakeup = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(wakeup)
    for number, handler in before.items():
        signal.signal(number, handler)
    interrupt._waiting.clear()


@pytest.fixture(autouse=True)
def empty_cache(tmp_path_factory, monkeypatch) -> None:
    """Each test begins with nothing kept."""
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path_factory.mktemp("cache")))
