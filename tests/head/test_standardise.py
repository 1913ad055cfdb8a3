import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from ae_cls.head.standardise import BLOCK, Standardiser
from tests.head.heads import blobs


def test_standardising_agrees_with_scikit_learn() -> None:
    features = blobs(3 * BLOCK + 5).features
    standardiser = Standardiser.fit(features)
    scaler = StandardScaler().fit(features.astype(np.float64))
    mean, variance = np.asarray(scaler.mean_), np.asarray(scaler.var_)
    assert np.allclose(standardiser.mean, mean, rtol=1e-6)
    assert np.allclose(standardiser.scale, np.sqrt(variance), rtol=1e-6)
    assert np.allclose(standardiser.apply(features), scaler.transform(features), atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1, -1234.567])
def test_a_column_that_does_not_vary_is_divided_by_one(value: float) -> None:
    features = blobs(1000).features.copy()
    features[:, 2] = value
    standardiser = Standardiser.fit(features)
    assert standardiser.scale[2] == 1
    assert (standardiser.apply(features)[:, 2] == 0).all()


def test_a_column_that_varies_a_little_is_not_taken_for_constant() -> None:
    features = blobs(100).features.copy()
    features[:, 2] = 1
    features[7, 2] = 1.001
    assert Standardiser.fit(features).scale[2] == pytest.approx(1e-4, rel=0.01)


@pytest.mark.parametrize("rows", [1, BLOCK, 2 * BLOCK + 1])
def test_blocks_are_the_whole_table(rows: int) -> None:
    features = blobs(rows).features
    standardiser = Standardiser.fit(blobs(50).features)
    table = np.concatenate([block.copy() for _, block in standardiser.blocks(features)])
    assert np.array_equal(table, standardiser.apply(features))
    assert [s.stop for s, _ in standardiser.blocks(features)][-1] == rows
