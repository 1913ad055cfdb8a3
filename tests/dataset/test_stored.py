"""Images in a file: the same bytes as in memory, and hardly any memory."""

import gc
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_cls.dataset.rows import ImageRows
from ae_cls.dataset.stored import StoredImages
from ae_cls.errors import DataError, ModelFileError
from tests.dataset.written import pictures

TABLE = pictures(50, 3, 5, 4)


def stored(folder: Path, table: np.ndarray = TABLE) -> StoredImages:
    np.save(folder / "images.npy", table)
    return StoredImages(folder / "images.npy")


@pytest.mark.parametrize(
    "rows", [[], [7], [3, 4, 5], [5, 4, 3], [0, 49], [9, 9, 10, 2, 3, 3, 48, 49], [*range(50)]]
)
def test_rows_are_those_of_the_table_in_the_order_asked_for(rows: list[int], tmp_path: Path):
    index = torch.tensor(rows, dtype=torch.int64)
    found = stored(tmp_path).index_select(0, index)
    assert torch.equal(found, torch.from_numpy(TABLE).index_select(0, index))


def test_image_rows_read_the_same_from_a_file_as_from_memory(tmp_path: Path):
    rows = np.random.default_rng(0).permutation(50)[:33]
    in_file = ImageRows(stored(tmp_path), rows)
    in_memory = ImageRows(torch.from_numpy(TABLE), rows)
    assert [len(batch) for batch in in_file.batches(10)] == [10, 10, 10, 3]
    both = zip(in_file.batches(10), in_memory.batches(10), strict=True)
    assert all(torch.equal(one, other) for one, other in both)


@pytest.mark.parametrize("row", [-1, 50])
def test_a_row_that_is_not_there_is_refused(row: int, tmp_path: Path):
    with pytest.raises(IndexError, match=str(row)):
        stored(tmp_path).index_select(0, torch.tensor([3, row]))


def test_a_file_that_was_cut_short_is_a_data_error(tmp_path: Path):
    images = stored(tmp_path)
    os.truncate(images.path, images.path.stat().st_size - 1)
    assert len(images.index_select(0, torch.arange(49))) == 49
    with pytest.raises(DataError, match="cannot be read"):
        images.index_select(0, torch.tensor([49]))


def test_reads_that_stop_early_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images, real = stored(tmp_path), os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, into, at: real(file, [into[0][:7]], at))
    found = images.index_select(0, torch.arange(10, 20))
    assert np.array_equal(found.numpy(), TABLE[10:20])


def test_a_deleted_file_can_still_be_read(tmp_path: Path):
    images = stored(tmp_path)
    images.path.unlink()
    assert np.array_equal(images.index_select(0, torch.tensor([8])).numpy(), TABLE[[8]])


@pytest.mark.parametrize(
    "table",
    [TABLE[0], TABLE.astype(np.int16), np.asfortranarray(TABLE)],
    ids=["one image", "other numbers", "other order"],
)
def test_what_is_no_table_of_images_is_refused(table: np.ndarray, tmp_path: Path):
    with pytest.raises(ModelFileError, match="not images"):
        stored(tmp_path, table)


def test_the_file_is_closed_when_nobody_needs_it(tmp_path: Path):
    images = stored(tmp_path)
    handle = images._file
    os.fstat(handle)
    del images
    gc.collect()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(handle)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_reading_all_of_a_large_file_takes_the_memory_of_one_batch(tmp_path: Path):
    def mapped() -> int:  # kilobytes of files that count as this process's memory
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("RssFile")))

    images = stored(tmp_path, np.ones((1500, 3, 128, 128), np.uint8))  # 74 MB
    rows = ImageRows(images, np.random.default_rng(0).permutation(1500))
    before = mapped()
    tracemalloc.start()
    assert all(batch.min() == 1 for batch in rows.batches(50))  # 2.5 MB each
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8e6
    assert mapped() - before < 5_000
