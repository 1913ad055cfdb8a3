"""Decoded images are made once and never believed blindly."""

import json
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_cls.dataset.cache import Decoded, open_or_make
from ae_cls.dataset.files import image_table
from ae_cls.dataset.files.image_table import Frame, decode_all
from ae_cls.errors import DataError, StorageError, TrainingError
from tests.dataset.chosen import whole

FRAME = Frame(channels=1, height=4, width=4, fit="stretch")


def image(value: int) -> np.ndarray:
    return np.full((1, 4, 4), value, dtype=np.uint8)


def rows(*values: int | None) -> Iterator[Decoded]:
    for value in values:
        yield Decoded(None, "torn") if value is None else Decoded(image(value), "")


def unread() -> Iterator[Decoded]:
    raise AssertionError("decoded again")
    yield


def entry(key: str = "key", suffix: str = ".npy") -> Path:
    return Path(os.environ["AE_CLS_CACHE"]) / "images" / f"{key}{suffix}"


def files(folder: Path, *values: int) -> list[Path]:
    for number, value in enumerate(values):
        Image.new("L", (4, 4), value).save(folder / f"{number}.png")
    return [folder / f"{number}.png" for number in range(len(values))]


def test_what_was_kept_is_read_again() -> None:
    first = open_or_make("key", (1, 4, 4), rows(1, None, 3))
    again = open_or_make("key", (1, 4, 4), unread())
    assert whole(again.images)[:, 0, 0, 0].tolist() == [1, 3]
    assert again.failures == {1: "torn"} == first.failures


def test_entries_are_ordinary_npy_files() -> None:
    kept = open_or_make("key", (1, 4, 4), rows(1, None, 3))
    assert np.array_equal(np.load(entry(), allow_pickle=False), whole(kept.images))


def test_writing_to_images_does_not_reach_the_disk() -> None:
    whole(open_or_make("key", (1, 4, 4), rows(1)).images)[:] = 9
    assert whole(open_or_make("key", (1, 4, 4), unread()).images).max() == 1


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
def test_damaged_entries_are_made_again(damage, suffix: str) -> None:
    open_or_make("key", (1, 4, 4), rows(1, 2))
    damage(entry(suffix=suffix))
    for decoded in (rows(1, 2), unread()):
        images = open_or_make("key", (1, 4, 4), decoded).images
        assert np.array_equal(whole(images), np.stack([image(1), image(2)]))


@pytest.mark.parametrize("manifest", [[], {}, {"bytes": 1}, None, "x"])
def test_manifests_of_another_kind_are_replaced(manifest: object) -> None:
    open_or_make("key", (1, 4, 4), rows(1))
    entry(suffix=".json").write_text(json.dumps(manifest))
    assert open_or_make("key", (1, 4, 4), rows(1)).images.shape == (1, 1, 4, 4)


def test_an_interrupted_decoding_leaves_nothing() -> None:
    def interrupted() -> Iterator[Decoded]:
        yield from rows(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_or_make("key", (1, 4, 4), interrupted())
    assert list(entry().parent.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError) as caught:
        open_or_make("key", (1, 4, 4), rows(1))
    assert "AE_CLS_CACHE" in caught.value.fix


def test_a_full_disk_is_a_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="kept"):
        open_or_make("key", (1, 4, 4), rows(1))
    assert list(entry().parent.iterdir()) == []


def kept_keys() -> set[str]:
    return {path.stem for path in entry().parent.glob("*.npy")}


def test_the_key_follows_content_order_and_frame_and_nothing_else(tmp_path: Path) -> None:
    paths = files(tmp_path, 1, 2)
    decode_all(paths, FRAME)
    first = kept_keys()
    os.utime(paths[0], (0, 0))
    moved = [path.rename(path.with_name(f"moved-{path.name}")) for path in paths]
    decode_all(moved, FRAME)
    assert kept_keys() == first
    decode_all(moved[::-1], FRAME)
    decode_all(moved, Frame(channels=3, height=4, width=4, fit="stretch"))
    decode_all(moved, Frame(channels=1, height=4, width=4, fit="crop"))
    decode_all(files(tmp_path, 1, 3), FRAME)
    assert len(kept_keys()) == 5


def test_kept_images_are_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = files(tmp_path, 1, 2)
    first = decode_all(paths, FRAME)
    monkeypatch.setattr(image_table, "decode", None)
    assert np.array_equal(whole(decode_all(paths, FRAME).images), whole(first.images))


def test_a_file_that_changes_while_it_is_read_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(tmp_path, 1, 2)
    real = image_table.decode

    def changed(path: Path, **frame: object) -> np.ndarray:
        files(tmp_path, 7, 8)
        return real(path, **frame)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(image_table, "decode", changed)
    with pytest.raises(DataError, match="changed"):
        decode_all(paths, FRAME)
    assert kept_keys() == set()


def test_no_bar_is_drawn_where_stderr_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decode_all(files(tmp_path, 1, 2), FRAME)
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_table, "_FEWEST_FOR_PROCESSES", 0)
    monkeypatch.setattr(image_table, "_BLOCK", 10)
    monkeypatch.setattr(image_table, "_CHUNK", 4)


def test_processes_decode_to_the_same_in_the_same_order(in_processes, tmp_path: Path) -> None:
    paths = files(tmp_path, *range(50))
    paths[7].write_bytes(b"no image")
    found = decode_all(paths, FRAME)
    assert whole(found.images)[:, 0, 0, 0].tolist() == [n for n in range(50) if n != 7]
    assert found.failures.keys() == {7}
    assert "no image in any of the formats" in found.failures[7]


def test_a_refusal_in_a_process_is_the_same_refusal_here(in_processes, tmp_path: Path) -> None:
    paths = files(tmp_path, 1, 2)
    with pytest.raises(DataError, match="changed") as caught:
        list(image_table._decoded(paths, ["other", "other"], FRAME))
    assert caught.value.where == str(paths[0])
    assert caught.value.fix == "start again"


@pytest.mark.timeout(60)  # it must not hang
def test_a_killed_process_is_a_refusal(in_processes, tmp_path: Path) -> None:
    paths = files(tmp_path, *range(50))
    decoded = image_table._decoded(paths, [image_table._digest(path) for path in paths], FRAME)
    next(decoded)
    for worker in multiprocessing.active_children():
        worker.kill()
    with pytest.raises(TrainingError, match="was lost"):
        list(decoded)
