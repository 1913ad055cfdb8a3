"""The machine against scikit-learn's, and the temperature."""

import logging

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import LinearSVC

from ae_cls.head.fitted import FittedHead, Labelled
from ae_cls.head.nystroem import Coordinates, rbf, squared_distances
from ae_cls.head.standardise import Standardiser
from ae_cls.head.svm import SvmConfig
from tests.head.heads import blobs, config, digits


def fit(train: Labelled, valid: Labelled, classes: int, **changes) -> FittedHead:
    head = config("svm", **changes)
    assert isinstance(head, SvmConfig)
    return head.fit(train, valid, class_count=classes, choose_by="accuracy", seed=0, progress=False)


def linear_svc(table: np.ndarray, labels: np.ndarray, C: float) -> LinearSVC:
    # LinearSVC penalises its bias too; a large constant column makes that negligible.
    svc = LinearSVC(C=C, tol=1e-8, intercept_scaling=1000, max_iter=10_000, dual=False)
    return svc.fit(table, labels)


def scores(head: FittedHead, features: np.ndarray) -> np.ndarray:
    """Before the temperature, up to a shift of each row."""
    return np.log(head.predict_proba(features)) * head.facts["temperature"]  # type: ignore[operator]


def without_shift(table: np.ndarray) -> np.ndarray:
    return table - table.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [3, 7])
def test_scores_are_those_of_linear_svc_on_the_exact_kernel(classes: int) -> None:
    train, valid = blobs(30 * classes, classes), blobs(200, classes, seed=1)
    head = fit(train, valid, classes, C=[2.0], gamma=[1.0], tolerance=1e-12, max_steps=5000)
    standardiser = Standardiser.fit(train.features)
    rows, queries = (
        standardiser.apply(part.features).astype(np.float64) for part in (train, valid)
    )
    gamma = 1 / (rows.shape[1] * rows.var())  # scikit-learn's "scale"
    values, vectors = np.linalg.eigh(rbf_kernel(rows, gamma=gamma))
    transform = vectors / np.sqrt(values)
    theirs = linear_svc(rbf_kernel(rows, gamma=gamma) @ transform, train.labels, 2.0)
    expected = theirs.decision_function(rbf_kernel(queries, rows, gamma=gamma) @ transform)
    difference = without_shift(scores(head, valid.features)) - without_shift(expected)
    assert np.abs(difference).max() < 5e-3


def test_scores_of_the_linear_kernel_are_those_of_linear_svc() -> None:
    train, valid = blobs(300), blobs(100, seed=1)
    head = fit(train, valid, 4, kernel="linear", C=[0.01], tolerance=1e-12, max_steps=5000)
    standardiser = Standardiser.fit(train.features)
    theirs = linear_svc(standardiser.apply(train.features), train.labels, 0.01)
    expected = theirs.decision_function(standardiser.apply(valid.features))
    difference = without_shift(scores(head, valid.features)) - without_shift(expected)
    assert np.abs(difference).max() < 2e-3


def coordinates_of(features: np.ndarray, rows: np.ndarray, gamma: float) -> np.ndarray:
    standardiser = Standardiser.fit(features)
    distances = squared_distances(features, standardiser, standardiser.apply(features[rows]))
    coordinates = Coordinates.of(rbf(distances[rows], gamma))
    return coordinates.apply(distances, gamma).astype(np.float64)


def test_coordinates_of_all_rows_give_the_exact_kernel() -> None:
    features = blobs(60).features
    coordinates = coordinates_of(features, np.arange(60), 0.3)
    exact = rbf_kernel(Standardiser.fit(features).apply(features).astype(np.float64), gamma=0.3)
    assert np.abs(coordinates @ coordinates.T - exact).max() < 1e-3


def test_few_coordinates_approximate_as_well_as_scikit_learn() -> None:
    features = digits()[0].features[:400]
    table = Standardiser.fit(features).apply(features).astype(np.float64)
    exact = rbf_kernel(table, gamma=0.01)

    def error(coordinates: np.ndarray) -> float:
        return float(np.abs(coordinates @ coordinates.T - exact).mean())

    ours = error(coordinates_of(features, np.arange(0, 400, 4), 0.01))
    theirs = error(Nystroem(gamma=0.01, n_components=100, random_state=0).fit_transform(table))
    assert ours < 1.2 * theirs


def test_rows_that_occur_twice_do_no_harm() -> None:
    once, valid = blobs(60), blobs(40, seed=1)
    twice = Labelled(np.tile(once.features, (2, 1)), np.tile(once.labels, 2))
    # Two equal rows weigh as one at twice the C.
    first = fit(once, valid, 4, C=[2.0], gamma=[0.3], tolerance=1e-10)
    second = fit(twice, valid, 4, C=[1.0], gamma=[0.3], tolerance=1e-10)
    difference = first.predict_proba(valid.features) - second.predict_proba(valid.features)
    assert np.abs(difference).max() < 1e-2


def test_many_rows_are_approximated_and_the_user_is_warned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    train, valid, one = blobs(120), blobs(40, seed=1), {"C": [1.0], "gamma": [1.0]}
    with caplog.at_level(logging.WARNING):
        assert fit(train, valid, 4, **one, components=120).facts["approximation"] is None
        linear = fit(train, valid, 4, **one, kernel="linear", components=50)
        assert linear.facts["approximation"] is None
        assert not caplog.records
        head = fit(train, valid, 4, **one, components=50)
    assert head.facts["approximation"] == "nystroem 50"
    assert "nystroem 50" in caplog.text and "120" in caplog.text


def test_the_approximation_learns_digits_and_depends_on_the_seed_only() -> None:
    train, valid, test = digits()
    changes = {"components": 300, "C": [10.0], "gamma": [0.3]}
    head = fit(train, valid, 10, **changes)
    probabilities = head.predict_proba(test.features)
    assert (probabilities.argmax(axis=1) == test.labels).mean() > 0.94
    assert fit(train, valid, 10, **changes).files() == head.files()
    loaded = config("svm").load(head.files())
    assert loaded.predict_proba(test.features).tobytes() == probabilities.tobytes()


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_two_classes_are_approximated(kernel: str) -> None:
    train, valid = blobs(60, 2), blobs(40, 2, seed=1)
    head = fit(train, valid, 2, kernel=kernel, C=[0.1])
    right = head.predict_proba(valid.features).argmax(axis=1) == valid.labels
    assert right.mean() > 0.9


def test_every_pair_of_settings_is_tried_and_gamma_is_left_out_where_it_means_nothing() -> None:
    train, valid = blobs(40), blobs(20, seed=1)
    trials = fit(train, valid, 4, C=[1.0, 2.0], gamma=[0.5, 1.0]).facts["trials"]
    assert isinstance(trials, list)
    pairs = {(row["C"], row["gamma"]) for row in trials if isinstance(row, dict)}
    assert pairs == {(1.0, 0.5), (1.0, 1.0), (2.0, 0.5), (2.0, 1.0)}
    linear = fit(train, valid, 4, kernel="linear", C=[0.1, 1.0]).facts["trials"]
    assert isinstance(linear, list) and len(linear) == 2
    assert all("gamma" not in row for row in linear)  # type: ignore[operator]


def test_separable_validation_rows_make_it_neither_certain_nor_unsure() -> None:
    train, valid, test = digits()
    right = fit(train, train, 10, C=[10.0], gamma=[1.0])  # each answer on its own rows is right
    one_wrong = Labelled(valid.features[:1], (valid.labels[:1] + 1) % 10)
    wrong = fit(train, one_wrong, 10, C=[10.0], gamma=[1.0])
    for head in (right, wrong):
        assert 0.05 < head.facts["temperature"] < 1.5  # type: ignore[operator]
        probabilities = head.predict_proba(test.features)
        assert (probabilities.max(axis=1) < 1).all()
        assert log_loss(test.labels, probabilities) < 1.0


def test_a_machine_of_a_grid_is_the_one_fitted_alone() -> None:
    train, valid, exact = blobs(60), blobs(40, seed=1), {"tolerance": 1e-12, "max_steps": 5000}
    grid = fit(train, valid, 4, C=[0.01, 0.1, 1.0], gamma=[1.0, 0.3], **exact)
    chosen = grid.facts["chosen"]
    assert isinstance(chosen, dict)
    alone = fit(train, valid, 4, **{name: [value] for name, value in chosen.items()}, **exact)
    difference = grid.predict_proba(valid.features) - alone.predict_proba(valid.features)
    assert np.abs(difference).max() < 1e-3
