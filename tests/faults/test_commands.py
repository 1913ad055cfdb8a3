"""Commands that once did harm or said what was not so, as they are typed.

Those that other files type already: a prune of what is no store, and through links
(test_writing); pipes and devices in the place of files, as `mkfifo` and `/dev/zero` make them
(test_received); a network larger than memory (test_training); a link to itself among pictures, and
a test part that is read twice (test_data); images that were all replaced (test_damage).
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ae_cls.store.tensor_file import MOST_HEADER
from ae_cls.terminal.streams import make_printing_safe
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import CONFIGS
from tests.faults.test_output import Streams, command, streams
from tests.faults.test_training import TINY
from tests.faults.test_writing import tree
from tests.faults.whole_run import one_image, whole_run

__all__ = ["streams"]

pytestmark = with_hydra


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a finished run R, one picture a.png and a file that nobody may touch."""
    whole_run(tmp_path).rename(tmp_path / "R")
    one_image(tmp_path / "photos")
    (tmp_path / "photos" / "a.png").rename(tmp_path / "a.png")
    (tmp_path / "photos").rmdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("seven years")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("output", ["a.png", "./a.png", "R/model/config.json", "R/status.json"])
def test_predict_writes_over_no_input_and_no_model(output, here, ae_cls: AeCls):
    os.chdir(here)
    before = tree(here)
    ended = ae_cls("predict", "R", "a.png", "-o", output)
    assert ended.code == 2 and "cannot be the output" in ended.err
    assert tree(here) == before


def test_resume_writes_through_no_lock_that_is_a_link(here, ae_cls: AeCls):
    status = json.loads((here / "R" / "status.json").read_text())
    (here / "R" / "status.json").write_text(json.dumps(status | {"state": "interrupted"}))
    (here / "R" / ".lock").unlink(missing_ok=True)
    (here / "R" / ".lock").symlink_to(here / "precious" / "thesis.txt")
    before = tree(here)
    ended = ae_cls("resume", "R")
    assert ended.code in (5, 6) and ".lock" in ended.err
    assert tree(here) == before


def test_predict_follows_no_model_that_is_a_link(here, ae_cls: AeCls):
    (here / "R" / "model").rename(here / "elsewhere")
    (here / "R" / "model").symlink_to(here / "elsewhere")
    ended = ae_cls("predict", "R", "a.png")
    assert ended.code == 5 and "the model is a link" in ended.err


def test_a_store_that_is_a_link_is_pruned_where_it_lies_and_nothing_beside_it(here, ae_cls: AeCls):
    (here / "cache").symlink_to(here / "precious")
    before = tree(here)
    ended = ae_cls("cache", "prune", "--all", "--folder", "cache")
    assert ended.code == 2 and "not a store" in ended.err
    assert tree(here) == before


def test_answers_for_which_there_is_no_room_end_with_6(here, streams: Streams):
    streams(Path("/dev/full"), here / "said")
    make_printing_safe()
    code = command(["predict", str(here / "R"), str(here / "a.png")])
    assert code == 6
    said = (here / "said").read_text()
    assert "error[6] standard output cannot be written" in said and "Traceback" not in said


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in which there is no room left."""
    place = tmp_path / "full"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with (
            (place / "filling").open("wb", buffering=0) as file,
            pytest.raises(OSError, match="No space"),
        ):
            while True:
                file.write(bytes(4096))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("key", ["outputs={}", "folder={}/run", "store"])
def test_a_full_disk_is_said_before_anything_is_trained(
    key, full_disk, ae_cls: AeCls, monkeypatch, tmp_path
):
    if key == "store":
        monkeypatch.setenv("AE_CLS_CACHE", str(full_disk / "cache"))
        words: tuple[str, ...] = ()
    else:
        words = (key.format(full_disk),)
    ended = ae_cls(*TINY, *words)
    assert ended.code == 6, ended.err
    assert "pretrain:" not in ended.err and str(full_disk) in ended.err
    assert [path.name for path in full_disk.iterdir() if path.is_file()] == ["filling"]


def test_a_training_that_explodes_says_truly_what_is_kept(ae_cls: AeCls, tmp_path):
    ended = ae_cls(*TINY, "pretrain.lr=1e30", "pretrain.epochs=4", "checkpoint_seconds=0.001")
    assert ended.code == 4 and "Traceback" not in ended.err
    kept = list(tmp_path.rglob("step-*.safetensors"))
    kept += list(Path(os.environ["AE_CLS_CACHE"]).rglob("step-*.safetensors"))
    assert ("is kept" in ended.err and "nothing of it is kept" not in ended.err) == bool(kept)
    for path in kept:
        assert path.stat().st_size < MOST_HEADER
    (run,) = (path.parent for path in tmp_path.rglob("status.json"))
    assert json.loads((run / "status.json").read_text())["state"] == "failed"
    assert not (run / "metrics.json").exists() and not (run / "model").exists()


def test_a_limit_on_addresses_under_which_nothing_can_be_loaded_is_named(tmp_path):
    limited = f"ulimit -v 1500000; exec {shlex.quote(sys.executable)} -m ae_cls run"
    path = os.pathsep.join([str(CONFIGS.parent), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        ["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=200, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert ended.returncode == 4, ended.stderr
    assert "ulimit -v" in ended.stderr and "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []
