from pathlib import Path

import pytest

from ae_cls.errors import UsageError
from ae_cls.words.combinations import combinations
from ae_cls.words.read import parsed, word_of
from tests.cli.conftest import with_hydra

pytestmark = with_hydra


def as_hydra_wants(word: str, *folders: Path) -> str:
    (override,) = parsed([word], folders)
    return word_of(override)


@pytest.mark.parametrize(
    ("typed", "handed_on"),
    [
        ("head=svm", "head=svm"),
        ("head=svm,linear", "head=svm,linear"),
        ("autoencoder/corruption=none", "autoencoder/corruption=none"),
        ("autoencoder.corruption=none", "autoencoder/corruption=none"),
        ("autoencoder.corruption.ratio=0.5", "++autoencoder.corruption.ratio=0.5"),
        ("seed=1", "++seed=1"),
        ("+seed=1", "++seed=1"),
        ("++seed=1", "++seed=1"),
        ("+head=svm", "+head=svm"),
        ("dataset.root='a=b'", "++dataset.root='a=b'"),
        ("seed=", "++seed="),
        ("~seed", "~seed"),
        ("~seed=1", "~seed=1"),
    ],
)
def test_keys_are_set_by_force_and_groups_are_chosen(typed: str, handed_on: str) -> None:
    assert as_hydra_wants(typed) == handed_on


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("digits", "did you mean dataset=digits?"),
        ("head", "head=svm"),
        ("autoencodr/corruption=none", "did you mean autoencoder/corruption?"),
        ("seed@head=1", "there is no group seed"),
        ("hydra/launcher=joblib", "launch=local launch.jobs=2"),
        ("hydra.launcher.n_jobs=4", "launch.jobs=2"),
        ("hydra/launcher=submitit_slurm", "launch=slurm"),
        ("hydra/launcher=submitit_local", "launch=slurm_here"),
        ("hydra/sweeper=optuna", "ae-cls search run ... search.trials=30"),
        ("hydra.sweeper.n_trials=3", "ae-cls search run ... search.trials=30"),
        ("hydra.verbose=true", "Hydra only composes"),
        ("~hydra.verbose", "Hydra only composes"),
    ],
)
def test_a_word_that_is_no_override_is_refused(word: str, said: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parsed([word])
    assert said in refusal.value.block()


def test_groups_of_the_users_own_folder_are_known(tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text("seed: 1\n")
    assert as_hydra_wants("recipe=mine", tmp_path) == "recipe=mine"
    assert as_hydra_wants("recipe=mine") == "++recipe=mine"


def test_combinations_are_the_product_with_the_last_word_varying_fastest() -> None:
    jobs = combinations(["head=linear,svm", "test=false", "seed=range(1,3)"])
    assert [job.own for job in jobs] == [
        ("head=linear", "seed=1"), ("head=linear", "seed=2"),
        ("head=svm", "seed=1"), ("head=svm", "seed=2"),
    ]  # fmt: skip
    assert jobs[0].words == ("head=linear", "++test=false", "++seed=1")


@pytest.mark.parametrize(
    ("word", "own"),
    [
        ("seed=choice(3,1)", ["seed=3", "seed=1"]),
        ("head=glob([l*,k*])", ["head=knn", "head=ladder", "head=lda", "head=linear"]),
        ("head.C=[0.1],[1,2]", ["head.C=[0.1]", "head.C=[1,2]"]),
        ("dataset.root='a,b','c d'", ["dataset.root='a,b'", "dataset.root='c d'"]),
        ("autoencoder.corruption=none,gaussian",
         ["autoencoder/corruption=none", "autoencoder/corruption=gaussian"]),
        ("seed=sort(3,1,2)", ["seed=1", "seed=2", "seed=3"]),
    ],
)  # fmt: skip
def test_every_way_to_name_several_values_is_read(word: str, own: list[str]) -> None:
    assert [job.own for job in combinations([word])] == [(one,) for one in own]


def test_a_globs_options_are_also_those_of_the_users_folder(tmp_path: Path) -> None:
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / "mine.yaml").write_text("name: linear\n")
    jobs = combinations(["head=glob(m*)"], [tmp_path])
    assert [job.own for job in jobs] == [("head=m2",), ("head=mine",), ("head=mlp",)]


def test_of_a_key_given_twice_the_last_word_counts() -> None:
    assert [job.words for job in combinations(["seed=1,2", "seed=3"])] == [("++seed=3",)]


def test_words_that_no_job_shares_alone_are_its_own_also_when_written_with_a_plus() -> None:
    assert [job.own for job in combinations(["+seed=1,2"])] == [("seed=1",), ("seed=2",)]


def test_an_interval_is_for_a_search() -> None:
    with pytest.raises(UsageError, match="interval") as refusal:
        combinations(["head.C=interval(0.1, 1)"])
    assert "ae-cls search run" in refusal.value.block()
