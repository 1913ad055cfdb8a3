import pytest

from ae_cls.cli.flags import sort_words
from ae_cls.errors import UsageError


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "--config-dir", "own", "head=svm", "seed=1,2"],
        ["head=svm", "-m", "seed=1,2", "-cd", "own"],
        ["head=svm", "seed=1,2", "--config-dir=own", "--multirun"],
    ],
)
def test_flags_may_stand_on_either_side_of_overrides(words: list[str]) -> None:
    found = sort_words(words)
    assert found.flags == {"--multirun": "", "--config-dir": "own"}
    assert found.overrides == ["head=svm", "seed=1,2"]


def test_flag_words_keep_each_value_behind_its_flag() -> None:
    assert sort_words(["seed=1", "-c", "job", "-p", "head"]).flag_words() == [
        "--cfg", "job", "--package", "head",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--experimental-rerun", "x.pickle"], "--experimental-rerun is not offered"),
        (["--config-path=x"], "--config-path is not offered"),
        (["-cn", "x"], "-cn is not offered"),
        # argparse would take the beginning of a name for the name
        (["--exp", "x.pickle"], "there is no flag --exp"),
        (["--multrun"], "did you mean --multirun?"),
        (["--cfg"], "job, hydra, all"),
        (["--cfg", "jobs"], "job, hydra, all"),
        (["-m=1"], "-m takes no value"),
        (["-m", "--cfg", "job"], "exclude one another"),
    ],
)
def test_a_flag_that_is_not_offered_is_refused(words: list[str], told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        sort_words(words)
    assert told in refusal.value.block()
