from pathlib import Path

import pytest

from ae_cls.cli.flags import sort_words
from ae_cls.cli.words import hydra_words
from ae_cls.errors import UsageError


def as_hydra_wants(*words: str) -> list[str]:
    return hydra_words(sort_words(words))


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
        ("dataset.root=a=b", "++dataset.root=a=b"),
        ("seed=", "++seed="),
        ("~seed", "~seed"),
        ("hydra/launcher=joblib", "hydra/launcher=joblib"),
        ("hydra.verbose=true", "hydra.verbose=true"),
    ],
)
def test_keys_are_set_by_force_and_groups_are_chosen(typed: str, handed_on: str) -> None:
    assert as_hydra_wants(typed) == [handed_on]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("digits", "did you mean dataset=digits?"),
        ("head", "head=svm"),
        ("autoencodr/corruption=none", "did you mean autoencoder/corruption?"),
    ],
)
def test_a_word_that_is_no_override_is_refused(word: str, told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        as_hydra_wants(word)
    assert told in refusal.value.block()


def test_groups_of_the_users_own_folder_are_known(tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text("seed: 1\n")
    assert as_hydra_wants("recipe=mine", "-cd", str(tmp_path)) == ["recipe=mine"]
    assert as_hydra_wants("recipe=mine") == ["++recipe=mine"]
