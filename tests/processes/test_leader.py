"""A process that is lost ends the run with its name and reason, and leaves no process behind."""

import multiprocessing
import subprocess
import sys
import time

import pytest

from ae_cls.errors import TrainingError
from ae_cls.processes.leader import Followers, followers_of
from tests.processes.pair import CPU, TWO, in_two, never_there


def lost(what) -> TrainingError:
    started = time.monotonic()
    with pytest.raises(TrainingError) as stopped:
        what()
    assert time.monotonic() - started < 60
    assert not multiprocessing.active_children()
    assert stopped.value.code == 4
    return stopped.value


def test_a_killed_process_is_named_with_its_signal():
    error = lost(lambda: in_two(["talking", "killed"]))
    assert error.what == "process 1 of 2 was ended by SIGKILL"
    assert "process id" in error.where


@pytest.mark.slow
def test_a_process_that_fails_is_named_with_its_mistake():
    error = lost(lambda: in_two(["failing"]))
    assert error.what == "process 1 of 2 failed"
    assert error.why == "KeyError: 'what was missing'"


@pytest.mark.slow
def test_a_process_that_fails_before_it_is_there_is_not_waited_for():
    def never_meets():
        with (
            followers_of(TWO, CPU.device, 1, never_there, "") as followers,
            followers.called("talking"),
        ):
            raise AssertionError("it cannot be called")

    assert lost(never_meets).why == "ValueError: no data here"


@pytest.mark.slow
def test_a_loss_that_goes_unnoticed_ends_the_process_from_outside():
    work = "from tests.processes.pair import in_two; in_two(['unnoticed'])"
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, timeout=100)
    assert done.returncode == 4
    assert "error[4] process 1 of 2 was ended by SIGKILL" in done.stderr


def test_a_mistake_of_the_first_process_stays_its_own():
    with pytest.raises(ZeroDivisionError), followers_of(TWO, CPU.device, 1, never_there, ""):
        raise ZeroDivisionError
    followers = Followers(TWO, CPU.device, 1, never_there, "")
    followers.meet = lambda: None
    followers._announce = lambda task: None
    with pytest.raises(RuntimeError, match="not of a connection"), followers.called("talking"):
        raise RuntimeError("not of a connection")


def test_no_process_is_started_that_is_never_called():
    with followers_of(TWO, CPU.device, 1, never_there, ""):
        pass
    assert not multiprocessing.active_children()
