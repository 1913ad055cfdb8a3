"""The command line inside the test's own process: no second import of torch."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ae_cls.cli.main import main

with_hydra = pytest.mark.filterwarnings(
    # OmegaConf's containers derive from typing.MutableMapping, and beartype warns of that.
    "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"
)
"""For modules whose tests let Hydra compose."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


AeCls = Callable[..., Outcome]


@pytest.fixture
def ae_cls(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> AeCls:
    """Calls `ae-cls` with words, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ae-cls", *words])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        printed = capsys.readouterr()
        return Outcome(end.value.code, printed.out, printed.err)

    return call
