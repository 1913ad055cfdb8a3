"""Damage is found: every file of a run and of a store is hashed, and nothing is used in silence.

The names of cases are those of the fault battery.
"""

import json
import os
import random
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_cls.compare.runs import read_finished
from ae_cls.errors import AeClsError, ModelFileError
from ae_cls.jobs.record import Job, SweepFolder, finished_before
from ae_cls.jobs.verify import verify
from ae_cls.machine.versions import version
from ae_cls.run import run as runner
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.folder import run_folder
from ae_cls.run.resume import resume
from ae_cls.saved.data import IDENTITY, remembered
from ae_cls.saved.metrics import read_metrics
from ae_cls.saved.names import STAGES
from ae_cls.saved.recomputed import disagreements
from ae_cls.saved.study import written_study
from ae_cls.saved.whole import read_sealed, write_sealed
from ae_cls.saved.written_by import FORMATS
from ae_cls.store.cleaning import damage_in
from ae_cls.store.entries import opened
from ae_cls.store.files import publish, write_json
from ae_cls.store.key import Key
from ae_cls.store.manifest import listed_files
from ae_cls.store.tree import write_list
from tests.cli.conftest import AeCls, with_hydra
from tests.cli.conftest import ae_cls as ae_cls
from tests.composed import described
from tests.faults.whole_run import described_in
from tests.jobs.conftest import forked
from tests.jobs.conftest import forking as forking
from tests.jobs.conftest import started as started
from tests.jobs.fake_runs import Started
from tests.train.kept import checkpoint

RUN = (
    "threads=1", "device=cpu", "precision=fp32", "pretrain.epochs=1", "pretrain.min_steps=2",
    "autoencoder.widths=[8,16]", "autoencoder.latent_dim=8", "head.C=[0.1]",
)  # fmt: skip


def made(place: Path, *words: str) -> tuple[Path, Path]:
    """A finished run, and the store that it has filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AE_CLS_CACHE", str(place / "cache"))
        told = described("run", *RUN, *words)
        folder = str(place / "run")
        result = runner.run(told.model_copy(update={"folder": folder, "outputs": str(place)}))
    return result.folder, place / "cache" / "stages"


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> tuple[Path, Path]:
    return made(tmp_path_factory.mktemp("made"), "figures=false")


@pytest.fixture
def finished(originals, tmp_path) -> Path:
    """A copy of a finished run."""
    return shutil.copytree(originals[0], tmp_path / "run")


@pytest.fixture
def store(originals, tmp_path) -> Path:
    """A copy of a store."""
    return shutil.copytree(originals[1], tmp_path / "store")


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]


@contextmanager
def flipped(path: Path, place: int) -> Iterator[None]:
    """One bit of a file is another meanwhile."""
    content = path.read_bytes()
    byte, bit = divmod(place % (len(content) * 8), 8)
    path.write_bytes(content[:byte] + bytes([content[byte] ^ (1 << bit)]) + content[byte + 1 :])
    yield
    path.write_bytes(content)


def damage_of(folder: Path) -> dict[str, str]:
    (found,) = verify(folder)
    return found.damage


# Runs


def test_k06_a_bit_in_any_file_of_a_run_is_found(finished):
    draws = random.Random(0)
    assert damage_of(finished) == {}
    for path in files_of(finished):
        with flipped(path, draws.randrange(2**40)):
            assert damage_of(finished), path
    assert damage_of(finished) == {}


def test_k06_no_bit_in_a_file_of_a_run_changes_what_is_read_of_it(finished):
    """Read is all that report, classify, encode and predict read."""
    draws = random.Random(1)

    def read() -> list[object]:
        run = read_finished(finished)
        identity = remembered(finished, IDENTITY)
        assert identity is not None
        listed = listed_files(finished / "model")
        files = {name: listed.read(name) for name in listed.names}
        told = [run.config, run.metrics, run.environment, run.correct.tolist(), run.units.tolist()]
        return [*told, read_metrics(finished), identity.tolist(), files]

    before, refused = read(), 0
    for path in files_of(finished):
        with flipped(path, draws.randrange(2**40)):
            try:
                assert read() == before, path
            except (AeClsError, ValueError):
                refused += 1
    assert refused >= 8


@pytest.mark.slow
def test_k06_200_bits_in_a_run_and_200_in_a_store_are_all_found(tmp_path):
    run, store = made(tmp_path)
    draws, found = random.Random(0), {run: 0, store: 0}
    for folder in found:
        for _ in range(200):
            path = draws.choice(files_of(folder))
            with flipped(path, draws.randrange(2**40)):
                found[folder] += bool(damage_of(folder))
        assert damage_of(folder) == {}
    assert list(found.values()) == [200, 200]


@pytest.mark.parametrize("name", ["model/model.safetensors", "run.log", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "longer", "delete", "link", "folder"])
def test_k05_a_file_of_a_run_that_is_not_as_it_was_is_named(finished, name, how):
    path = finished / name
    content = path.read_bytes()
    path.unlink()
    match how:
        case "cut":
            path.write_bytes(content[:-1])
        case "longer":
            path.write_bytes(content + b"x")
        case "link":
            (finished.parent / "copy").write_bytes(content)
            path.symlink_to(finished.parent / "copy")
        case "folder":
            path.mkdir()
    damage = damage_of(finished)
    assert any(name in key for key in damage), damage


def test_files_that_are_not_listed_are_named_and_no_damage(finished, ae_cls: AeCls):
    (finished / "notes.txt").write_text("mine")
    outcome = ae_cls("verify", str(finished))
    assert outcome.code == 0
    assert "not written by ae-cls: notes.txt" in outcome.err


def test_numbers_that_do_not_follow_from_the_predictions_are_found(finished):
    assert disagreements(finished) == {}
    metrics = json.loads((finished / "metrics.json").read_bytes())
    metrics["test"]["accuracy"] += 0.001
    publish(finished / "metrics.json", json.dumps(metrics).encode())
    write_list(finished)  # so that no hash says it
    assert list(damage_of(finished)) == ["accuracy"]


def test_a_copy_and_what_comes_out_of_a_zip_are_whole(finished, tmp_path, ae_cls: AeCls):
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as file:
        for path in finished.rglob("*"):
            file.write(path, path.relative_to(finished))
    with zipfile.ZipFile(tmp_path / "run.zip") as file:
        file.extractall(tmp_path / "unzipped")
    shutil.copytree(finished / "model", tmp_path / "model")
    outcome = ae_cls("verify", str(tmp_path / "unzipped"), str(tmp_path / "model"))
    assert outcome.code == 0, outcome.err
    assert outcome.out.split() == [
        "whole", "run", str(tmp_path / "unzipped"), "whole", "model", str(tmp_path / "model"),
    ]  # fmt: skip


def test_the_exit_code_says_whether_all_or_some_are_damaged(
    finished, store, tmp_path, ae_cls: AeCls
):
    (finished / "model" / "config.json").write_text("{}")
    assert ae_cls("verify", str(finished)).code == 5
    outcome = ae_cls("verify", str(finished), str(store))
    assert outcome.code == 8
    assert "model/config.json" in outcome.err
    (tmp_path / "empty").mkdir()
    assert ae_cls("verify", str(tmp_path / "empty")).code == 2
    assert ae_cls("verify", str(tmp_path / "nowhere")).code == 2


def test_a_run_of_an_earlier_version_is_looked_at_as_far_as_it_can_be(finished):
    (finished / "manifest.json").unlink()
    write_json(finished / "status.json", {"state": "finished", "command": "run"})
    (found,) = verify(finished)
    assert (found.damage, len(found.notes)) == ({}, 1)
    assert read_metrics(finished)
    with flipped(finished / "model" / "model.safetensors", 999):
        assert damage_of(finished)


# Runs that were stopped


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt), run_folder(described_in(folder), {"command": "run"}):
        write_sealed(folder / STAGES, {"pretrain": "0" * 32})
        raise KeyboardInterrupt
    return folder


def test_one_bit_in_the_config_of_a_stopped_run_resumes_no_other_experiment(stopped):
    config = stopped / "config.json"
    place = config.read_bytes().index(b'"seed": 0') + len(b'"seed": ')
    with flipped(config, place * 8):  # then it is 1
        assert json.loads(config.read_bytes())["seed"] == 1
        for again in (lambda: resume(stopped, {}), lambda: run_again(stopped)):
            with pytest.raises(ModelFileError, match="config of a run is damaged"):
                again()
        assert damage_of(stopped)
    assert damage_of(stopped) == {}


def run_again(folder: Path) -> None:
    with run_folder(described_in(folder), {"command": "run"}):
        raise AssertionError("it began")


def test_another_name_of_a_stage_that_would_be_continued_is_found(stopped):
    assert read_sealed(stopped / STAGES) == {"pretrain": "0" * 32}
    place = (stopped / STAGES).read_bytes().index(b"000")
    with flipped(stopped / STAGES, place * 8):
        with pytest.raises(ModelFileError, match="damaged"):
            read_sealed(stopped / STAGES)
        assert damage_of(stopped)


def test_a_kill_between_the_list_and_the_status_leaves_a_run_that_goes_on(stopped):
    write_list(stopped, coming={"status.json": b"finished"})
    assert damage_of(stopped) == {}
    with run_folder(described_in(stopped), {"command": "run"}):
        pass
    assert damage_of(stopped) == {}


# Checkpoints


def test_the_checkpoint_of_another_training_is_neither_used_nor_published(tmp_path, caplog):
    mine = CheckpointFolder(tmp_path / "pretrain-0", of="pretrain-0", every=1.0)
    other = CheckpointFolder(tmp_path / "pretrain-1", of="pretrain-1", every=1.0)
    mine.keep(checkpoint(1))
    other.keep(checkpoint(9))
    (stranger,) = (tmp_path / "pretrain-1").iterdir()
    shutil.copy(stranger, tmp_path / "pretrain-0")
    newest = mine.newest()
    assert newest is not None and newest.step == 1
    assert "of another training" in caplog.text
    (tmp_path / "entry").mkdir()
    mine.hand_over(tmp_path / "entry")
    assert [path.name[:17] for path in (tmp_path / "entry").iterdir()] == ["step-000000000001"]
    for step in (2, 3):
        mine.keep(checkpoint(step))
    newest = mine.newest()
    assert newest is not None and newest.step == 3
    assert (tmp_path / "pretrain-0" / stranger.name).exists(), "it is not ours to delete"


def test_k14_a_checkpoint_by_the_name_of_another_step_is_not_used(tmp_path):
    folder = CheckpointFolder(tmp_path / "a", of="a", every=1.0)
    folder.keep(checkpoint(1))
    folder.keep(checkpoint(2))
    first = min((tmp_path / "a").iterdir())
    first.rename(first.with_name(first.name.replace("0001-", "0009-")))
    newest = folder.newest()
    assert newest is not None and newest.step == 2


# Stores


def test_h05_a_bit_in_any_file_of_a_store_is_found(store):
    draws = random.Random(0)
    assert damage_in(store) == {}
    paths = files_of(store)
    assert len({path.parent for path in paths}) >= 7
    for path in paths:
        with flipped(path, draws.randrange(2**40)):
            assert damage_of(store), path
    assert damage_of(store) == {}


def test_h05_an_entry_by_the_name_of_another_is_found(store):
    entry = next(store.glob("pretrain/*"))
    entry.rename(entry.with_name("0" * 32))
    assert damage_in(store)


def test_h05_no_bit_of_an_entry_is_used(tmp_path):
    key = Key("pretrain", {"seed": 0})

    def write(folder: Path) -> None:
        publish(folder / "model.bin", b"weights")

    with opened(tmp_path) as store:
        folder = store.take_or_make(key, write).folder
        for name in ("model.bin", "key.json", "manifest.json"):
            path = folder / name
            path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
            assert store.find(key) is None
            assert not store.take_or_make(key, write).was_kept
    assert damage_in(tmp_path) == {}


# Sweeps


JOB = Job(("seed=0",), "seed-0-0123456789ab")


@pytest.fixture
def sweep(tmp_path, finished) -> SweepFolder:
    """A sweep of one job, which has finished."""
    folder = SweepFolder(tmp_path / "sweep")
    with folder.owned():
        folder.begin("run", [JOB])
        shutil.copytree(finished, folder.run(JOB.name))
        done = finished_before(folder, JOB)
        assert done is not None
        folder.end("run", [(JOB, done)])
    return folder


def test_a_job_is_finished_before_only_where_its_folder_is_whole(sweep, caplog):
    for name in ("metrics.json", "model/config.json", "manifest.json", "status.json"):
        with flipped(sweep.run(JOB.name) / name, 99):
            assert finished_before(sweep, JOB) is None, name
    assert "damaged and does not count" in caplog.text
    (sweep.run(JOB.name) / "model" / "model.safetensors").write_bytes(b"short")
    assert finished_before(sweep, JOB) is None


def test_a_sweep_is_verified_with_its_runs(sweep):
    kinds = {one.kind: one.damage for one in verify(sweep.path)}
    assert kinds == {"sweep": {}, "run": {}}
    draws = random.Random(0)
    for path in files_of(sweep.path):
        with flipped(path, draws.randrange(2**40)):
            assert any(one.damage for one in verify(sweep.path)), path
    shutil.rmtree(sweep.run(JOB.name))
    (found,) = verify(sweep.path)
    assert found.damage == {JOB.name: "its folder is missing"}


def test_a_damaged_plan_is_said_and_written_anew(sweep, caplog):
    for content in ("{", '{"jobs": [{}]}', '{"jobs": 3}'):
        (sweep.path / "sweep.json").write_text(content)
        with sweep.owned():
            sweep.begin("run", [JOB])
        assert "was damaged and is written anew" in caplog.text
        assert sweep.jobs() == [JOB]
        caplog.clear()


@pytest.mark.parametrize("name", ["sweep.json", "study.json"])
def test_a_plan_of_a_later_version_is_refused_with_both_versions_and_stays(sweep, name):
    later = {"format": FORMATS[-1] + 1, "ae_cls": "9.7", "of_tomorrow": [1]}
    write_json(sweep.path / name, later)
    before = {path: path.read_bytes() for path in files_of(sweep.path)}
    with pytest.raises(ModelFileError) as refused, sweep.owned():
        raise AssertionError("the folder was taken")
    assert f"format {FORMATS[-1] + 1}" in refused.value.what
    assert f"to {FORMATS[-1]}" in refused.value.what
    assert refused.value.fix == "install ae-cls 9.7, which wrote it"
    assert before == {path: path.read_bytes() for path in files_of(sweep.path)}
    with pytest.raises(ModelFileError, match="this ae-cls reads"):
        sweep.jobs() if name == "sweep.json" else written_study(sweep.path)
    (sweep.path / "manifest.json").unlink()  # as of one that goes on
    assert any("this ae-cls reads" in why for why in verify(sweep.path)[0].damage.values())


def test_a_plan_says_by_which_version_it_was_written_and_one_that_does_not_is_read(sweep):
    plan = json.loads((sweep.path / "sweep.json").read_text())
    assert plan.pop("format") == FORMATS[-1]
    assert plan.pop("ae_cls") == version("ae-cls")
    write_json(sweep.path / "sweep.json", plan)
    assert sweep.jobs() == [JOB]
    write_json(sweep.path / "study.json", {"draws": 3, "words": []})
    assert written_study(sweep.path).draws == 3


@with_hydra
@forked
def test_a_sweep_over_images_that_were_all_replaced_is_not_finished_before(
    tmp_path, ae_cls: AeCls, started: Started
):
    """Of the same names, sizes and times."""
    paths = [tmp_path / "p" / kind / f"{number}.bmp" for kind in "ab" for number in range(20)]

    def draw(seed: int) -> None:
        draws = np.random.default_rng(seed)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draws.integers(0, 255, (8, 8), np.uint8)).save(path)
            os.utime(path, (1, 1))

    words = ("run", "-m", "dataset=folder", "dataset.root=p", "dataset.image_size=8")
    draw(0)
    assert ae_cls(*words, "head=knn,linear").code == 0
    assert len(started.seeds()) == 2
    outcome = ae_cls(*words, "head=knn,linear")
    assert (outcome.code, len(started.seeds())) == (0, 0)
    assert "finished before" in outcome.err
    draw(1)
    outcome = ae_cls(*words, "head=knn,linear")
    assert (outcome.code, len(started.seeds())) == (0, 2)
    assert "finished before" not in outcome.err
