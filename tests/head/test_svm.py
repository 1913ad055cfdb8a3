"""The machines against scikit-learn's, and the temperature."""

import logging

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC, LinearSVC

from ae_cls.head.contract import Labelled
from ae_cls.head.standardise import Standardiser
from ae_cls.head.svm import Svm, SvmConfig, fitted_temperature
from ae_cls.head.svm_approximate import Kernel
from tests.head.heads import blobs, config, digits


def fit(train: Labelled, valid: Labelled, classes: int, **changes) -> Svm:
    head = config("svm", **changes)
    assert isinstance(head, SvmConfig)
    return head.fit(train, valid, class_count=classes, seed=0, progress=False)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_exact_scores_and_labels_are_those_of_svc(kernel: str, classes: int) -> None:
    train, valid = blobs(30 * classes, classes), blobs(200, classes, seed=1)
    head = fit(train, valid, classes, kernel=kernel, C=[2.0], gamma=[1.0])
    standardiser = Standardiser.fit(train.features)
    theirs = SVC(C=2.0, kernel=kernel, gamma="scale", break_ties=True)
    theirs.fit(standardiser.apply(train.features), train.labels)
    table = standardiser.apply(valid.features)
    scores = head.machine.scores(valid.features)
    expected = theirs.decision_function(table)
    assert np.abs((scores[:, 1] if classes == 2 else scores) - expected).max() < 1e-3
    predicted = head.predict_proba(valid.features).argmax(axis=1)
    assert np.array_equal(predicted, theirs.predict(table))


def test_exact_labels_are_those_of_svc_on_digits() -> None:
    train, valid, test = digits()
    head = fit(train, valid, 10, C=[10.0], gamma=[0.3])
    standardiser = Standardiser.fit(train.features)
    table = standardiser.apply(train.features)
    gamma = 0.3 / (table.shape[1] * table.var())
    theirs = SVC(C=10, gamma=gamma, break_ties=True).fit(table, train.labels)
    predicted = head.predict_proba(test.features).argmax(axis=1)
    assert np.array_equal(predicted, theirs.predict(standardiser.apply(test.features)))


def test_many_rows_are_approximated_and_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    train, valid = blobs(120), blobs(40, seed=1)
    with caplog.at_level(logging.WARNING):
        assert fit(train, valid, 4, exact_rows=120).facts["approximation"] is None
        assert not caplog.records
        head = fit(train, valid, 4, exact_rows=119, components=50)
    assert head.facts["approximation"] == "nystroem 50"
    assert "nystroem 50" in caplog.text and "120" in caplog.text
    linear = fit(train, valid, 4, kernel="linear", exact_rows=119)
    assert linear.facts["approximation"] == "LinearSVC"


def test_the_linear_approximation_is_linear_svc() -> None:
    train, valid = blobs(300), blobs(100, seed=1)
    head = fit(
        train, valid, 4, kernel="linear", C=[0.01], exact_rows=0, tolerance=1e-12, max_steps=5000
    )
    standardiser = Standardiser.fit(train.features)
    # LinearSVC penalises its bias too; a large constant column makes that negligible.
    theirs = LinearSVC(C=0.01, tol=1e-8, intercept_scaling=1000, max_iter=10_000)
    theirs.set_params(dual=False)
    theirs.fit(standardiser.apply(train.features), train.labels)
    expected = theirs.decision_function(standardiser.apply(valid.features))
    assert np.abs(head.machine.scores(valid.features) - expected).max() < 2e-3


def test_coordinates_of_all_rows_give_the_exact_kernel() -> None:
    features = blobs(60).features
    standardiser = Standardiser.fit(features)
    kernel = Kernel.fit(features, standardiser, gamma=0.3, count=60, seed=0)
    coordinates = kernel.coordinates(features, standardiser).astype(np.float64)
    exact = rbf_kernel(standardiser.apply(features).astype(np.float64), gamma=0.3)
    assert np.abs(coordinates @ coordinates.T - exact).max() < 1e-3


def test_few_coordinates_approximate_as_well_as_scikit_learn() -> None:
    features = digits()[0].features[:400]
    standardiser = Standardiser.fit(features)
    table = standardiser.apply(features).astype(np.float64)
    exact = rbf_kernel(table, gamma=0.01)

    def error(coordinates: np.ndarray) -> float:
        return float(np.abs(coordinates @ coordinates.T - exact).mean())

    kernel = Kernel.fit(features, standardiser, gamma=0.01, count=100, seed=0)
    ours = error(kernel.coordinates(features, standardiser))
    theirs = error(Nystroem(gamma=0.01, n_components=100, random_state=0).fit_transform(table))
    assert ours < 1.2 * theirs


def test_the_approximation_learns_digits_and_depends_on_the_seed_only() -> None:
    train, valid, test = digits()
    changes = {"exact_rows": 0, "components": 300, "C": [10.0], "gamma": [0.3]}
    head = fit(train, valid, 10, **changes)
    probabilities = head.predict_proba(test.features)
    assert (probabilities.argmax(axis=1) == test.labels).mean() > 0.94
    assert fit(train, valid, 10, **changes).files() == head.files()
    loaded = config("svm").load(head.files())
    assert loaded.predict_proba(test.features).tobytes() == probabilities.tobytes()


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_two_classes_are_approximated(kernel: str) -> None:
    train, valid = blobs(60, 2), blobs(40, 2, seed=1)
    head = fit(train, valid, 2, kernel=kernel, exact_rows=0, C=[0.1])
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


@pytest.mark.parametrize("true", [0.2, 1.0, 5.0])
def test_the_temperature_of_drawn_labels_is_found(true: float) -> None:
    draws = np.random.default_rng(0)
    scores = draws.normal(size=(20_000, 3)) * 2 * true
    shares = np.exp(scores / true)
    shares /= shares.sum(axis=1, keepdims=True)
    labels = (draws.random((len(scores), 1)) > shares.cumsum(axis=1)).sum(axis=1)
    assert fitted_temperature(scores, labels) == pytest.approx(true, rel=0.05)


def test_the_temperature_is_the_best_of_a_grid() -> None:
    head, (_, valid, _) = fit(*digits()[:2], 10, C=[1.0], gamma=[1.0]), digits()
    scores = head.machine.scores(valid.features)

    def loss(temperature: float) -> float:
        logs = scores / temperature
        logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
        return float(-logs[np.arange(len(logs)), valid.labels].mean())

    best = loss(head.temperature)
    assert all(best <= loss(other) + 1e-6 for other in np.geomspace(0.05, 20, 50))


def test_without_known_validation_labels_the_temperature_is_one() -> None:
    train = blobs(40)
    unknown = Labelled(blobs(10, seed=1).features, np.full(10, 5))
    head = fit(train, unknown, 6)
    assert head.temperature == 1


def test_an_exact_machine_of_a_grid_is_the_one_fitted_alone() -> None:
    train, valid, _ = digits()
    grid = fit(train, valid, 10, C=[1.0, 10.0], gamma=[3.0, 0.3])
    assert grid.facts["chosen"] == {"C": 10.0, "gamma": 0.3}
    alone = fit(train, valid, 10, C=[10.0], gamma=[0.3])
    assert grid.files()["head.safetensors"] == alone.files()["head.safetensors"]
