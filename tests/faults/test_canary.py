"""No command that is given a hostile run touches, follows or runs anything outside of it."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import AeCls, with_hydra
from tests.faults.whole_run import one_image, resealed, whole_run

pytestmark = [pytest.mark.timeout(240), with_hydra]

OUTSIDE = "../../precious/secret"


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("canary",)


def _calls(run: Path) -> None:
    """Every JSON object calls something."""
    call = {"_target_": "os.mkdir", "_args_": ["canary"], "${oc.env:HOME}": "${oc.env:HOME}"}
    for path in run.rglob("*.json"):
        path.write_text(json.dumps(_with_calls(json.loads(path.read_text()), call)))


def _with_calls(node: Any, call: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        return {key: _with_calls(value, call) for key, value in node.items()} | call
    return node


def _pickles(run: Path) -> None:
    for path in run.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".safetensors", ".npz", ".csv"}:
            path.write_bytes(pickle.dumps(Payload()))


def _paths(run: Path) -> None:
    """Whatever leads to a folder or file leads outside."""
    (run / "stages.json").write_text(json.dumps({"pretrain": OUTSIDE, "../../precious": "0" * 32}))
    manifest = json.loads((run / "model" / "manifest.json").read_text())
    manifest["files"][OUTSIDE] = {"size": 5, "sha256": "0" * 64}
    (run / "model" / "manifest.json").write_text(json.dumps(manifest))
    status = {"state": "interrupted", "command": "classify", "encoder": OUTSIDE}
    (run / "status.json").write_text(json.dumps(status))


def _links(run: Path) -> None:
    """Each file is a link to one outside, with the same content."""
    aside = run.parent / "precious" / "files"
    for path in [path for path in run.rglob("*") if path.is_file()]:
        there = aside / path.relative_to(run)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, there)
        path.symlink_to(there)


def _pipes(run: Path) -> None:
    for path in [path for path in run.rglob("*") if path.is_file()]:
        path.unlink()
        os.mkfifo(path)


HOSTILE = {"calls": _calls, "pickles": _pickles, "paths": _paths, "links": _links, "pipes": _pipes}
COMMANDS = (
    "predict R photos -o out.csv", "encode R -o out.npz", "encode R --folder photos -o out.csv",
    "classify encoder=R threads=1", "resume R", "report R", "cache verify --folder R",
    "cache ls --folder R",
)  # fmt: skip


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else (b"", 0)
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_outside_is_touched(
    ae_cls: AeCls, tmp_path: Path, hostile: str, sealed: bool
) -> None:
    run = whole_run(tmp_path).rename(tmp_path / "R")
    one_image(tmp_path / "photos")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "secret").write_text("12345")
    HOSTILE[hostile](run)
    if sealed and hostile in {"calls", "pickles"}:
        resealed(run / "model")
    before = tree(precious) | tree(tmp_path / "photos")
    for words in COMMANDS:
        ended = ae_cls(*words.split())
        assert ended.code in {0, 2, 3, 5} and "Traceback" not in ended.err, (words, ended)
        assert "12345" not in ended.out + ended.err
    assert tree(precious) | tree(tmp_path / "photos") == before
    assert not list(tmp_path.rglob("canary"))
