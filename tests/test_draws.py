"""Draws that belong to a sample."""

import numpy as np
import pytest
import torch
from scipy import stats

from ae_cls.draws import Draws, derive_seed, generator


def draws(samples: torch.Tensor, *, seed: int = 0, epoch: int = 0) -> Draws:
    return Draws(seed, epoch, samples)


def test_draws_depend_on_nothing_but_seed_epoch_and_sample():
    whole = draws(torch.arange(100)).uniform("a", 7)
    shuffled = torch.randperm(100, generator=generator(1, "test"))
    assert torch.equal(draws(shuffled).uniform("a", 7), whole[shuffled])


@pytest.mark.parametrize("change", [{"seed": 1}, {"epoch": 1}])
def test_another_seed_or_epoch_draws_anew(change):
    samples = torch.arange(100)
    assert not torch.equal(draws(samples).uniform("a", 7), draws(samples, **change).uniform("a", 7))


def test_another_purpose_draws_anew():
    one = draws(torch.arange(100))
    assert not torch.equal(one.uniform("a", 7), one.uniform("b", 7))


def test_a_prefix_of_the_draws_is_the_draws_of_a_smaller_count():
    one = draws(torch.arange(10))
    assert torch.equal(one.uniform("a", 7)[:, :3], one.uniform("a", 3))


@pytest.mark.parametrize("axis", [0, 1])
def test_draws_are_uniform_and_neighbours_are_not_alike(axis):
    values = draws(torch.arange(2000)).uniform("a", 50).numpy()
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values.ravel(), "uniform").pvalue > 1e-3
    first, second = np.moveaxis(values, axis, 0)[:-1], np.moveaxis(values, axis, 0)[1:]
    correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert abs(correlation) < 4 / np.sqrt(first.size)


def test_normal_draws_are_normal():
    values = draws(torch.arange(2000)).normal("a", 51).numpy()
    assert values.shape == (2000, 51)
    assert stats.kstest(values.ravel(), "norm").pvalue > 1e-3


def test_seeds_of_different_purposes_differ():
    assert len({derive_seed(0, "a"), derive_seed(0, "b"), derive_seed(1, "a")}) == 3
    assert derive_seed(7, "order", 3) == derive_seed(7, "order", 3)
