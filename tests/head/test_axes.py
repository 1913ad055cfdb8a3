"""Coordinates of a linear model's objective: there and back, and round."""

import numpy as np
import pytest
import torch

from ae_cls.head import axes
from ae_cls.head.axes import Correlated, Uncorrelated, axes_of
from ae_cls.head.standardise import Standardiser
from tests.head.heads import blobs


def correlated(width: int = 12) -> Correlated:
    rows = np.random.default_rng(0).normal(size=(60, width)) @ np.diag(np.geomspace(1, 100, width))
    return Correlated(torch.from_numpy((rows.T @ rows).astype(np.float32)))


KINDS = (correlated(), Uncorrelated(np.geomspace(0.1, 1e4, 12).astype(np.float32)))


@pytest.mark.parametrize("one", KINDS)
@pytest.mark.parametrize("strength", [0.0, 1e-4, 10.0])
def test_there_and_back_is_the_same_weight(one, strength: float) -> None:
    weight = np.random.default_rng(1).normal(size=(3, 12)).astype(np.float32)
    coordinates = one.at(strength)
    back = coordinates.to_weight(coordinates.from_weight(weight))
    assert np.abs(back - weight).max() < 1e-3


@pytest.mark.parametrize("one", KINDS)
def test_slopes_are_those_along_the_coordinates(one) -> None:
    generator = np.random.default_rng(2)
    inner, slope = (generator.normal(size=(3, 12)).astype(np.float32) for _ in range(2))
    coordinates = one.at(0.01)
    # d(slope . weight(inner)) along any inner is the slope in the coordinates.
    assert (slope * coordinates.to_weight(inner)).sum() == pytest.approx(
        (coordinates.slope(slope) * inner).sum(), rel=1e-4
    )


def test_the_second_derivative_becomes_round() -> None:
    one, strength = correlated(), 0.01
    coordinates = one.at(strength)
    matrix = np.eye(12) + strength * one.scatter.numpy()
    unit = coordinates.to_weight(np.eye(12, dtype=np.float32))
    assert np.linalg.cond(matrix) > 100
    assert np.allclose(unit @ matrix @ unit.T, np.eye(12), atol=1e-2)


def test_a_scatter_that_rounding_made_indefinite_is_damped() -> None:
    # 211 of 768 relu units of Fashion-MNIST were dead: eigenvalues of 0, rounded below it.
    scatter = torch.diag(torch.tensor([1e7, 1.0, 0.0, -3.0]))
    weight = np.ones((2, 4), np.float32)
    found = Correlated(scatter).at(1.0)
    assert np.isfinite(found.to_weight(weight)).all()
    assert np.allclose(found.to_weight(found.from_weight(weight)), weight, atol=1e-3)


def test_the_scatter_of_many_rows_is_taken_from_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    train = blobs(20_000)
    standardiser = Standardiser.fit(train.features)
    share = axes_of(train.features, standardiser)
    monkeypatch.setattr(axes, "_ENOUGH", 20_000)
    whole = axes_of(train.features, standardiser)
    assert isinstance(share, Correlated) and isinstance(whole, Correlated)
    assert not torch.equal(share.scatter, whole.scatter)
    size = whole.scatter.abs().max()
    assert (share.scatter - whole.scatter).abs().max() < 0.3 * size


def test_wide_features_are_taken_to_be_uncorrelated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axes, "WIDEST", 5)
    train = blobs(30, 3, width=8)
    assert isinstance(axes_of(train.features, Standardiser.fit(train.features)), Uncorrelated)
