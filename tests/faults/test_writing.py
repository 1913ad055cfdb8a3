"""Writing and deleting never leave what is ours: links, folders of others, outputs that are inputs.

The names of cases are those of the fault battery.
"""

import json
import os
import stat
from pathlib import Path

import pytest

from ae_cls.errors import AeClsError, ModelFileError, StorageError, UsageError
from ae_cls.experiment.descriptions import Experiment
from ae_cls.jobs.record import SweepFolder
from ae_cls.run import run as runner
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.folder import run_folder
from ae_cls.run.resume import resume
from ae_cls.saved.output import refuse_as_output, refuse_as_report
from ae_cls.saved.predict import predict_to_csv
from ae_cls.store.cleaning import is_store, kept_in, strangers_in
from ae_cls.store.entries import MARK, opened
from ae_cls.store.files import publish
from ae_cls.store.key import Key
from ae_cls.store.ours import temporary_name
from ae_cls.store.places import shared_store
from tests.cli.conftest import AeCls
from tests.cli.conftest import ae_cls as ae_cls
from tests.composed import experiment
from tests.faults.test_training import TINY
from tests.faults.whole_run import described_in
from tests.train.kept import checkpoint

PRECIOUS = "my only copy"
KEY = Key("pretrain", {"seed": 0})


def write(folder: Path) -> None:
    publish(folder / "model.bin", b"weights")


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder: the content of files, the target of links."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else ""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder of the user that nothing may touch."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "thesis.txt").write_text(PRECIOUS)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one entry."""
    with opened(tmp_path / "store") as begun:
        begun.take_or_make(KEY, write)
    return tmp_path / "store"


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run folder as it was received: a run that has been stopped."""
    folder = tmp_path / "received"
    with pytest.raises(KeyboardInterrupt), run_folder(described_in(folder), {"command": "run"}):
        raise KeyboardInterrupt
    return folder


# Stores: what is deleted


@pytest.mark.parametrize(
    "words", [("prune",), ("prune", "--all"), ("prune", "--days", "0"), ("ls",), ("verify",)]
)
def test_a_folder_that_is_no_store_is_refused_and_stays(tmp_path, ae_cls: AeCls, words):
    """The .git of every project in a home folder was deleted."""
    head = tmp_path / "h" / "proj" / ".git" / "HEAD"
    head.parent.mkdir(parents=True)
    head.write_text("ref: refs/heads/main")
    hidden = tmp_path / "h" / "proj" / f".bad-{KEY.name}.{KEY.name}"
    hidden.mkdir()
    before = tree(tmp_path / "h")
    outcome = ae_cls("cache", *words, "--folder", str(tmp_path / "h"))
    assert outcome.code == 2
    assert "not a store" in outcome.err
    assert tree(tmp_path / "h") == before


@pytest.mark.parametrize("make", [False, True])
def test_an_empty_or_missing_folder_is_said(tmp_path, ae_cls: AeCls, make):
    if make:
        (tmp_path / "none").mkdir()
    outcome = ae_cls("cache", "prune", "--all", "--folder", str(tmp_path / "none"))
    assert outcome.code == 0
    assert "nothing is kept here yet" in outcome.err
    assert (tmp_path / "none").exists() == make


def test_the_folder_above_a_store_is_refused_with_the_store(tmp_path, ae_cls: AeCls):
    with opened(tmp_path / "cache" / "stages") as begun:
        begun.take_or_make(KEY, write)
    outcome = ae_cls("cache", "prune", "--folder", str(tmp_path / "cache"))
    assert outcome.code == 2
    assert f"--folder {tmp_path / 'cache' / 'stages'}" in outcome.err


def test_links_in_a_store_are_neither_followed_nor_removed(store, precious, ae_cls: AeCls):
    with opened(precious) as other:  # even where what it points to looks like entries
        other.take_or_make(KEY, write)
    inner = precious / KEY.stage / KEY.name
    (store / "x").symlink_to(precious)
    (store / KEY.stage / ("0" * 32)).symlink_to(inner)
    (store / "unfinished").mkdir()
    (store / "unfinished" / f"{KEY.stage}-{KEY.name}").symlink_to(inner)
    before = tree(precious)
    outcome = ae_cls("cache", "prune", "--all", "--folder", str(store))
    assert (outcome.code, outcome.out.split(" entr")[0]) == (0, "removed 1")
    assert tree(precious) == before
    assert (store / "x").is_symlink()
    assert outcome.err.count(str(store)) >= 3, "the links are listed"


def test_what_others_put_into_a_store_is_listed_and_left(store, ae_cls: AeCls):
    entry = store / KEY.stage / KEY.name
    strangers = [
        store / "proj" / ".git" / "HEAD",
        store / "notes.txt",
        store / KEY.stage / ".git" / "HEAD",
        store / KEY.stage / ("f" * 32) / "photo.png",
        store / "unfinished" / "mine" / "step-1.safetensors",
        store / "unfinished" / f"{KEY.stage}-{KEY.name}" / "notes.txt",
        entry / "notes.txt",
        store / KEY.stage / f".bad-{KEY.name}.{'0' * 32}" / "deep" / "notes.txt",
        store / "locks" / "notes.txt",
    ]
    for path in strangers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PRECIOUS)
    outcome = ae_cls("cache", "prune", "--all", "--folder", str(store))
    assert outcome.code == 0
    assert "removed 0 entries" in outcome.out
    assert "not made by ae-cls" in outcome.err
    assert all(path.read_text() == PRECIOUS for path in strangers)
    listed = strangers_in(store)
    assert all(any(path.is_relative_to(one) for one in listed) for path in strangers)


def test_a_store_of_an_earlier_version_is_known_by_its_form_and_marked(store, ae_cls: AeCls):
    (store / MARK).unlink()
    assert "removed 1 entry" in ae_cls("cache", "prune", "--all", "--folder", str(store)).out
    assert (store / MARK).is_file()
    assert kept_in(store) == []


def test_an_entry_by_another_name_than_its_key_makes_no_store(store):
    (store / MARK).unlink()
    (store / KEY.stage / KEY.name).rename(store / KEY.stage / ("a" * 32))
    assert not is_store(store)


@pytest.mark.parametrize("where", ["locks", KEY.stage, "unfinished"])
def test_h07_a_store_whose_own_folders_are_links_is_not_written_to(tmp_path, precious, where):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / where).symlink_to(precious)
    before = tree(precious)
    with opened(tmp_path / "new") as begun, pytest.raises(StorageError, match="not written to"):
        begun.take_or_make(KEY, write)
    assert tree(precious) == before


def test_h07_a_store_that_is_a_dangling_link_is_a_storage_error(tmp_path):
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with opened(tmp_path / "gone") as begun, pytest.raises(StorageError):
        begun.take_or_make(KEY, write)


def test_an_entry_that_is_a_link_is_made_again_beside_it(store, precious):
    entry = store / KEY.stage / KEY.name
    entry.rename(precious / "entry")
    entry.symlink_to(precious / "entry")
    before = tree(precious)
    with opened(store) as begun:
        assert not begun.take_or_make(KEY, write).was_kept
    assert not entry.is_symlink()
    assert tree(precious) == before


def test_m09_checkpoints_are_not_written_through_a_link(tmp_path, precious):
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "pretrain-0").symlink_to(precious)
    folder = CheckpointFolder(tmp_path / "unfinished" / "pretrain-0", of="a", every=1.0)
    before = tree(precious)
    with pytest.raises(StorageError, match="not written to"):
        folder.keep(checkpoint(1))
    assert tree(precious) == before


# Runs: what is written to


@pytest.mark.parametrize(
    "name", [".lock", "run.log", "model", "figures", "stages", "status.json", "stages/locks"]
)
def test_m09_a_received_run_is_not_continued_through_its_links(stopped, precious, name):
    target = precious if "." not in name else precious / "thesis.txt"
    path = stopped / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    if name == "status.json":  # what it says lies elsewhere
        target.write_text('{"state": "interrupted", "command": "run"}')
    path.symlink_to(target)
    before, there = tree(precious), tree(stopped)
    for work in (lambda: resume(stopped, {}), lambda: run_again(stopped)):
        with pytest.raises((ModelFileError, StorageError)) as refused:
            work()
        assert str(path) in refused.value.where
    assert (tree(precious), tree(stopped)) == (before, there)


def run_again(folder: Path) -> None:
    with run_folder(described_in(folder), {"command": "run"}):
        raise AssertionError("it began")


def test_m09_a_pipe_in_a_received_run_is_refused_at_once(stopped):
    (stopped / "run.log").unlink()
    os.mkfifo(stopped / "run.log")
    with pytest.raises(ModelFileError, match="what no run makes"):
        run_again(stopped)


@pytest.mark.parametrize("name", [".lock", "run.log"])
def test_m09_a_hard_link_to_a_file_elsewhere_is_not_written_to(stopped, precious, name):
    (stopped / name).unlink(missing_ok=True)
    os.link(precious / "thesis.txt", stopped / name)
    with pytest.raises(StorageError, match="not written to"):
        run_again(stopped)
    assert (precious / "thesis.txt").read_text() == PRECIOUS


def test_m09_a_run_folder_that_is_a_link_is_not_written_to(tmp_path, stopped):
    (tmp_path / "link").symlink_to(stopped)
    before = tree(stopped)
    with pytest.raises(ModelFileError) as refused:
        run_again(tmp_path / "link")
    assert str(stopped) in refused.value.fix
    assert tree(stopped) == before


def test_o01_a_folder_that_is_named_and_is_a_file_or_holds_something_else_is_left(tmp_path):
    (tmp_path / "file").write_text(PRECIOUS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.tmp").write_text(PRECIOUS)
    (tmp_path / "mine" / ".notes.0123.tmp").write_text(PRECIOUS)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = tree(tmp_path)
    for name in ("file", "mine", "dangling"):
        with pytest.raises(AeClsError) as refused:
            run_again(tmp_path / name)
        assert refused.value.code in (2, 5, 7)
        assert "folder" in refused.value.block()
    assert tree(tmp_path) == before


def test_only_temporary_files_of_ours_are_cleaned_away(stopped):
    own, others = stopped / temporary_name(), [stopped / "a.tmp", stopped / ".b.0123.tmp"]
    for path in (own, *others):
        path.write_text(PRECIOUS)
    with run_folder(described_in(stopped), {"command": "run"}):
        pass
    assert not own.exists()
    assert all(path.read_text() == PRECIOUS for path in others)


@pytest.mark.parametrize("name", ["", "jobs", ".claims", "study.db", "report"])
def test_m09_a_received_sweep_is_not_continued_through_its_links(tmp_path, precious, name):
    """All files in jobs/ were deleted, also behind a link."""
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    (sweep / name if name else tmp_path / "linked").symlink_to(precious if name else sweep)
    before = tree(precious)
    folder = SweepFolder(sweep if name else tmp_path / "linked")
    with pytest.raises(StorageError, match="not written to"), folder.owned():
        raise AssertionError("it began")
    assert tree(precious) == before


def test_a_sweep_forgets_its_own_records_and_nothing_else(tmp_path):
    folder = SweepFolder(tmp_path)
    (tmp_path / "jobs" / "deep").mkdir(parents=True)
    for name in ("job-0123.json", "job-0123.log", "notes.txt", "deep/notes.txt"):
        (tmp_path / "jobs" / name).write_text(PRECIOUS)
    (tmp_path / "jobs" / "link.json").symlink_to(tmp_path / "jobs" / "notes.txt")
    folder.begin("run", [])
    left = {str(path.relative_to(tmp_path / "jobs")) for path in (tmp_path / "jobs").rglob("*")}
    assert left == {"notes.txt", "deep", "deep/notes.txt", "link.json"}


def test_a_run_that_goes_on_with_other_values_lies_beside_the_given_one(tmp_path, monkeypatch):
    """A received config named the place."""
    began: list[Experiment] = []
    monkeypatch.setattr(runner, "run", lambda description, stages: began.append(description))
    folder = tmp_path / "received"
    elsewhere = described_in(folder).model_copy(update={"outputs": str(tmp_path / "home")})
    with pytest.raises(KeyboardInterrupt), run_folder(elsewhere, {"command": "run"}):
        raise KeyboardInterrupt
    config = json.loads((folder / "config.json").read_bytes())
    for key in ("outputs", "folder"):
        config[key] = str(tmp_path / "home" / "precious")
    publish(folder / "config.json", json.dumps(config).encode())
    publish(folder / "status.json", b'{"state": "interrupted", "command": "run"}')
    resume(folder, {})
    resume(folder, {"threads": 2})
    resume(folder, {"threads": 2, "outputs": str(tmp_path / "mine")})
    own, beside, chosen = began
    assert own.folder == str(folder)
    assert Path(beside.folder or "").parent == tmp_path
    assert (chosen.folder, chosen.outputs) == (None, str(tmp_path / "mine"))


def test_m15_nobody_else_may_write_to_what_is_made(tmp_path, ae_cls: AeCls):
    before = os.umask(0)
    try:
        ae_cls("cache", "ls")
        publish(tmp_path / "file", b"")
        (tmp_path / "folder").mkdir()
        assert os.umask(0o027) == 0o002
        ae_cls("cache", "ls")
        assert os.umask(0) == 0o027, "the user's own is respected"
    finally:
        os.umask(before)
    for name in ("file", "folder"):
        assert not (tmp_path / name).stat().st_mode & stat.S_IWOTH


@pytest.mark.parametrize(
    ("umask", "must", "must_not"),
    [
        pytest.param(0o000, 0o660, 0o002, id="M15-000"),  # a group that shares a store writes to it
        pytest.param(0o077, 0o600, 0o077, id="M15-077"),
    ],
)
def test_every_file_of_a_run_is_open_to_whom_the_user_lets_in(
    umask, must, must_not, tmp_path, ae_cls: AeCls, monkeypatch
):
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path / "cache"))
    before = os.umask(umask)
    try:
        assert ae_cls(*TINY, "head=knn", "folder=R").code == 0
        assert ae_cls("verify", "R", str(tmp_path / "cache")).code == 0
        assert ae_cls("report", "R").code == 0
        assert ae_cls(*TINY, "head=linear").code == 0, "of the same store"
    finally:
        os.umask(before)
    made = [path for place in ("R", "outputs", "cache") for path in (tmp_path / place).rglob("*")]
    assert len(made) > 50
    for path in made:
        mode = path.stat().st_mode
        assert mode & must == must and not mode & must_not, f"{path}: {mode:o}"


# Outputs that are inputs


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished run, as far as its form goes."""
    folder = tmp_path_factory.mktemp("finished")
    for name in ("config.json", "status.json", "model/config.json", "model/model.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(PRECIOUS)
    return folder


@pytest.fixture
def photos(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.jpg"):
        (tmp_path / "photos" / name).write_text(PRECIOUS)
    return tmp_path / "photos"


@pytest.mark.parametrize(
    "how", ["a.png", "./a.png", "hard.csv", "link.csv", "../photos/a.png", "pipe", "b.jpg"]
)
@pytest.mark.parametrize("given", ["a.png", "."])
def test_o09_predict_never_writes_over_an_input(finished, photos, monkeypatch, how, given):
    monkeypatch.chdir(photos)
    Path("hard.csv").hardlink_to("a.png")
    Path("link.csv").symlink_to("a.png")
    os.mkfifo("pipe")
    before = tree(photos.parent)
    with pytest.raises(UsageError, match="cannot be the output"):
        predict_to_csv(finished, [Path(given)], Path(how), "cpu")
    assert tree(photos.parent) == before


@pytest.mark.parametrize("model", ["", "model"])
@pytest.mark.parametrize("name", ["model/config.json", "new.csv", "model/new.csv", "status.json"])
def test_predict_never_writes_into_a_run(finished, photos, model, name):
    before = tree(finished)
    (photos.parent / "by").symlink_to(finished)
    for output in (finished / name, photos.parent / "by" / name):
        with pytest.raises(UsageError, match="cannot be the output"):
            predict_to_csv(finished / model, [photos], output, "cpu")
    assert tree(finished) == before


def test_no_answer_is_written_into_the_store(photos):
    (shared_store() / "pretrain").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be the output"):
        refuse_as_output(shared_store() / "pretrain" / "new.csv", inputs=())


def test_o09_an_output_beside_the_inputs_is_allowed_also_twice(photos, finished):
    for _ in range(2):
        refuse_as_output(photos / "answers.csv", model=finished, inputs=photos.iterdir())
        (photos.parent / "answers.csv").write_text("")
        refuse_as_output(photos.parent / "answers.csv", model=finished, inputs=photos.iterdir())


def test_a_report_is_not_written_over_what_it_is_of(finished, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    for place in (finished, finished / "model", finished / "x", tmp_path / "link"):
        with pytest.raises(UsageError, match="cannot be the output"):
            refuse_as_report(place, [finished])
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(UsageError, match="cannot be the output"):
            refuse_as_report(place, [tmp_path])
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "manifest.json").write_text(PRECIOUS)
    with pytest.raises(UsageError, match="cannot be the output"):
        refuse_as_report(tmp_path / "sweep", [finished])
    refuse_as_report(finished / "report", [finished])
    refuse_as_report(tmp_path / "new", [finished])


def test_a_run_is_not_made_within_another(finished):
    before = tree(finished)
    for changes in ({"folder": str(finished / "model" / "x")}, {"outputs": str(finished)}):
        with (
            pytest.raises(UsageError, match="does not lie within another"),
            run_folder(experiment("head=linear").model_copy(update=changes), {"command": "run"}),
        ):
            raise AssertionError("it began")
    assert tree(finished) == before
