"""The trees are those of scikit-learn, however many are grown at a time."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from ae_cls.draws import derive_seed
from ae_cls.head.forest import Forest, ForestConfig
from tests.head.heads import blobs, config


def fit(**changes) -> Forest:
    head = config("forest", min_samples_leaf=[2], **changes)
    assert isinstance(head, ForestConfig)
    fitted = head.fit(
        blobs(120), blobs(40, seed=1), class_count=4, choose_by="accuracy", seed=3, progress=False
    )
    assert isinstance(fitted, Forest)
    return fitted


@pytest.mark.parametrize("trees", [1, 7, 23])
def test_trees_grown_a_few_at_a_time_are_those_grown_at_once(trees: int) -> None:
    train, valid = blobs(120), blobs(40, seed=1)
    plain = RandomForestClassifier(
        trees, min_samples_leaf=2, random_state=derive_seed(3, "head", "forest") % 2**32
    ).fit(train.features, train.labels)
    head = fit(trees=trees)
    assert len(head.estimator.estimators_) == trees
    expected = np.asarray(plain.predict_proba(valid.features))
    assert np.array_equal(head.predict_proba(valid.features), expected)


def test_the_number_of_threads_does_not_change_the_files() -> None:
    threads, files = torch.get_num_threads(), []
    for count in (1, 2):
        torch.set_num_threads(count)
        try:
            files.append(fit(trees=20).files())
        finally:
            torch.set_num_threads(threads)
    assert files[0] == files[1]


def test_what_is_kept_is_a_plain_forest() -> None:
    settings = fit(trees=15).estimator.get_params()
    assert settings["n_estimators"] == 15
    assert settings["n_jobs"] == 1 and settings["warm_start"] is False


def test_trees_read_features_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    orders, plain = [], RandomForestClassifier.fit

    def watched(self, X: np.ndarray, y: np.ndarray) -> RandomForestClassifier:
        orders.append((X.flags.f_contiguous, X.flags.c_contiguous))
        return plain(self, X, y)

    monkeypatch.setattr(RandomForestClassifier, "fit", watched)
    fit(trees=2)
    assert set(orders) == {(True, False)}
