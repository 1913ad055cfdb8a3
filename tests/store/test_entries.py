"""Entries: made once, whole or not there, noticed when damaged, never deleted under a reader."""

import fcntl
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from ae_cls.errors import StorageError
from ae_cls.store.cleaning import bound, damage_in, kept_in, over_limit, remove, unused_for
from ae_cls.store.entries import Store, opened
from ae_cls.store.files import publish
from ae_cls.store.key import Key
from ae_cls.store.lock import Lock, Owner, this_process

KEY = Key("pretrain", {"seed": 0, "autoencoder": {"name": "conv", "latent_dim": 8}}, {"data": "x"})
SPAWN = multiprocessing.get_context("spawn")


def key(**inputs) -> Key:
    return KEY.with_inputs(inputs)


def write(folder: Path, content: bytes = b"weights") -> None:
    publish(folder / "model.bin", content)


def never(folder: Path) -> None:
    raise AssertionError("it is there already")


def fail(folder: Path) -> None:
    write(folder)
    raise RuntimeError("in the middle")


def hidden(root: Path) -> list[str]:
    return [path.name for path in root.glob("*/.*")]


def test_an_output_is_made_once_and_found_again(tmp_path):
    with opened(tmp_path) as store:
        made = store.take_or_make(KEY, write)
        found = store.take_or_make(KEY, never)
    assert (made.was_kept, found.was_kept) == (False, True)
    assert (found.folder / "model.bin").read_bytes() == b"weights"
    assert not hidden(tmp_path)


def test_a_key_is_named_by_all_that_it_tells_and_by_nothing_else():
    assert KEY.name == Key("pretrain", dict(reversed(KEY.inputs.items())), {}).name
    others = [key(seed=1), key(more=0), Key("encode", KEY.inputs), key(seed=0.5)]
    assert len({KEY.name, *(other.name for other in others)}) == 5


def test_what_fails_in_the_making_is_not_there(tmp_path):
    with opened(tmp_path) as store:
        with pytest.raises(RuntimeError, match="in the middle"):
            store.take_or_make(KEY, fail)
        assert not hidden(tmp_path)
        assert store.take_or_make(KEY, write).was_kept is False


@pytest.mark.parametrize("how", ["flip", "cut", "delete", "no manifest", "empty"])
def test_a_damaged_entry_is_set_aside_and_made_again(tmp_path, caplog, how):
    with opened(tmp_path) as store:
        folder = store.take_or_make(KEY, write).folder
        match how:
            case "flip":
                (folder / "model.bin").write_bytes(b"weighty")
            case "cut":
                (folder / "model.bin").write_bytes(b"weigh")
            case "delete":
                (folder / "model.bin").unlink()
            case "no manifest":
                (folder / "manifest.json").unlink()
            case "empty":
                for path in folder.iterdir():
                    path.unlink()
        again = store.take_or_make(KEY, write)
    assert again.was_kept is False
    assert (again.folder / "model.bin").read_bytes() == b"weights"
    assert "damaged" in caplog.text
    assert [name for name in hidden(tmp_path) if name.startswith(".bad-")]


def test_the_first_to_publish_wins(tmp_path):
    def overtaken(folder: Path) -> None:
        with opened(tmp_path / "other") as other:
            other.take_or_make(KEY, lambda into: write(into, b"first")).folder.rename(
                tmp_path / "pretrain" / KEY.name
            )
        write(folder, b"second")

    with opened(tmp_path) as store:
        entry = store.take_or_make(KEY, overtaken)
    assert (entry.folder / "model.bin").read_bytes() == b"first"
    assert not hidden(tmp_path)


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(tmp_path):
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with opened(tmp_path) as store, pytest.raises(StorageError, match="No space left"):
        store.take_or_make(KEY, full)
    assert not hidden(tmp_path)


def test_a_place_that_cannot_be_written_is_told_with_the_fix(tmp_path):
    (tmp_path / "file").write_text("")
    with opened(tmp_path / "file") as store, pytest.raises(StorageError) as refused:
        store.take_or_make(KEY, write)
    assert "store=own" in refused.value.fix


def test_a_store_that_may_only_be_read_still_gives(tmp_path, monkeypatch):
    with opened(tmp_path) as store:
        store.take_or_make(KEY, write)
    real = os.open

    def read_only(path, flags, mode=0o777):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(30, "Read-only file system")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(os, "utime", lambda *given: (_ for _ in ()).throw(PermissionError()))
    with opened(tmp_path) as store:
        assert store.take_or_make(KEY, never).was_kept


def test_the_nearest_entry_differs_in_the_fewest_things(tmp_path):
    with opened(tmp_path) as store:
        store.take_or_make(KEY, write)
        store.take_or_make(key(seed=9, autoencoder={"name": "vae"}), write)
        nearest = store.nearest(key(autoencoder={"name": "conv", "latent_dim": 16}))
    assert nearest is not None
    assert nearest.name == KEY.name
    (change,) = nearest.changes
    assert (change.key, change.before, change.now) == ("autoencoder.latent_dim", 8, 16)


def slowly(root: str, started, calls) -> None:
    """Make the entry, or wait for the other who does."""

    def make(folder: Path) -> None:
        calls.put(os.getpid())
        time.sleep(0.5)
        write(folder)

    started.wait()
    with opened(Path(root)) as store:
        store.take_or_make(KEY, make)


def test_of_many_at_once_one_makes_and_the_others_wait(tmp_path):
    started, calls = SPAWN.Event(), SPAWN.Queue()
    workers = [SPAWN.Process(target=slowly, args=[str(tmp_path), started, calls]) for _ in range(4)]
    for worker in workers:
        worker.start()
    started.set()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert isinstance(calls.get(timeout=5), int)
    assert calls.empty()


def hang(root: str, begun) -> None:
    def make(folder: Path) -> None:
        write(folder, b"half")
        begun.set()
        time.sleep(600)

    with opened(Path(root)) as store:
        store.take_or_make(KEY, make)


def test_a_killed_maker_is_followed_by_the_next_without_any_clearing_up(tmp_path):
    begun = SPAWN.Event()
    maker = SPAWN.Process(target=hang, args=[str(tmp_path), begun])
    maker.start()
    assert begun.wait(60)
    assert maker.pid is not None
    os.kill(maker.pid, signal.SIGKILL)
    maker.join(10)
    started = time.monotonic()
    with opened(tmp_path) as store:
        entry = store.take_or_make(KEY, write)
    assert time.monotonic() - started < 5
    assert (entry.folder / "model.bin").read_bytes() == b"weights"
    leftovers = [each for each in kept_in(tmp_path) if "leftover" in each.about]
    assert len(leftovers) == 1
    assert remove(tmp_path, leftovers) == leftovers
    assert not hidden(tmp_path)


def test_where_locks_do_nothing_an_entry_is_still_whole(tmp_path, monkeypatch):
    def useless(handle: int, how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", useless)
    calls: list[int] = []

    def twice(folder: Path) -> None:
        calls.append(1)
        if len(calls) == 1:  # another process, which no lock holds back
            with opened(tmp_path) as other:
                other.take_or_make(KEY, twice)
        write(folder)

    with opened(tmp_path) as store:
        entry = store.take_or_make(KEY, twice)
    assert len(calls) == 2
    assert not damage_in(tmp_path)
    assert (entry.folder / "model.bin").read_bytes() == b"weights"


def test_what_a_run_reads_is_not_pruned(tmp_path):
    store = Store(tmp_path)
    entry = store.take_or_make(KEY, write)
    assert remove(tmp_path, kept_in(tmp_path)) == []
    assert entry.folder.is_dir()
    store.close()
    assert len(remove(tmp_path, kept_in(tmp_path))) == 1
    assert not entry.folder.exists()


def test_pruning_goes_by_last_use(tmp_path):
    with opened(tmp_path) as store:
        for seed in range(3):
            store.take_or_make(key(seed=seed), lambda into: write(into, bytes(1000)))
            os.utime(store.folder(key(seed=seed)) / "manifest.json", (seed + 1, seed + 1))
    kept = kept_in(tmp_path)
    oldest = store.folder(key(seed=0))
    assert [each.folder for each in over_limit(kept, sum(e.size for e in kept) - 1)] == [oldest]
    assert over_limit(kept, sum(each.size for each in kept)) == []
    assert len(unused_for(kept, 60.0)) == 3
    with opened(tmp_path) as store:
        store.take_or_make(key(seed=0), never)
    assert len(unused_for(kept_in(tmp_path), 60.0)) == 2


def test_a_bound_on_one_stage_leaves_the_others_and_what_is_in_use(tmp_path):
    with opened(tmp_path) as store:
        store.take_or_make(Key("encode", KEY.inputs), write)
        for seed in range(3):
            store.take_or_make(key(seed=seed), write)
            os.utime(store.folder(key(seed=seed)) / "manifest.json", (seed + 1, seed + 1))
    with opened(tmp_path) as store:
        store.take_or_make(key(seed=1), never)
        removed = bound(tmp_path, "pretrain", 0)
        assert [item.folder for item in removed] == [store.folder(key(seed=s)) for s in (0, 2)]
    assert {item.stage for item in kept_in(tmp_path)} == {"pretrain", "encode"}
    assert bound(tmp_path, "pretrain", 10**6) == []


def test_entries_of_older_versions_are_listed_and_pruned_but_never_nearest(tmp_path):
    with opened(tmp_path) as store:
        folder = store.take_or_make(KEY, write).folder
        (folder / "key.json").write_text('{"stage": "pretrain", "told": {}, "about": {}}')
        assert store.nearest(key(seed=1)) is None
    (item,) = kept_in(tmp_path)
    assert remove(tmp_path, [item]) == [item]


def test_what_another_process_removes_meanwhile_is_not_listed(tmp_path, monkeypatch):
    with opened(tmp_path) as store:
        store.take_or_make(KEY, write)
        gone = store.take_or_make(key(seed=1), write).folder
    real = Path.iterdir

    def overtaken(folder: Path):
        if folder == gone:
            shutil.rmtree(folder)
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", overtaken)
    assert [item.name for item in kept_in(tmp_path)] == [KEY.name]


def test_pruning_never_follows_a_link(tmp_path):
    (tmp_path / "mine").mkdir()
    publish(tmp_path / "mine" / "key.json", b'{"stage": "a", "inputs": {}, "about": {}}')
    (tmp_path / "store" / "pretrain").mkdir(parents=True)
    (tmp_path / "store" / "pretrain" / KEY.name).symlink_to(tmp_path / "mine")
    assert kept_in(tmp_path / "store") == []


def test_damage_is_found_by_its_hash(tmp_path):
    with opened(tmp_path) as store:
        folder = store.take_or_make(KEY, write).folder
    assert damage_in(tmp_path) == {}
    (folder / "model.bin").write_bytes(b"Weights")
    assert list(damage_in(tmp_path)) == [folder]


def test_a_lock_names_its_owner_and_ends_with_it(tmp_path):
    first, second = Lock(tmp_path / "a"), Lock(tmp_path / "a")
    assert first.take()
    assert not second.take()
    assert not second.take(shared=True)
    assert second.owner() == this_process()
    first.release()
    assert second.take(shared=True)


def test_a_process_that_is_gone_is_told_from_a_later_one_of_the_same_number():
    me = this_process()
    assert not me.is_gone()
    assert Owner(me.process, me.host, me.started + 1).is_gone()
    assert not Owner(1, "another machine", 0).is_gone()
