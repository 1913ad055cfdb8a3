"""What narrow terminals and pipes get: whole lines, and numbers that are not cut."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import TextIO

import pytest

from ae_cls.cli.help import help_of
from ae_cls.cli.main import overview
from ae_cls.report.table import print_table, summary_table
from ae_cls.terminal.fitted import broken, fitted
from ae_cls.terminal.progress import Progress
from tests.cli.conftest import AeCls, with_hydra

pytestmark = with_hydra

RUN = (
    "run", "pretrain=quick", "pretrain.epochs=1", "pretrain.min_steps=3", "encode=latent",
    "head=knn", "autoencoder.widths=[8,16]", "autoencoder.latent_dim=8", "device=cpu",
    "precision=fp32", "threads=1", "store=own", "figures=false",
)  # fmt: skip
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Terminal:
    """A terminal of so many columns, and what was written to it."""

    def __init__(self, columns: int) -> None:
        self._reader, self.writer = pty.openpty()
        fcntl.ioctl(self.writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def stream(self) -> TextIO:
        return os.fdopen(os.dup(self.writer), "w", encoding="utf-8")

    def written(self) -> str:
        """All of it, once nobody can write any more."""
        os.close(self.writer)
        parts = []
        while True:
            try:
                part = os.read(self._reader, 65_536)
            except OSError:  # how a terminal says that it has ended
                part = b""
            if not part:
                os.close(self._reader)
                return _COLOURS.sub("", b"".join(parts).decode())
            parts.append(part)


def too_long(text: str, columns: int) -> list[str]:
    """What does not fit on one line, paths that stand alone and commands to type left out."""
    pieces = [piece for line in text.split("\n") for piece in line.split("\r")]
    return [
        piece
        for piece in pieces
        if len(piece) > columns and " " in piece.strip() and "ae-cls" not in piece
    ]


@pytest.mark.parametrize("columns", [60, 80])
def test_a_bar_keeps_its_numbers(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    terminal = Terminal(columns)
    with terminal.stream() as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with Progress("pretrain", total=2110, unit="steps", done=100) as progress:
            progress.advance(1140)
            progress.note("valid loss 0.01234")
    drawn = terminal.written()
    assert not too_long(drawn, columns)
    (last,) = [piece for piece in drawn.split("\r") if "valid loss" in piece]
    assert re.match(r"pretrain 1240/2110 steps, \d\d:\d\d left, valid loss 0\.01234 .", last)


def test_a_run_at_a_narrow_terminal_breaks_between_words(tmp_path: Path) -> None:
    terminal = Terminal(60)
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    ended = subprocess.run(
        [sys.executable, "-m", "ae_cls", *RUN], cwd=tmp_path, env=environment, timeout=300,
        stdin=terminal.writer, stdout=terminal.writer, stderr=terminal.writer, check=False,
    )  # fmt: skip
    shown = terminal.written()
    assert ended.returncode == 0, shown
    assert not too_long(shown, 60)
    assert re.search(r"pretrain \d+/8 steps, ", shown)  # the bar
    assert re.search(r"pretrain  epoch 1/1  training loss [\d.]+\s.*?validation", shown, re.DOTALL)
    assert {"accuracy", "interval)", "images"} <= {*shown.split()}
    assert "…" not in shown


def test_the_output_of_a_run_in_a_pipe_is_whole_lines(ae_cls: AeCls) -> None:
    ended = ae_cls(*RUN)
    assert ended.code == 0, ended.err
    for text in (ended.out, ended.err):
        assert text.endswith("\n") and not _CONTROL.search(text)
    said = ended.err.splitlines()
    begun = next(number for number, line in enumerate(said) if "about" in line)
    assert re.fullmatch(r"pretrain: about .* s: 1 epoch of [\d,]+ images at .*/s", said[begun])
    assert re.fullmatch(r"pretrain  epoch 1/1  training loss .* images/s", said[begun + 1])


def test_a_summary_at_sixty_columns_is_not_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    one = {
        "accuracy": 0.8765, "accuracy_ci95": [0.8642, 0.8888], "n": 12_345, "independent": 11_111,
        "majority_rate": 0.1,
    }  # fmt: skip
    print_table(summary_table({"valid": one, "test": one}, {"pretrain": 1234.5}, Path("runs/one")))
    printed = capsys.readouterr().out
    assert not too_long(printed, 60)
    words = printed.split()
    for number in ("87.6", "86.4", "88.9", "12,345", "11,111", "1234.5"):
        assert number in words, number


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("command", ["run", "pretrain", "classify", "check", "bench", ""])
def test_help_at_a_terminal_fits_and_in_a_pipe_is_as_it_was(command: str, columns: int) -> None:
    text = help_of(command) if command else overview()
    terminal = Terminal(columns)
    with terminal.stream() as stream:
        shown = fitted(text, stream)
    terminal.written()
    assert shown.split() == text.split()
    assert not too_long(shown, columns)
    with Path(os.devnull).open("w") as pipe:
        assert fitted(text, pipe) == text


def test_a_second_column_goes_on_below_itself() -> None:
    shown = broken("  one      two three four five", 24)
    assert shown == "  one      two three\n           four five"
    assert broken("  ae-cls run dataset=folder", 10) == "  ae-cls run dataset=folder"
