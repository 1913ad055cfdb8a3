"""Shapes and types are checked while tests run; one thread a process, as tests share two cores."""

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

torch.set_num_threads(1)


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
