"""Another user of the same machine: what is not theirs to write or read ends with 6 or 3, whole.

Only whoever starts as root can become somebody else.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from ae_cls.cli.exits import guarded
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.folder import run_folder
from ae_cls.saved.predict import predict_to_csv
from ae_cls.store.entries import Store, opened
from ae_cls.store.files import publish
from ae_cls.store.key import Key
from tests.composed import described
from tests.faults.whole_run import described_in, one_image, whole_run
from tests.train.kept import checkpoint

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
    # The threads are those of pytest's plug-ins, and the child needs none of their locks.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
OWNER, OTHER = 41_001, 41_002  # numbers that no user of a machine has
KEY, MISSING = Key("demo", {"seed": 0}), Key("demo", {"seed": 1})


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that everybody may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="ae-cls-users-"))
    folder.chmod(0o777)
    monkeypatch.setenv("AE_CLS_CACHE", str(folder / "cache"))
    yield folder
    shutil.rmtree(folder)


def as_user(user: int, work: Callable[[], object], *, umask: int = 0o022) -> tuple[int, str]:
    """How this ends as a command of that user would, and what it says."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        sys.stderr = os.fdopen(writing, "w")
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        os.umask(umask)
        os._exit(guarded(lambda words: 0 * len([work()]), []))
    os.close(writing)
    with os.fdopen(reading) as said:
        text = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def made(store: Path, key: Key = KEY) -> None:
    with opened(store) as there:
        there.take_or_make(key, lambda folder: publish(folder / "a.bin", b"a"))


def tree(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_h07_of_a_store_that_is_anothers_what_is_there_is_read_and_nothing_is_added(place):
    store = place / "store"
    assert as_user(OWNER, lambda: made(store)) == (0, "")
    before = tree(store)
    assert as_user(OTHER, lambda: made(store))[0] == 0
    code, said = as_user(OTHER, lambda: made(store, MISSING))
    assert code == 6 and "AE_CLS_CACHE=FOLDER" in said
    assert tree(store) == before


def test_h07_of_a_store_of_several_users_no_entry_is_taken_for_damaged_that_may_not_be_read(place):
    store = place / "store"
    assert as_user(OWNER, lambda: made(store), umask=0o077)[0] == 0
    for folder in (store, *(path for path in store.rglob("*") if path.is_dir())):
        folder.chmod(0o777 if folder.name != KEY.name else 0o700)
    for lock in (store / "locks").iterdir():
        lock.chmod(0o666)
    code, said = as_user(OTHER, lambda: made(store))
    assert code == 6 and "may not be read" in said and "chmod" in said
    assert as_user(OWNER, lambda: Store(store).is_whole(KEY) or 1 / 0)[0] == 0
    assert not list(store.glob("*/.bad-*"))
    assert as_user(OTHER, lambda: made(store, MISSING))[0] == 0  # and it can be written to


def test_h07_an_entry_of_a_umask_of_077_is_read_by_its_owner_alone(place):
    store = place / "store"
    assert as_user(OWNER, lambda: made(store), umask=0o077)[0] == 0
    assert as_user(OWNER, lambda: made(store), umask=0o077)[0] == 0
    code, said = as_user(OTHER, lambda: made(store))
    assert code == 6 and "AE_CLS_CACHE=FOLDER" in said


def test_k04_checkpoints_that_may_no_longer_be_written_end_the_run_at_the_next_save(place):
    kept = CheckpointFolder(place / "run" / "demo", of="demo", every=1.0)

    def save_twice() -> None:
        kept.keep(checkpoint(1))
        (place / "run" / "demo").chmod(0o555)
        kept.keep(checkpoint(2))

    code, said = as_user(OWNER, save_twice)
    assert code == 6 and "error[6]" in said
    newest = kept.newest()
    assert newest is not None and newest.step == 1
    assert len(list((place / "run" / "demo").iterdir())) == 1


@pytest.mark.parametrize("mode", ["file", "folder"])
def test_d19_what_may_not_be_read_of_a_data_set_is_named(place, mode):
    photos = place / "photos"
    for kind in "ab":
        (photos / kind).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (8, 8), 40 * number).save(photos / kind / f"{number}.png")
    closed = photos / "a" / "1.png" if mode == "file" else photos / "a"
    words = ("dataset=folder", f"dataset.root={photos}", "dataset.image_size=8")
    found = described("pretrain", *words)
    assert isinstance(found, Pretraining)
    found.dataset.load()  # what the library loads when it is first needed may be closed to others
    shutil.rmtree(place / "cache")
    assert as_user(OTHER, found.dataset.load) == (0, "")
    closed.chmod(0)
    code, said = as_user(OTHER, found.dataset.load)
    closed.chmod(0o755)
    assert (code, str(closed) in said or "a/1.png" in said) == (3, True), said


def test_a_run_of_another_user_is_read_and_not_continued(place):
    run = whole_run(place)
    one_image(place / "photos")
    for path in (run, *run.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = tree(run)
    predict_to_csv(run, [place / "photos"], place / "own.csv", "cpu")

    def predict(output: Path) -> None:
        predict_to_csv(run, [place / "photos"], output, "cpu")

    assert as_user(OTHER, lambda: predict(place / "out.csv"))[0] == 0
    (place / "closed").mkdir(mode=0o755)
    code, said = as_user(OTHER, lambda: predict(place / "closed" / "out.csv"))
    assert code == 6 and "closed" in said

    def again() -> None:
        with run_folder(described_in(run), {"command": "run"}):
            raise AssertionError("it began")

    code, said = as_user(OTHER, again)
    assert code == 7 and "already exists" in said
    assert tree(run) == before
