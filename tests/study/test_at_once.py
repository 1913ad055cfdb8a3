"""How many runs of a study there are at a time."""

from dataclasses import replace

import pytest

from ae_cls.jobs.launch import HERE, Local, SlurmHere
from ae_cls.study import at_once as module
from ae_cls.study.at_once import AtOnce, at_once
from ae_cls.study.facts import Facts
from ae_cls.study.request import Request
from tests.study.conftest import facts


def request(*words: str) -> Request:
    return Request(words, {}, ())


def on(device: str) -> Facts:
    return replace(facts({}), device=device)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 4)


def test_two_on_a_processor_and_then_each_takes_longer_than_alone() -> None:
    place = at_once(HERE, request("dataset=digits"), on("cpu"))
    assert place.launch == Local(name="local", jobs=2)
    assert 1 < place.gain < 2
    assert place.slower * place.gain == pytest.approx(2)


@pytest.mark.parametrize("word", ["launch.jobs=1", "launch=local", "threads=1", "+threads=2"])
def test_one_where_a_word_says_where_or_on_how_many_threads(word: str) -> None:
    assert at_once(HERE, request(word), on("cpu")) == AtOnce(HERE)


def test_one_on_a_card_on_a_cluster_and_on_a_single_core(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = SlurmHere(name="slurm_here", timeout_min=1.0, signal_delay_s=1, max_num_timeout=0)
    assert at_once(HERE, request(), on("cuda")) == AtOnce(HERE)
    assert at_once(cluster, request(), on("cpu")) == AtOnce(cluster)
    monkeypatch.setattr(module, "cores", lambda: 1)
    assert at_once(HERE, request(), on("cpu")) == AtOnce(HERE)
