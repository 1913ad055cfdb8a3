"""A kill or a full disk at every place where something becomes visible: run, store, checkpoints.

The names of cases are those of the fault battery. H01 and H02, many processes at one store and one
that is killed, are in `tests/store/test_entries.py` and `tests/test_cold_starts.py`; H04 in
`tests/run/test_keys.py`; K01, kills at any time, in `tests/test_kill.py`; K10, a stop after each
step, in `tests/train/test_resume.py`.
"""

import errno
import fcntl
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from ae_cls.errors import AeClsError, StorageError
from ae_cls.experiment.descriptions import Experiment
from ae_cls.jobs.verify import verify
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.data import prepare
from ae_cls.run.folder import read_status, run_folder
from ae_cls.run.stages import Pretrain
from ae_cls.saved.names import STAGES
from ae_cls.saved.whole import write_sealed
from ae_cls.store.cleaning import damage_in, kept_in, remove
from ae_cls.store.entries import Store, opened
from ae_cls.store.files import publish, publish_written
from ae_cls.store.key import Key
from ae_cls.store.ours import is_temporary
from tests.composed import experiment
from tests.jobs.conftest import forked
from tests.train.kept import checkpoint

pytestmark = forked
FORK = multiprocessing.get_context("fork")
KEY = Key("pretrain", {"seed": 0})
KILLED = 9


def of(folder: Path) -> Experiment:
    return experiment("head=linear").model_copy(
        update={"folder": str(folder), "outputs": str(folder.parent)}
    )


def work(place: Path) -> None:
    """A run of no time that writes all that a run writes: also checkpoints, and into a store."""
    with run_folder(of(place / "run"), {"command": "run"}) as begun:
        with opened(place / "store") as store:
            write_sealed(begun.path / STAGES, {"pretrain": KEY.name})
            begun.enter("pretrain")
            store.take_or_make(KEY, lambda into: train(store, into))
        begun.enter("report")
        (begun.path / "model").mkdir()
        publish(begun.path / "model" / "model.bin", b"weights")
        publish(begun.path / "metrics.json", b"{}")


def train(store: Store, into: Path) -> None:
    checkpoints = CheckpointFolder(store.unfinished(KEY), of=f"pretrain-{KEY.name}", every=1.0)
    begun = checkpoints.newest()
    for step in range(begun.step + 1 if begun else 1, 4):
        checkpoints.keep(checkpoint(step))
    publish(into / "model.bin", b"weights")
    checkpoints.hand_over(into)


def result(place: Path) -> dict[str, bytes]:
    """The run and the entry, but for what says where, when and how it went."""
    left_out = ("config.json", "status.json", "run.log", "manifest.json", ".lock")
    return {
        str(path.relative_to(place)): path.read_bytes()
        for folder in (place / "run", place / "store" / KEY.stage)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in left_out and not is_temporary(path.name)
    }


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> dict[str, bytes]:
    place = tmp_path_factory.mktemp("straight")
    work(place)
    return result(place)


def at_call(number: int, do: Callable[[], None]) -> pytest.MonkeyPatch:
    """Do something instead of the call of that number that makes something visible or lasting."""
    patch, calls = pytest.MonkeyPatch(), [0]

    def counting(real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object) -> object:
            calls[0] += 1
            if calls[0] == number:
                do()
            return real(*given)

        return call

    for name in ("replace", "rename"):
        patch.setattr(os, name, counting(getattr(os, name)))
    patch.setattr(os, "fsync", counting(lambda handle: None))  # nothing here loses its power
    return patch


def killed(place: Path, number: int) -> None:
    at_call(number, lambda: os._exit(KILLED))
    work(place)


def refuse_damage(place: Path) -> None:
    if (place / "run" / "status.json").exists():
        (found,) = verify(place / "run")
        assert not found.damage
    assert damage_in(place / "store") == {}


def published_in_part(path: Path, end: Callable[[], None]) -> None:
    """Write half of what is to be in a file, and see it on its way to the disk; then that."""

    def write(file: BinaryIO) -> None:
        file.write(b"half of what is new")
        file.flush()
        end()

    publish_written(path, write)


def killed_within(path: Path) -> None:
    published_in_part(path, lambda: os._exit(KILLED))


def test_k02_a_kill_within_a_write_leaves_the_file_that_was_there(tmp_path):
    publish(tmp_path / "file", b"old")
    process = FORK.Process(target=killed_within, args=[tmp_path / "file"])
    process.start()
    process.join(30)
    assert process.exitcode == KILLED
    assert (tmp_path / "file").read_bytes() == b"old"
    (left,) = (path for path in tmp_path.iterdir() if path.name != "file")
    assert is_temporary(left.name), "what cleans up knows it"


def test_k03_a_disk_that_is_full_within_a_write_leaves_the_file_that_was_there(tmp_path):
    def fill() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    publish(tmp_path / "file", b"old")
    with pytest.raises(StorageError, match="No space left"):
        published_in_part(tmp_path / "file", fill)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


SOME_OR_ALL = pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])


@SOME_OR_ALL
def test_k02_a_kill_at_a_rename_or_fsync_leaves_all_whole_and_goes_on(tmp_path, straight, every):
    codes = list[int | None]()
    while 0 not in codes:
        place = tmp_path / str(len(codes))
        process = FORK.Process(target=killed, args=[place, every * len(codes) + 1])
        process.start()
        process.join(30)
        codes.append(process.exitcode)
        refuse_damage(place)
        state = read_status(place / "run")["state"]
        assert state in ("died", "unknown", "finished")
        if state != "finished":  # the last call of all only brings its name to the disk
            work(place)
        leftovers = [kept for kept in kept_in(place / "store") if kept.about.get("leftover")]
        assert len(remove(place / "store", leftovers)) == len(leftovers)
        assert result(place) == straight
        assert read_status(place / "run")["state"] == "finished"
    assert every * len(codes) > 30 and set(codes) == {KILLED, 0}, codes


@SOME_OR_ALL
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EIO])
def test_k03_a_disk_that_fails_at_some_time_is_said_and_the_same_again_finishes(
    tmp_path, straight, reason, every
):
    def fail() -> None:
        raise OSError(reason, os.strerror(reason))

    for number in range(1, 60, every):
        place, patch = tmp_path / str(number), at_call(number, fail)
        try:
            work(place)
        except AeClsError as error:
            assert error.code == StorageError.code, number
            assert os.strerror(reason) in error.block()
        else:
            assert read_status(place / "run")["state"] == "finished"
        finally:
            patch.undo()
        refuse_damage(place)
        assert not [path for path in place.rglob("*") if is_temporary(path.name)], number
        if read_status(place / "run")["state"] != "finished":
            work(place)
        assert result(place) == straight, number


def test_k04_checkpoints_that_cannot_be_written_end_the_run_at_the_next_save(tmp_path):
    folder = CheckpointFolder(tmp_path / "a", of="a", every=1.0)
    folder.keep(checkpoint(1))
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").write_text("no folder any more")
    with pytest.raises(StorageError) as refused:
        folder.keep(checkpoint(2))
    assert str(tmp_path / "a") in refused.value.where


def test_h03_where_every_lock_is_had_by_all_nothing_is_torn(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda handle, how: None)
    depth = list[int]()

    def make(folder: Path) -> None:
        depth.append(1)
        if len(depth) < 3:  # another process, which no lock holds back
            with opened(tmp_path) as other:
                other.take_or_make(KEY, make)
        publish(folder / "model.bin", b"weights")

    with opened(tmp_path) as store:
        entry = store.take_or_make(KEY, make)
        assert (entry.folder / "model.bin").read_bytes() == b"weights"
    assert len(depth) == 3
    assert damage_in(tmp_path) == {}
    assert len(kept_in(tmp_path)) == 1


def test_h09_an_encoder_that_has_seen_test_images_is_another_output():
    described = experiment("head=linear", "device=cpu", "precision=fp32")
    data = prepare(described)
    seen = np.concatenate([data.split.pretrain, data.split.test])
    transductive = replace(data, split=replace(data.split, pretrain=seen))
    assert Pretrain(described, data).key().name != Pretrain(described, transductive).key().name
