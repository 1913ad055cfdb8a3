"""Signals: what must not be torn is ended first; nobody waits for ever."""

import signal
import subprocess
import sys
import time

import pytest

BEGIN = """
import os, signal, sys, time
from ae_cls.interrupt import end_on_signals, held, last_words
end_on_signals()
print("ready", flush=True)
"""
IN_C = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'a', b'b', 10**9)"


def told(body: str, *signals: tuple[float, int]) -> tuple[int, str, float]:
    """Exit code, output and seconds from the first signal to the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + body], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    for wait, number in signals:
        time.sleep(wait)
        process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    return process.returncode, rest, time.monotonic() - started


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, 143)])
def test_a_signal_ends_by_an_exception(number, code):
    body = "try:\n time.sleep(60)\nexcept BaseException as e:\n print(repr(e)); raise"
    found = told(body, (0.3, number))
    assert found[1].startswith(
        "KeyboardInterrupt()" if number == signal.SIGINT else "SystemExit(143)"
    )
    assert found[0] in (code, -signal.SIGINT)
    assert found[2] < 10


def test_what_is_held_is_ended_first():
    body = "with held():\n time.sleep(1)\n print('whole')\nprint('never')"
    assert told(body, (0.3, signal.SIGTERM))[:2] == (143, "whole\n")


def test_the_same_signal_twice_at_once_counts_once():
    body = "with held():\n time.sleep(1)\n print('whole')\nprint('never')"
    assert told(body, (0.3, signal.SIGTERM), (0.0, signal.SIGTERM))[:2] == (143, "whole\n")


def test_a_second_signal_ends_at_once():
    body = "with held():\n time.sleep(50)\n print('whole', flush=True)"
    code, rest, seconds = told(body, (0.3, signal.SIGINT), (0.3, signal.SIGINT))
    assert (code, rest) == (130, "")
    assert seconds < 5


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)],
)
def test_a_call_that_does_not_return_is_ended_within_ten_seconds(number, code):
    body = f"with last_words(lambda code: print('last', code, flush=True)):\n {IN_C}"
    found, rest, seconds = told(body, (0.3, number))
    assert (found, rest) == (code, f"last {code}\n")
    assert seconds < 10


def test_a_worker_ends_with_a_parent_that_is_killed():
    body = """
from multiprocessing import get_context
from ae_cls.interrupt import end_with_parent

def work():
    end_with_parent()
    time.sleep(0.2)
    print("works", flush=True)
    time.sleep(60)

get_context("fork").Process(target=work, daemon=True).start()
assert sys.stdin.read() == ""
"""
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + body],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "works\n"]
        started = time.monotonic()
        process.kill()
        # The worker writes to the same pipe, which ends with the last of them.
        assert process.stdout.read() == ""
        assert time.monotonic() - started < 10
