"""Shapes and types are checked while tests run; one thread a process, as tests share two cores."""

import logging
import os
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
def empty_cache(tmp_path_factory, monkeypatch) -> None:
    """Each test begins with nothing kept."""
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path_factory.mktemp("cache")))
