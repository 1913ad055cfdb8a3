"""Runs and models with damage anywhere: read as they were, or refused; no traceback, no hang (M17).

The manifest of a damaged model is made to fit, as whoever damages it on purpose would do.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ae_cls.compare.runs import read_runs
from ae_cls.errors import UsageError
from ae_cls.experiment.read import read_saved
from ae_cls.jobs.record import PLAN, SweepFolder
from ae_cls.jobs.results import results_of
from ae_cls.jobs.status import status_rows
from ae_cls.run.folder import read_status
from ae_cls.run.stopped import saved_so_far
from ae_cls.saved.data import remembered
from ae_cls.saved.encoder_run import read_encoder_run
from ae_cls.saved.metrics import read_metrics
from ae_cls.saved.predict import predict_to_csv
from ae_cls.store.manifest import FORMAT
from ae_cls.store.received import read_json
from tests.faults.damaged import byte_damage, json_damage, json_text, only_refused, quick
from tests.faults.whole_run import one_image, resealed, tensor_file, whole_run

pytestmark = pytest.mark.timeout(240)

Damage = Callable[[bytes], bytes]
OtherTree = Callable[[Any], Any]

MODEL = (
    "model.safetensors", "config.json", "head.json", "head.safetensors", "likeness.safetensors",
)  # fmt: skip
TENSORS = ("model.safetensors", "head.safetensors", "likeness.safetensors")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, and a picture beside it."""
    place = tmp_path_factory.mktemp("fuzz")
    one_image(place / "photos")
    return whole_run(place)


def changed(run: Path, name: str, content: bytes) -> Path:
    """The run with another file, until the next change."""
    other = run.parent / "changed"
    if not other.exists():
        shutil.copytree(run, other)
    for path in run.rglob("*"):
        if path.is_file() and path.suffix != ".svg":
            shutil.copyfile(path, other / path.relative_to(run))
    (other / name).write_bytes(content)
    return other


def predicted(run: Path) -> None:
    predict_to_csv(run, [run.parent / "photos"], run.parent / "out.csv", "cpu")


def read_all(run: Path) -> None:
    """What commands look at before they go on with a run, or compare it."""
    read_status(run)
    saved_so_far(run)
    read_metrics(run)
    remembered(run, "identity")
    read_encoder_run(run)


@quick(25)
@given(name=st.sampled_from(MODEL), damage=byte_damage())
def test_model_files_with_other_bytes(run: Path, name: str, damage: Damage) -> None:
    other = changed(run, f"model/{name}", damage((run / "model" / name).read_bytes()))
    resealed(other / "model")
    with only_refused():
        predicted(other)


@quick(25)
@given(name=st.sampled_from(TENSORS), damage=json_damage(), grown=st.integers(0, 9))
def test_headers_of_tensors(run: Path, name: str, damage: OtherTree, grown: int) -> None:
    whole = (run / "model" / name).read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = damage(json.loads(whole[8 : 8 + length]))
    data = whole[8 + length :] + bytes(grown)
    other = changed(run, f"model/{name}", tensor_file(json_text(header), data))
    resealed(other / "model")
    with only_refused():
        predicted(other)


@quick(25)
@given(name=st.sampled_from(["config.json", "head.json"]), damage=json_damage())
def test_descriptions_of_models(run: Path, name: str, damage: OtherTree) -> None:
    tree = damage(json.loads((run / "model" / name).read_bytes()))
    other = changed(run, f"model/{name}", json_text(tree))
    resealed(other / "model")
    with only_refused():
        predicted(other)


@quick(25)
@given(damage=json_damage())
def test_manifests(run: Path, damage: OtherTree) -> None:
    tree = damage(json.loads((run / "model" / "manifest.json").read_bytes()))
    other = changed(run, "model/manifest.json", json_text(tree))
    with only_refused():
        predicted(other)


@quick(40)
@given(
    name=st.sampled_from(
        ["status.json", "stages.json", "metrics.json", "config.json", "environment.json"]
    ),
    damage=json_damage(),
)
def test_json_files_of_a_run(run: Path, name: str, damage: OtherTree) -> None:
    tree = damage(json.loads((run / name).read_bytes()))
    other = changed(run, name, json_text(tree))
    with only_refused():
        read_all(other)
    with only_refused():
        read_saved(read_json(other / "config.json"), FORMAT)
    compared(other)


@quick(25)
@given(
    name=st.sampled_from(["split.npz", "predictions.csv", "metrics.json", "status.json"]),
    damage=byte_damage(),
)
def test_files_of_a_run_with_other_bytes(run: Path, name: str, damage: Damage) -> None:
    other = changed(run, name, damage((run / name).read_bytes()))
    with only_refused():
        read_all(other)
    compared(other)


def compared(run: Path) -> None:
    """A report leaves out what it cannot read, and says why."""
    try:
        runs, unreadable = read_runs([run])
    except UsageError:
        return
    assert len(runs) + len(unreadable) == 1
    assert all(one.why for one in unreadable)


ENTRY = {
    "words": ["seed=1"], "name": "seed=1-0123456789ab", "note": "", "state": "finished",
    "folder": None, "metrics": {"test": {"accuracy": 0.5, "accuracy_ci95": [0.4, 0.6]}},
    "seconds": 1.0, "code": 0, "reason": "", "owner": None, "started": "2026-11-27T10:00:00+00:00",
}  # fmt: skip
RECORD = {key: value for key, value in ENTRY.items() if key not in {"words", "name", "note"}}


@quick(60)
@given(damage=json_damage(), of_plan=st.booleans())
def test_plans_and_records_of_sweeps(tmp_path: Path, damage: OtherTree, of_plan: bool) -> None:
    plan: Any = {"command": "run", "jobs": [ENTRY]}
    record: Any = dict(RECORD)
    plan, record = (damage(plan), record) if of_plan else (plan, damage(record))
    (tmp_path / "jobs").mkdir(exist_ok=True)
    (tmp_path / PLAN).write_bytes(json_text(plan))
    (tmp_path / "jobs" / f"{ENTRY['name']}.json").write_bytes(json_text(record))
    folder = SweepFolder(tmp_path)
    with only_refused():
        status_rows(folder, runs=True)
        results_of(tmp_path, folder.ended())


def test_a_part_of_a_record_that_is_null_is_no_part(tmp_path: Path) -> None:
    metrics = {"test": None, "valid": None, "reconstruction": {"intact": None}}
    (tmp_path / "jobs").mkdir()
    (tmp_path / PLAN).write_bytes(json_text({"command": "run", "jobs": [ENTRY]}))
    record = tmp_path / "jobs" / f"{ENTRY['name']}.json"
    record.write_bytes(json_text({**RECORD, "metrics": metrics}))
    folder = SweepFolder(tmp_path)
    assert len(list(folder.ended())) == 1
    results_of(tmp_path, folder.ended())


@pytest.mark.slow
@quick(1500)
@given(
    name=st.sampled_from([f"model/{name}" for name in (*MODEL, "manifest.json")]),
    damages=st.lists(byte_damage(), min_size=1, max_size=3),
    fits=st.booleans(),
)
def test_whole_models_with_more_damage(
    run: Path, name: str, damages: list[Damage], fits: bool
) -> None:
    content = (run / name).read_bytes()
    for damage in damages:
        content = damage(content or b"\0")
    other = changed(run, name, content)
    if fits and name != "model/manifest.json":
        resealed(other / "model")
    with only_refused():
        predicted(other)
