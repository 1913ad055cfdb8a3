"""Rows of a table are checked without the others."""

from pathlib import Path

import numpy as np
import pytest

from ae_cls.errors import ModelFileError
from ae_cls.store.manifest import check_files, write_manifest
from ae_cls.store.row_hashes import check_rows, hashed

SHAPES = {"narrow": (10_000, 5), "wide": (40, 5_000), "wider than a stretch": (7, 20_000)}


def written(path: Path, rows: np.ndarray, parts: list[np.ndarray]) -> Path:
    assert sum(len(part) for part in hashed(path, len(rows), parts)) == len(rows)
    np.save(path, rows)
    return path


@pytest.fixture(params=SHAPES)
def table(request, tmp_path):
    rows = np.random.default_rng(0).random(SHAPES[request.param], dtype=np.float32)
    return written(tmp_path / "table.npy", rows, np.array_split(rows, 3))


def test_whole_rows_pass_in_any_order(table):
    count = len(np.load(table))
    for rows in (np.arange(count), np.array([count - 1, 0, 3]), np.array([], dtype=np.int64)):
        check_rows(table, rows)


def test_a_changed_row_is_found_by_whoever_reads_it_alone(table):
    stored = np.load(table, mmap_mode="r+")
    last = len(stored) - 1
    stored[last, -1] += 1
    stored.flush()
    check_rows(table, np.array([0, 1]))
    with pytest.raises(ModelFileError, match="damaged"):
        check_rows(table, np.array([0, last]))


def test_hashes_that_were_cut_short_are_found(table):
    hashes = table.with_name("table.npy.sha256")
    hashes.write_bytes(hashes.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="damaged"):
        check_rows(table, np.arange(len(np.load(table))))


def test_an_empty_table_has_nothing_to_check(tmp_path):
    table = written(tmp_path / "table.npy", np.empty((0, 0), np.float32), [])
    check_rows(table)
    check_rows(table, np.array([], dtype=np.int64))


def test_hashes_do_not_depend_on_how_the_rows_came(tmp_path):
    rows = np.arange(60_000, dtype=np.float32).reshape(1200, 50)
    found = set()
    for place, count in enumerate((1, 2, 7, 1200)):
        table = written(tmp_path / f"{place}.npy", rows, np.array_split(rows, count))
        check_rows(table)
        found.add((tmp_path / f"{place}.npy.sha256").read_bytes())
    assert len(found) == 1


def test_another_type_of_the_same_bytes_is_found(table):
    content = table.read_bytes()
    table.write_bytes(content.replace(b"<f4", b"<i4", 1))
    with pytest.raises(ModelFileError, match="damaged"):
        check_rows(table, np.array([0]))


def test_a_folder_with_such_a_table_is_checked_by_its_rows(table):
    write_manifest(table.parent)
    assert check_files(table.parent).keys() == {"table.npy", "table.npy.sha256"}
    content = bytearray(table.read_bytes())
    content[-1] ^= 1
    table.write_bytes(content)
    check_files(table.parent, but=("table.npy",))
    with pytest.raises(ModelFileError, match="damaged"):
        check_files(table.parent)
    table.write_bytes(b"x" * len(content))
    with pytest.raises(ModelFileError, match="damaged"):
        check_files(table.parent)
