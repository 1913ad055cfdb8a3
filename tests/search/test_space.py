"""Every kind of word that names several values, and what is drawn from it."""

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from ae_cls.errors import UsageError
from ae_cls.search.searched import searched
from ae_cls.search.space import Choice, Interval, Space, Steps
from tests.cli.conftest import with_hydra
from tests.composed import options

pytestmark = with_hydra


def space(*words: str) -> Space:
    return searched(words)[0]


@pytest.mark.parametrize(
    ("value", "meant", "probes"),
    [
        ("32,64,128", Choice(("32", "64", "128")), ("32", "64", "128")),
        ("choice(conv,vae)", Choice(("conv", "vae")), ("conv", "vae")),
        ("choice(relu)", Choice(("relu",)), ("relu",)),
        ("1,2,1", Choice(("1", "2")), ("1", "2")),
        ("[8],[8,16]", Choice(("[8]", "[8,16]")), ("[8]", "[8,16]")),
        ("null,'a, b'", Choice(("null", "'a, b'")), ("null", "'a, b'")),
        ("range(1,10,4)", Steps((1, 5, 9), 4, False), ("1", "9")),
        ("range(3)", Steps((0, 1, 2), 1, False), ("0", "2")),
        ("range(5,1,-2)", Steps((3, 5), 2, False), ("3", "5")),
        ("range(0.1,0.5,0.1)", Steps((0.1, 0.2, 0.3, 0.4), 0.1, False), ("0.1", "0.4")),
        ("float(range(1,3))", Steps((1.0, 2.0), 1.0, False), ("1.0", "2.0")),
        ("tag(log,range(1,5))", Steps((1, 2, 3, 4), 1, True), ("1", "4")),
        ("interval(1,10)", Interval(1.0, 10.0, False), ("1.0", "10.0")),
        ("int(interval(1,10))", Interval(1, 10, False), ("1", "10")),
        ("tag(log, interval(1e-4,1e-2))", Interval(1e-4, 1e-2, True), ("0.0001", "0.01")),
        ("tag(log, int(interval(1,64)))", Interval(1, 64, True), ("1", "64")),
        ("int(tag(log, interval(1,64)))", Interval(1, 64, True), ("1", "64")),
    ],
)
def test_a_value_means_what_hydras_grammar_says(value: str, meant: object, probes: tuple) -> None:
    found = space(f"key={value}").dimensions["key"]
    assert found == meant
    assert found.probes() == probes


def test_a_glob_chooses_among_the_options_of_a_group() -> None:
    assert space("head=glob([k*,l*])").dimensions["head"] == Choice(
        ("knn", "ladder", "lda", "linear")
    )
    assert space("head=glob(*)").dimensions["head"] == Choice(tuple(options("head")))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("interval(5,1)", "below the second"),
        ("interval(2,2)", "below the second"),
        ("interval(0,inf)", "finite"),
        ("tag(log, interval(0,1))", "above 0"),
        ("tag(log, range(0.5,2,0.5))", "whole numbers"),
        ("tag(log, range(0,5))", "whole numbers"),
        ("tag(log, range(1,9,2))", "whole numbers"),
        ("tag(log, choice(1,2))", "no scale"),
        ("tag(fast, interval(1,2))", "only tag is log"),
        ("range(5,1)", "no number is in it"),
        ("range(1,5,0)", "step not 0"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(value: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        space(f"key={value}")
    assert f"key={value}" in refused.value.what


def test_words_without_several_values_are_nothing_to_search() -> None:
    with pytest.raises(UsageError, match="nothing to search"):
        space("seed=1", "head=knn")


def test_words_that_are_shared_and_searched_are_told_apart() -> None:
    found, shared = searched(
        ["search.trials=3", "seed=1", "head=svm,linear", "head.C=interval(1,2)", "dataset=digits"]
    )
    assert shared == ("search.trials=3", "seed=1", "dataset=digits")
    assert list(found.dimensions) == ["head", "head.C"]
    assert found.words({"head": "svm", "head.C": 1.23456}) == ("head=svm", "head.C=1.235")


def test_probes_have_every_choice_and_both_ends_but_not_every_pair() -> None:
    found = space("a=x,y,z", "b=interval(1,2)").probes()
    assert found == [("a=x", "b=1.0"), ("a=y", "b=1.0"), ("a=z", "b=1.0"), ("a=x", "b=2.0")]


def test_a_key_that_is_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="given twice"):
        space("head.C=1,2", "head.C=3")


@pytest.mark.parametrize(
    "value",
    ["interval(0.001,0.0013)", "tag(log, interval(1e-5,1e5))", "range(0.1,1.05,0.1)",
     "range(7,99,3)", "int(interval(1,9))", "a,b"],
)  # fmt: skip
def test_whatever_is_drawn_can_be_typed_and_lies_within(value: str) -> None:
    found = space(f"key={value}")
    (dimension,) = found.dimensions.values()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    texts = set()
    for _ in range(50):
        drawn = study.ask({"key": dimension.distribution()}).params
        texts.add(dimension.text(drawn["key"]))
        (word,) = found.words(drawn)
        assert not space("other=1,2", f"{word}").dimensions.keys() & {"key"}  # one plain value
    assert len(texts) > 1
    if isinstance(dimension, Interval):
        assert all(dimension.low <= float(text) <= dimension.high for text in texts)
    if isinstance(dimension, Steps):
        assert texts <= {str(number) for number in dimension.numbers}
        drawn_from = dimension.distribution()
        assert isinstance(drawn_from, IntDistribution | FloatDistribution)
        assert (drawn_from.low, drawn_from.high) == (dimension.numbers[0], dimension.numbers[-1])
