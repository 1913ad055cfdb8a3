"""`ae-cls cache` and `--explain`, as a shell sees them."""

import shutil
from pathlib import Path

import pytest

from ae_cls.jobs import commands
from ae_cls.store.places import cache_folder, shared_store
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import described

pytestmark = with_hydra

RUN = (
    "threads=1", "device=cpu", "precision=fp32", "pretrain=none", "autoencoder.widths=[8,16]",
    "head.C=[0.1]",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a store and the outputs of one run with it."""
    place = tmp_path_factory.mktemp("made")
    description = described("run", *RUN).model_copy(update={"outputs": str(place / "outputs")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AE_CLS_CACHE", str(place / "cache"))
        commands.COMMANDS["run"](description)
    return place


@pytest.fixture
def one_run(made, tmp_path) -> Path:
    """A copy of that run, with the store of this test as that run left it."""
    shutil.copytree(made / "cache", cache_folder(), dirs_exist_ok=True)
    shutil.copytree(made / "outputs", tmp_path, dirs_exist_ok=True)
    (metrics,) = tmp_path.rglob("metrics.json")
    return metrics.parent


def test_ls_tells_what_each_is(one_run, ae_cls: AeCls):
    outcome = ae_cls("cache", "ls")
    assert outcome.code == 0, outcome.err
    for line in ("digits conv train", "digits conv test", "digits conv linear", "copies", "7 kept"):
        assert line in outcome.out
    assert ae_cls("cache", "ls", "--stage", "encode").out.count("digits conv") == 3


def test_verify_finds_damage_and_the_next_run_mends_it(one_run, tmp_path, ae_cls: AeCls):
    outcome = ae_cls("cache", "verify")
    assert (outcome.code, outcome.out) == (0, f"all entries are intact: {shared_store()}\n")
    weights = next(shared_store().glob("pretrain/*/model.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    outcome = ae_cls("cache", "verify")
    assert outcome.code == 5
    assert str(weights.parent) in outcome.err
    again = commands.COMMANDS["run"](
        described("run", *RUN).model_copy(update={"outputs": str(tmp_path / "again")})
    )
    assert (again.folder / "metrics.json").read_bytes() == (one_run / "metrics.json").read_bytes()
    assert ae_cls("cache", "verify").code == 0


def test_prune_removes_what_it_is_asked_to(one_run, ae_cls: AeCls):
    assert "removed 0 entries (0.00 GB), 7 left" in ae_cls("cache", "prune").out
    assert "removed 3 entries" in ae_cls("cache", "prune", "--all", "--stage", "encode").out
    assert "removed 4 entries" in ae_cls("cache", "prune", "--days", "0").out
    assert "0 kept" in ae_cls("cache", "ls").out


def test_one_entry_is_counted_as_one(one_run, ae_cls: AeCls):
    outcome = ae_cls("cache", "prune", "--all", "--stage", "classify")
    assert outcome.out.startswith("removed 1 entry (")


def test_a_stage_of_which_nothing_is_kept_gets_the_list_of_those_there_are(one_run, ae_cls: AeCls):
    outcome = ae_cls("cache", "ls", "--stage", "encoed")
    assert outcome.code == 0 and "0 kept" in outcome.out
    assert "no entry of stage encoed, only of: classify, " in outcome.err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("ls", "--all"), "ls does not delete anything"),
        (("prune", "--all", "--days", "3"), "--days: not allowed with argument --all"),
        (("prune", "--days", "-1"), "--days: must not be negative"),
        (("prune", "--days", "ten"), "--days: invalid"),
        (("ls", "--days", "0"), "ls does not delete anything"),
        (("tidy",), "invalid choice"),
    ],
)
def test_what_has_no_meaning_is_refused(words, what, ae_cls: AeCls):
    outcome = ae_cls("cache", *words)
    assert outcome.code == 2
    assert what in outcome.err


def test_explain_tells_what_is_kept_and_what_differs(one_run, tmp_path, ae_cls: AeCls):
    before = sorted(path for path in shared_store().rglob("*"))
    outcome = ae_cls("run", *RUN, f"outputs={tmp_path / 'none'}", "--explain")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count(" kept ") == 6
    outcome = ae_cls("run", *RUN, f"outputs={tmp_path / 'none'}", "encode.grid=2", "--explain")
    assert outcome.out.count("encode.grid: 3 there, 2 here") == 4
    outcome = ae_cls("run", "--explain", *RUN, f"outputs={tmp_path / 'none'}", "seed=3")
    assert "seed: 0 there, 3 here" in outcome.out
    assert outcome.out.count("follows from pretrain") == 5
    assert not (tmp_path / "none").exists()
    assert sorted(path for path in shared_store().rglob("*")) == before


def test_explain_and_a_sweep_exclude_one_another(ae_cls: AeCls):
    assert ae_cls("run", "-m", "--explain", "seed=1,2").code == 2


def test_a_stopped_run_is_resumed_from_the_ae_cls(one_run, tmp_path, ae_cls: AeCls):
    outcome = ae_cls("resume", str(one_run))
    assert (outcome.code, outcome.out) == (0, "")
    assert "has finished" in outcome.err
    assert ae_cls("resume", str(tmp_path / "nowhere")).code == 2
