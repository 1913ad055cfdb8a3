"""Decoded images are entries of the store: made once, never believed blindly, listed, bounded."""

import json
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_cls.dataset import decoded
from ae_cls.dataset.decoded import Decoded, DecodedImages, decode_key, take_or_decode
from ae_cls.dataset.fingerprint import images_sha256
from ae_cls.dataset.stored import StoredImages
from ae_cls.errors import DataError, StorageError
from ae_cls.report.cache_table import what
from ae_cls.store.cleaning import damage_in, kept_in, remove
from ae_cls.store.files import file_sha256
from ae_cls.store.key import Key
from ae_cls.store.places import shared_store
from tests.dataset.chosen import whole

SHAPE = (1, 4, 4)
SPAWN = multiprocessing.get_context("spawn")


def image(value: int) -> np.ndarray:
    return np.full((1, *SHAPE), value, dtype=np.uint8)


def rows(*values: int | None) -> Iterator[Decoded]:
    for place, value in enumerate(values):
        if value is None:
            yield Decoded(image(0)[:0], {place: "torn"})
        else:
            yield Decoded(image(value))


def unread() -> Iterator[Decoded]:
    raise AssertionError("decoded again")
    yield


def key(name: str = "one", count: int = 2) -> Key:
    return decode_key("folder", count, SHAPE, {"file": name})


def take(batches: Iterator[Decoded], name: str = "one") -> DecodedImages:
    return take_or_decode(key(name), SHAPE, batches)


def folder(name: str = "one") -> Path:
    return shared_store() / "decode" / key(name).name


def stored() -> list[str]:
    """What lies in the store, apart from locks."""
    return [path.name for path in shared_store().glob("decode/*")]


def test_what_was_stored_is_read_again():
    first = take(rows(1, None, 3))
    again = take(unread())
    assert whole(again.images)[:, 0, 0, 0].tolist() == [1, 3]
    assert again.failures == {1: "torn"} == first.failures


def test_images_of_which_none_can_be_decoded_are_an_empty_table():
    for found in (take(rows(None, None)), take(unread())):
        assert found.images.shape == (0, *SHAPE)
        assert found.failures == {0: "torn", 1: "torn"}


def test_batches_of_any_size_give_the_same_file():
    take(rows(1, 2, 3))
    take(iter([Decoded(np.concatenate([image(1), image(2)])), Decoded(image(3))]), "other")
    assert file_sha256(folder() / "images.npy") == file_sha256(folder("other") / "images.npy")


def test_images_are_ordinary_npy_files():
    images = take(rows(1, None, 3)).images
    assert np.array_equal(np.load(folder() / "images.npy", allow_pickle=False), whole(images))


def test_writing_to_images_does_not_reach_the_disk():
    whole(take(rows(1)).images)[:] = 9
    assert whole(take(unread()).images).max() == 1


def test_the_hash_of_the_images_is_the_one_that_was_verified(monkeypatch):
    def read_again(*given: object) -> None:
        raise AssertionError("read again")

    for found in (take(rows(1, 2)), take(unread())):
        with monkeypatch.context() as patched:
            patched.setattr(StoredImages, "index_select", read_again)
            hashed = images_sha256(found.images)
        assert hashed == images_sha256(found.images.index_select(0, torch.arange(2)))


def test_small_sets_are_held_in_memory_and_large_ones_are_not(monkeypatch):
    small = take(rows(1, 2))
    monkeypatch.setattr(decoded, "LARGEST_IN_MEMORY", 31)
    large = take(unread())
    for found in (small, large):
        os.truncate(found.images.path, 100)
    assert whole(small.images)[:, 0, 0, 0].tolist() == [1, 2]
    with pytest.raises(DataError, match="cannot be read"):
        whole(large.images)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("file", ["images.npy", "failures.json", "key.json", "manifest.json"])
@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
def test_a_damaged_entry_is_made_again(damage, file: str):
    take(rows(1, 2))
    damage(folder() / file)
    for batches in (rows(1, 2), unread()):
        assert whole(take(batches).images)[:, 0, 0, 0].tolist() == [1, 2]


def test_interrupted_decoding_leaves_nothing():
    def interrupted() -> Iterator[Decoded]:
        yield from rows(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(interrupted())
    assert stored() == []


def test_a_store_that_cannot_be_written_is_a_storage_error(tmp_path: Path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="decoded images cannot be stored") as caught:
        take(rows(1))
    assert caught.value.fix == "AE_CLS_CACHE=FOLDER, with room in it"


def test_a_full_disk_is_a_storage_error(monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left") as caught:
        take(rows(1))
    assert caught.value.fix == "AE_CLS_CACHE=FOLDER, with room in it"
    assert stored() == []


def test_a_store_that_may_only_be_read_still_gives(monkeypatch):
    take(rows(1))
    real = os.open

    def read_only(path, flags, mode=0o777):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(30, "Read-only file system")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    assert whole(take(unread()).images).max() == 1


def test_entries_are_listed_verified_and_pruned():
    take(rows(1, 2))
    (entry,) = kept_in(shared_store())
    assert (entry.stage, what(entry)) == ("decode", "folder 2 images 4x4x1")
    assert entry.size > 128 + 2 * 16  # bytes of the images and their header
    assert damage_in(shared_store()) == {}
    flip(folder() / "images.npy")
    assert list(damage_in(shared_store())) == [folder()]
    assert remove(shared_store(), [entry]) == [entry]
    assert stored() == []


def test_images_stay_readable_when_their_entry_is_pruned(monkeypatch):
    monkeypatch.setattr(decoded, "LARGEST_IN_MEMORY", 0)
    images = take(rows(1, 2)).images
    assert remove(shared_store(), kept_in(shared_store()))
    assert whole(images)[:, 0, 0, 0].tolist() == [1, 2]


def test_beyond_the_limit_the_longest_unused_go(monkeypatch):
    for age, name in enumerate(("new", "old", "older")):
        take(rows(1), name)
        os.utime(folder(name) / "manifest.json", (1e9 - age, 1e9 - age))
    take(unread(), "old")  # used just now
    sizes = [entry.size for entry in kept_in(shared_store())]
    monkeypatch.setattr(decoded, "MOST_STORED", sum(sizes))
    take(rows(1), "fresh")
    assert set(stored()) == {key(name).name for name in ("new", "old", "fresh")}
    monkeypatch.setattr(decoded, "MOST_STORED", 0)
    take(unread(), "new")  # makes nothing, so nothing has to go
    assert len(stored()) == 3
    take(rows(1), "last")  # is in use, so it stays
    assert stored() == [key("last").name]


def decode_slowly(begun, calls) -> None:
    def batches() -> Iterator[Decoded]:
        calls.put(os.getpid())
        begun.set()
        time.sleep(1)
        yield from rows(1, 2)

    take(batches())


def test_of_two_processes_one_decodes_and_the_other_waits(caplog):
    begun, calls = SPAWN.Event(), SPAWN.Queue()
    other = SPAWN.Process(target=decode_slowly, args=[begun, calls])
    other.start()
    assert begun.wait(60)
    with caplog.at_level(logging.INFO, logger="ae_cls"):
        images = take(unread()).images
    other.join(60)
    assert whole(images)[:, 0, 0, 0].tolist() == [1, 2]
    assert f"decode: waiting for process {other.pid} on " in caplog.text
    assert "which is computing the same output" in caplog.text


def test_the_key_depends_on_the_inputs_alone():
    assert key(count=9).name == key().name != key("other").name
    assert json.loads(json.dumps(key().as_dict()))["about"]["images"] == "2 images"
