import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

import pytest

from ae_cls.cli.exits import guarded
from ae_cls.errors import AeClsError, BusyError, DataError, ModelFileError, StorageError

AE_CLS = [sys.executable, "-c", "from ae_cls.cli.main import main; main()"]


def interrupted(words: Sequence[str]) -> int:
    raise KeyboardInterrupt


def raising(error: BaseException) -> int:
    def work(words: Sequence[str]) -> int:
        raise error

    return guarded(work, [])


@pytest.mark.parametrize(
    "refusal", [DataError("x"), ModelFileError("x"), StorageError("x"), BusyError("x")]
)
def test_a_refusal_ends_with_its_own_code(
    refusal: AeClsError, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(refusal) == refusal.code
    assert capsys.readouterr() == ("", f"error[{refusal.code}] x\n")


def test_an_interrupt_is_never_taken_for_success() -> None:
    assert raising(KeyboardInterrupt()) == 130
    assert raising(SystemExit(143)) == 143


def test_what_had_saved_nothing_is_typed_again(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["predict", "latest", "my photos"], ["encode", "latest", "-o", "f.csv"]):
        assert guarded(interrupted, words) == 130
        typed = shlex.join(["ae-cls", *words])
        assert capsys.readouterr().err == f"interrupted\n  saved  nothing\n  next   {typed}\n"


def test_a_bug_shows_its_traceback_where_no_log_has_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert raising(ZeroDivisionError("odd\x1b")) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error[1] ZeroDivisionError: odd\\x1b\n")
    assert "this is a bug in ae-cls" in printed
    assert "Traceback" in printed


def test_a_bug_names_the_log_that_has_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    error = ZeroDivisionError("odd")
    error.add_note("outputs/run/one")
    assert raising(error) == 1
    printed = capsys.readouterr().err
    assert "outputs/run/one/run.log" in printed
    assert "Traceback" not in printed


def test_a_reader_that_went_away_gives_141_and_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    found = subprocess.run([*AE_CLS, "--help"], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (found.returncode, found.stderr) == (141, "")


@pytest.mark.parametrize("closed", [1, 2])
def test_closed_streams_change_no_exit_code(closed: int) -> None:
    words = ["--help"] if closed == 1 else ["rnu"]
    line = f"exec {shlex.join([*AE_CLS, *words])} {closed}>&-"
    found = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert found.returncode == (0 if closed == 1 else 2)
    assert (found.stdout, found.stderr) == ("", "")
