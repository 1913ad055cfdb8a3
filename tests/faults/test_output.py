"""Group O of the battery: what is printed and written, on streams that are full, closed or odd."""

import errno
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ae_cls.cli import main
from ae_cls.cli.exits import guarded
from ae_cls.errors import DataError
from ae_cls.report.terminal import log_to_stderr
from ae_cls.store import entries
from ae_cls.store.files import publish
from ae_cls.store.key import Key
from ae_cls.store.places import shared_store
from ae_cls.terminal.streams import make_printing_safe

pytestmark = pytest.mark.filterwarnings(
    "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"
)

Streams = Callable[[Path | int, Path | int], None]


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    """Puts files or handles in the place of standard output and standard error."""
    opened: list[io.TextIOWrapper] = []

    def put(out: Path | int, err: Path | int) -> None:
        for name, where in (("stdout", out), ("stderr", err)):
            stream = open(where, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            opened.append(stream)
            monkeypatch.setattr(sys, name, stream)
        make_printing_safe()

    yield put
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    monkeypatch.undo()
    for stream in opened:
        stream.close()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_is_in_the_file_as_soon_as_it_is_said(unbuffered, tmp_path):
    """Containers often set PYTHONUNBUFFERED, and then lines came when the run had ended."""
    path = tmp_path / "err"
    code = (
        "import sys; from ae_cls.terminal.streams import make_printing_safe; make_printing_safe();"
        f"print('hello', file=sys.stderr); sys.exit(open({str(path)!r}).read() != 'hello\\n')"
    )
    with path.open("w") as err:
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        ended = subprocess.run(
            [sys.executable, "-c", code], stderr=err, env=environment, check=False
        )
    assert ended.returncode == 0, path.read_text()


FULL = Path("/dev/full")
WORDS = (
    ["--help"], ["--version"], ["run", "--help"], ["run", "head=svm", "--help"],
    ["run", "--cfg", "job"], ["schema"], ["cache", "ls"], ["cache", "verify"], ["cache", "prune"],
    ["predict", "--help"], ["-sc", "install=bash"],
)  # fmt: skip
"""Commands that print on standard output at once."""


def command(words: list[str]) -> int:
    return guarded(main.dispatch, words)


@pytest.mark.parametrize("words", WORDS, ids=lambda words: "O03-full-" + "-".join(words))
def test_standard_output_that_is_full_ends_with_6(words, streams, tmp_path):
    with entries.opened(shared_store()) as store:  # an empty one is named on standard error
        store.take_or_make(Key("demo", {}), lambda folder: publish(folder / "one", b"1"))
    streams(FULL, tmp_path / "err")
    code = command(words)
    sys.stdout.flush()  # what Python does at its end finds nothing left to write
    said = (tmp_path / "err").read_text()
    assert code == 6
    assert said.splitlines()[0] == "error[6] standard output cannot be written"
    assert "Traceback" not in said


@pytest.mark.parametrize("words", WORDS, ids=lambda words: "O03-gone-" + "-".join(words))
def test_standard_output_that_nobody_reads_ends_with_141(words, streams, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    streams(writing, tmp_path / "err")
    code = command(words)
    sys.stdout.flush()
    assert code == 141
    assert (tmp_path / "err").read_text() == ""


@pytest.mark.parametrize("case", ["O03-stderr-full"])
def test_standard_error_that_is_full_changes_no_exit_code(case, streams, tmp_path):
    streams(tmp_path / "out", FULL)
    log_to_stderr()
    logging.getLogger("ae_cls").warning("nobody will read this")

    def refused(words: object) -> int:
        raise DataError("x")

    assert guarded(refused, []) == 3


@pytest.mark.parametrize("case", ["O03-error-first"])
def test_what_went_wrong_is_said_rather_than_that_output_is_full(case, streams, tmp_path):
    streams(FULL, tmp_path / "err")

    def refused(words: object) -> int:
        print("a row")
        raise DataError("x")

    assert guarded(refused, []) == 3
    assert (tmp_path / "err").read_text() == "error[3] x\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG])
def test_a_place_that_cannot_be_written_is_no_bug(number, capsys):
    def full(words: object) -> int:
        raise OSError(number, os.strerror(number), "somewhere")

    assert guarded(full, []) == 6
    assert "error[6] cannot write\n  where  somewhere\n" in capsys.readouterr().err


@pytest.mark.parametrize("case", ["O03-does-not-wait"])
def test_a_pipe_that_does_not_wait_gets_every_line(case, streams, tmp_path):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    got: list[bytes] = []

    def read() -> None:
        while sum(map(len, got)) < 300_001:
            got.append(os.read(reading, 4096))

    def much(words: object) -> int:
        print("x" * 300_000)  # more than a pipe holds
        return 0

    streams(writing, tmp_path / "err")
    reader = threading.Thread(target=read)
    reader.start()
    assert guarded(much, []) == 0
    reader.join()
    os.close(reading)
    assert b"".join(got) == b"x" * 300_000 + b"\n"
