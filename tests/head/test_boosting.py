"""The trees are those of scikit-learn, kept and walked as arrays."""

import numpy as np
import pytest
import safetensors.numpy
from sklearn.ensemble import HistGradientBoostingClassifier

from ae_cls.draws import derive_seed
from ae_cls.errors import ModelFileError
from ae_cls.head.boosting import Boosted
from ae_cls.head.fitted import Labelled
from ae_cls.head.head_files import ARRAYS
from tests.head.heads import blobs, config, digits, fit, fitted_on_blobs

FEW = {"iterations": 12, "max_leaf_nodes": [7]}


def theirs(train: Labelled, weights: np.ndarray | None = None) -> HistGradientBoostingClassifier:
    estimator = HistGradientBoostingClassifier(
        max_iter=12, max_leaf_nodes=7, min_samples_leaf=20, early_stopping=False,
        random_state=derive_seed(0, "head", "boosting") % 2**32,
    )  # fmt: skip
    return estimator.fit(train.features, train.labels, weights)


@pytest.mark.parametrize("classes", [2, 4])
def test_its_probabilities_are_those_of_scikit_learn(classes: int) -> None:
    train, valid = blobs(200, classes), blobs(3000, classes, seed=1)
    ours = fit(config("boosting", **FEW), train, valid, classes).predict_proba(valid.features)
    expected = theirs(train).predict_proba(valid.features)
    assert np.abs(ours - expected).max() < 1e-12


def test_class_weights_are_weights_of_rows() -> None:
    train, valid, _ = digits()
    rare = train.rows(np.flatnonzero((train.labels != 8) | (np.arange(len(train.labels)) % 4 == 0)))
    ours = fit(config("boosting", **FEW, class_weight="balanced"), rare, valid, 10)
    counts = np.bincount(rare.labels)
    expected = theirs(rare, (len(rare.labels) / (10 * counts))[rare.labels])
    assert ours.predict_proba(valid.features) == pytest.approx(
        expected.predict_proba(valid.features), abs=1e-12
    )


def test_it_tells_how_often_each_feature_is_looked_at() -> None:
    train = blobs(200)
    constant = np.zeros((200, 1), np.float32)
    wider = Labelled(np.hstack([train.features, constant]), train.labels)
    head = fit(config("boosting", **FEW), wider, wider, 4)
    assert isinstance(head, Boosted)
    inner = head.left != np.arange(len(head.left))
    assert head.splits[-1] == 0 and head.splits.sum() == inner.sum() > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("left", 10**9), ("left", -1), ("right", 10**9), ("right", 0), ("feature", 8),
        ("feature", -5), ("roots", 10**9), ("roots", -1), ("classes", 4), ("classes", -1),
    ],
)  # fmt: skip
def test_a_tree_that_points_outside_itself_is_refused(name: str, value: int) -> None:
    files = fitted_on_blobs("boosting").files()
    arrays = safetensors.numpy.load(files[ARRAYS])
    arrays[name][2] = value
    with pytest.raises(ModelFileError, match="do not fit together"):
        config("boosting").load({**files, ARRAYS: safetensors.numpy.save(arrays)})
