from pathlib import Path

import pytest

from ae_cls.errors import DataError
from ae_cls.experiment.common import CommonKeys
from ae_cls.experiment.descriptions import Experiment
from ae_cls.jobs import commands
from ae_cls.run import run as runner
from tests.cli.conftest import AeCls, with_hydra

pytestmark = with_hydra


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[CommonKeys]:
    """What reached the runner, which does nothing here but refuse."""
    found: list[CommonKeys] = []

    def refuse(given: CommonKeys) -> runner.Result:
        found.append(given)
        raise DataError("no data in this test", fix="none")

    for command in ("run", "pretrain", "classify"):
        monkeypatch.setitem(commands.COMMANDS, command, refuse)
    return found


MISTAKES = {
    ("run", "head=xgbost"): ["head=xgbost: there is no such option", "finetune", "linear", "svm"],
    ("run", "head=liner"): ["did you mean linear?"],
    ("run", "-m", "head=linear,xgbost"): ["head=xgbost: there is no such option"],
    ("run", "head=linear,svm"): ["several values", "ae-cls run -m head=linear,svm"],
    ("run", "seed=1,2"): ["several values", "'seed=[1,2]'"],
    ("run", "autoencoder.latnt_dim=3"): ["did you mean autoencoder.latent_dim?"],
    ("run", "autoencodr.latent_dim=3"): ["did you mean autoencoder.latent_dim?"],
    ("run", "+head.extra=1"): ["head.extra: there is no such key"],
    ("run", "seed=-1", "pretrain.lr=fast", "heads=svm"): [
        "seed=-1",
        'pretrain.lr="fast"',
        "heads:",
    ],
    ("run", "seed="): ['seed=""'],
    ("run", "heads=svm", "device=7"): ["2 mistakes", "heads: ", "device=7"],
    ("run", "~seed"): ["seed: has no value"],
    ("run", "autoencoder=pixels", "autoencoder.corruption=none"): [
        "autoencoder/corruption cannot be chosen here",
        "autoencoder has no option corruption",
    ],
    ("run", "autoencoder=pixels", "head=finetune"): ["pixels has no weights to train"],
    ("run", "device=a=b"): ["cannot be read", "'device=\"a=b\"'"],
    ("run", "seed=${oops"): ["seed=${oops cannot be read"],
    ("run", "seed=${oops}"): ["oops"],
    ("run", "seed.x=1"): ["seed"],
    ("classify",): ["encoder must be given", "ae-cls classify encoder=..."],
    ("classify", "encoder=x", "pretrain=long"): [
        "classify has no group pretrain",
        "dataset, encode, head",
    ],
    ("run", "-cd", "nowhere"): ["there is no folder nowhere"],
    ("run", "-m", "folder=x", "seed=1,2"): ["a sweep names the folders of its jobs"],
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_block_before_any_folder_is_made(
    ae_cls: AeCls, described: list[CommonKeys], tmp_path: Path, words: tuple[str, ...]
) -> None:
    outcome = ae_cls(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error[2] ")
    assert "Traceback" not in outcome.err and "hydra" not in outcome.err.lower()
    for told in MISTAKES[words]:
        assert told in outcome.err
    assert not described
    assert not list(tmp_path.iterdir())


def test_words_reach_the_runner_as_one_description(
    ae_cls: AeCls, described: list[CommonKeys]
) -> None:
    ae_cls(
        "run", "autoencoder.latent_dim=3", "autoencoder.corruption=gaussian", "head=knn", "seed=7"
    )
    (found,) = described
    assert isinstance(found, Experiment)
    assert (found.seed, found.head.name) == (7, "knn")
    assert found.autoencoder.model_dump()["latent_dim"] == 3
    assert found.autoencoder.model_dump()["corruption"]["name"] == "gaussian"


@pytest.mark.parametrize("words", [["run"], ["pretrain"], ["classify", "encoder=x"]])
def test_a_refusal_of_the_runner_gives_its_exit_code(
    ae_cls: AeCls, described: list[CommonKeys], words: list[str]
) -> None:
    outcome = ae_cls(*words)
    assert outcome.code == 3
    assert outcome.err == "error[3] no data in this test\n  fix    none\n"
    assert len(described) == 1


def test_cfg_prints_the_composed_config_and_runs_nothing(
    ae_cls: AeCls, described: list[CommonKeys]
) -> None:
    outcome = ae_cls("run", "head=svm", "seed=5", "--cfg", "job")
    assert outcome.code == 0
    assert "name: svm" in outcome.out and "seed: 5" in outcome.out
    assert not described


def test_options_of_a_users_folder_can_be_chosen(
    ae_cls: AeCls, described: list[CommonKeys], tmp_path: Path
) -> None:
    (tmp_path / "own" / "pretrain").mkdir(parents=True)
    (tmp_path / "own" / "pretrain" / "mine.yaml").write_text("name: none\n")
    outcome = ae_cls("run", "pretrain=mine", "--config-dir", "own")
    assert "options are also read from own\n" in outcome.err
    (found,) = described
    assert isinstance(found, Experiment)
    assert found.pretrain.name == "none"


def test_a_users_option_may_not_bear_the_name_of_ours(ae_cls: AeCls, tmp_path: Path) -> None:
    (tmp_path / "own" / "pretrain").mkdir(parents=True)
    (tmp_path / "own" / "pretrain" / "quick.yaml").write_text("name: none\n")
    outcome = ae_cls("run", "pretrain=quick", "--config-dir", "own")
    assert outcome.code == 2
    assert "is the name of an option of ae-cls" in outcome.err
