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
def test_flags_may_stand_on_either_side_of_overrides(
    words: list[str], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    typed = sort_words("run", words)
    assert (typed.mode, [folder.name for folder in typed.folders]) == ("multirun", ["own"])
    assert typed.overrides == ("head=svm", "seed=1,2")


def test_each_value_stands_behind_its_flag() -> None:
    typed = sort_words("run", ["seed=1", "-c", "job", "-p", "head", "~test", "+a=1"])
    assert (typed.mode, typed.package) == ("cfg", "head")
    assert typed.overrides == ("seed=1", "~test", "+a=1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--experimental-rerun", "x.pickle"], "--experimental-rerun is not offered"),
        (["--config-path=x"], "--config-path is not offered"),
        (["-cn", "x"], "-cn is not offered"),
        (["--info", "all"], "--cfg job prints it"),
        (["--hydra-help"], "--hydra-help is not offered"),
        # argparse would take the beginning of a name for the name
        (["--exp", "x.pickle"], "there is no flag --exp"),
        (["--multrun"], "did you mean --multirun?"),
        (["--cfg"], "expected one argument"),
        (["--cfg", "hydra"], "choose from 'job'"),
        (["-m=1"], "ignored explicit argument"),
        (["-m", "--cfg", "job"], "not allowed with"),
        (["--explain", "-m"], "not allowed with"),
        (["-cd", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_a_flag_that_is_not_offered_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refusal:
        sort_words("run", words)
    assert said in refusal.value.block()
