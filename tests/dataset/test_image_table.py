"""Many files become one table, once, whoever decodes them and in whatever order they are done."""

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_cls.dataset.decoding import Decoding, Frame
from ae_cls.dataset.files import image_table
from ae_cls.dataset.files.decode import Picture
from ae_cls.dataset.files.image_table import decode_all
from ae_cls.errors import DataError, TrainingError
from ae_cls.store.cleaning import kept_in
from ae_cls.store.places import shared_store
from tests.dataset.chosen import whole

STRETCH = Decoding(fit="stretch")
FRAME = Frame(channels=1, height=4, width=4, decoding=STRETCH)


def files(folder: Path, *values: int) -> list[Path]:
    for number, value in enumerate(values):
        Image.new("L", (4, 4), value).save(folder / f"{number}.png")
    return [folder / f"{number}.png" for number in range(len(values))]


def stored() -> set[str]:
    return {entry.name for entry in kept_in(shared_store())}


def test_the_key_follows_content_order_and_frame_and_nothing_else(tmp_path: Path) -> None:
    paths = files(tmp_path, 1, 2)
    decode_all(paths, FRAME)
    first = stored()
    os.utime(paths[0], (0, 0))
    moved = [path.rename(path.with_name(f"moved-{path.name}")) for path in paths]
    decode_all(moved, FRAME)
    assert stored() == first
    decode_all(moved[::-1], FRAME)
    decode_all(moved, Frame(channels=3, height=4, width=4, decoding=STRETCH))
    decode_all(moved, Frame(channels=1, height=4, width=4, decoding=Decoding(fit="crop")))
    decode_all(files(tmp_path, 1, 3), FRAME)
    assert len(stored()) == 5


def test_stored_images_are_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(tmp_path, 1, 2)
    first = decode_all(paths, FRAME)
    monkeypatch.setattr(image_table, "picture_of", None)
    assert np.array_equal(whole(decode_all(paths, FRAME).images), whole(first.images))


def test_a_file_that_changes_while_it_is_read_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(tmp_path, 1, 2)
    real = image_table.picture_of

    def changed(path: Path, frame: Frame) -> Picture:
        files(tmp_path, 7, 8)
        return real(path, frame)

    monkeypatch.setattr(image_table, "picture_of", changed)
    with pytest.raises(DataError, match="changed"):
        decode_all(paths, FRAME)
    assert stored() == set()


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
    assert "not an image in any of the formats" in found.failures[7]


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
