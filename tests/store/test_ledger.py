"""Looks at a test part are counted, each run once, whatever happens to the file."""

from concurrent.futures import ThreadPoolExecutor

from ae_cls.store.ledger import note_read, readers
from ae_cls.store.places import cache_folder


def test_a_run_repeated_is_no_further_look():
    for by in ("a", "b", "a"):
        note_read("part", by)
    note_read("another part", "a")
    assert (readers("part"), readers("another part"), readers("unread")) == (2, 1, 0)


def test_a_line_cut_short_hides_no_other():
    note_read("part", "a")
    (file,) = (cache_folder() / "test_reads").iterdir()
    file.write_bytes(file.read_bytes() + b'{"by": "b\n[]\n')
    note_read("part", "c")
    assert readers("part") == 2


def test_many_write_at_a_time():
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note_read, ["part"] * 40, [str(number) for number in range(40)]))
    assert readers("part") == 40


def test_a_place_that_cannot_be_written_costs_a_warning(monkeypatch, tmp_path, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path / "file"))
    note_read("part", "a")
    assert "could not be recorded" in caplog.text
    assert readers("part") == 0
