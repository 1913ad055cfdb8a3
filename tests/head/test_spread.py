"""Label spreading is scikit-learn's on the same graph; images outside it change nothing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.semi_supervised import LabelSpreading

from ae_cls.errors import ModelFileError
from ae_cls.head import spread
from ae_cls.head.fitted import Labelled, Labels, Pool
from ae_cls.head.head_files import ARRAYS, Arrays, array_bytes, read_arrays
from ae_cls.head.neighbours import directions, nearest_others
from ae_cls.head.softmax import Softmax
from ae_cls.head.spread import Spread
from ae_cls.head.standardise import Standardiser
from tests.head.heads import blobs, config, digits

NEIGHBOURS, TEMPERATURE = 10, 0.07


def fit(
    part: Labelled, shown: Labels, *, alpha: float, classes: int = 10, start: str = "labels"
) -> Spread:
    """Fitted on some labels of the part, uncalibrated."""
    head = config(
        "spread", neighbours=[NEIGHBOURS], alpha=[alpha], start=[start], temperature=TEMPERATURE
    )
    fitted = head.fit_within(
        part.rows(shown), np.arange(len(shown)), class_count=classes, choose_by="accuracy", seed=0,
        progress=False, pool=Pool.of(part.features, shown),
    )  # fmt: skip
    assert isinstance(fitted, Spread)
    return replace(fitted, calibration=np.array(1.0))


def by_loop(queries: np.ndarray, rows: np.ndarray, *, among_themselves: bool) -> np.ndarray:
    """Weights of the nearest rows of each query, 0 elsewhere."""
    cosines = queries @ rows.T
    if among_themselves:
        np.fill_diagonal(cosines, -np.inf)
    weights = np.zeros_like(cosines)
    for query, row in enumerate(cosines):
        nearest = np.argsort(-row, kind="stable")[:NEIGHBOURS]
        weights[query, nearest] = np.exp((row[nearest] - 1) / TEMPERATURE)
    return weights


@pytest.mark.parametrize("alpha", [0.5, 0.99])
def test_it_is_scikit_learn_on_the_same_graph(alpha: float) -> None:
    train, _, test = digits()
    part, shown = train.rows(np.arange(400)), np.arange(60)
    head = fit(part, shown, alpha=alpha)
    rows = head.rows.astype(np.float64)
    queries = (test.features[:50] - head.mean) / head.scale
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)

    def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        if first is second:
            directed = by_loop(rows, rows, among_themselves=True)
            return np.maximum(directed, directed.T)
        return by_loop(second, rows, among_themselves=False).T

    theirs = LabelSpreading(kernel=kernel, alpha=alpha, max_iter=100_000, tol=1e-13)
    theirs.fit(rows, np.where(np.arange(400) < 60, part.labels, -1))
    assert np.abs(head.shares - theirs.label_distributions_).max() < 1e-6
    expected = theirs.predict_proba(queries.astype(np.float64))
    assert np.abs(head.predict_proba(test.features[:50]) - expected).max() < 1e-4


@pytest.mark.parametrize("alpha", [0.5, 0.99])
def test_answers_are_smoothed_as_by_the_inverse(alpha: float) -> None:
    train = digits()[0]
    part, shown = train.rows(np.arange(400)), np.arange(60)
    head = fit(part, shown, alpha=alpha, start="answers")
    linear = config("linear", C=[0.1]).fit_within(
        part.rows(shown), shown, class_count=10, choose_by="accuracy", seed=0, progress=False,
        pool=Pool.of(part.features, shown),
    )  # fmt: skip
    assert isinstance(linear, Softmax)
    begun = softmax(linear.logits(part.features), axis=1)
    begun[shown] = np.eye(10)[part.labels[shown]]
    rows = head.rows.astype(np.float64)
    directed = by_loop(rows, rows, among_themselves=True)
    weights = np.maximum(directed, directed.T)
    roots = np.sqrt(weights.sum(axis=1))
    system = np.eye(400) - alpha * weights / np.outer(roots, roots)
    expected = np.linalg.solve(system, begun)
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.abs(head.shares - expected).max() < 1e-4


@pytest.mark.parametrize("start", ["labels", "answers"])
def test_images_without_a_label_help(start: str) -> None:
    train, _, test = digits()
    shown = np.concatenate([np.flatnonzero(train.labels == label)[:5] for label in range(10)])
    alone = fit(train.rows(shown), np.arange(50), alpha=0.9, start=start)
    among_all = fit(train, shown, alpha=0.9, start=start)
    right = [
        (head.predict_proba(test.features).argmax(axis=1) == test.labels).mean()
        for head in (alone, among_all)
    ]
    assert right[1] > right[0] + 0.05
    assert among_all.facts["unlabelled_rows"] == 1050 and alone.facts["unlabelled_rows"] == 0


@pytest.mark.parametrize("start", ["labels", "answers"])
def test_labels_without_the_pool_are_not_read(start: str) -> None:
    train = digits()[0]
    shown = np.arange(50)
    hidden = replace(train, labels=np.where(np.arange(1100) < 50, train.labels, 0))
    files = [fit(part, shown, alpha=0.9, start=start).files() for part in (train, hidden)]
    assert files[0] == files[1]


def test_the_label_of_a_row_that_is_held_back_is_not_read() -> None:
    """Of what settings are judged by: with labels that say nothing, nothing is foreseen."""
    part, shown = blobs(400), np.arange(200)
    drawn = np.random.default_rng(0).integers(0, 4, 400)
    head = fit(replace(part, labels=drawn), shown, alpha=0.5, classes=4, start="answers")
    trials = head.facts["trials"]
    assert isinstance(trials, list) and isinstance(trials[0], dict)
    assert isinstance(trials[0]["folds_accuracy"], float)
    assert trials[0]["folds_accuracy"] < 0.35


def test_the_graph_is_made_once_for_all_folds_and_settings(monkeypatch) -> None:
    made = []

    def counted(*given):
        made.append(given)
        return nearest_others(*given)

    monkeypatch.setattr(spread, "nearest_others", counted)
    part, shown = blobs(80), np.arange(40)
    settings = {"start": ["labels", "answers"], "neighbours": [5, 10], "alpha": [0.5, 0.9]}
    head = config("spread", **settings).fit_within(
        part.rows(shown), shown, class_count=4, choose_by="accuracy", seed=0, progress=False,
        pool=Pool.of(part.features, shown),
    )  # fmt: skip
    trials = head.facts["trials"]
    assert isinstance(trials, list) and len(trials) == 8 and len(made) == 1


def test_a_fold_hides_a_label_and_not_its_image() -> None:
    """Two rings of points: what is held back is answered through points without a label."""
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    features = np.concatenate([np.pad(ring, ((0, 0), (0, 2))), np.pad(ring, ((0, 0), (2, 0)))])
    labels = np.repeat([0, 1], 60)
    shown = np.array([0, 30, 60, 90])  # on each ring, two opposite points
    head = fit(Labelled(features.astype(np.float32), labels), shown, alpha=0.99, classes=2)
    trials = head.facts["trials"]
    assert isinstance(trials, list) and isinstance(trials[0], dict)
    assert trials[0]["folds_accuracy"] == 1
    assert (head.shares.argmax(axis=1) == labels).all()


def test_a_row_that_no_label_reaches_is_undecided_between_the_classes_seen() -> None:
    draws = np.random.default_rng(0)
    near, far = (draws.normal(0.0, 0.05, (30, 4)) for _ in range(2))
    near[:, 0] += 1
    far[:, 1] += 1
    part = Labelled(np.concatenate([near, far]).astype(np.float32), np.arange(60) % 2)
    head = fit(part, np.arange(8), alpha=0.9, classes=3)
    assert np.allclose(head.shares[30:], [0.5, 0.5, 0])
    assert head.shares[:8].max() > 0.5


def widened(part: Labelled) -> Labelled:
    """The same rows, turned in a space of 300 dimensions."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(300, 300)))[0][:64]
    return replace(part, features=(part.features @ turn).astype(np.float32))


@pytest.mark.parametrize("count", [1100, 80])
def test_wide_features_are_compared_by_few_components(count: int) -> None:
    train, _, test = digits()
    wide, shown = widened(train.rows(np.arange(count))), np.arange(60)
    head = fit(wide, shown, alpha=0.9)
    assert head.components is not None and head.components.shape == (min(128, count), 300)
    assert head.rows.shape == (count, len(head.components))
    whole = replace(
        head, components=None,
        rows=directions(wide.features, Standardiser(head.mean, head.scale)),
    )  # fmt: skip
    queries = widened(test).features
    near, far = (one.predict_proba(queries) for one in (head, whole))
    assert np.abs(near - far).max() < (0.02 if count > 128 else 1)
    assert (near.argmax(axis=1) == far.argmax(axis=1)).mean() > 0.9
    again = Spread.load(head.files(), "spread")
    assert again.predict_proba(queries).tobytes() == near.tobytes()


@pytest.mark.parametrize("components", [{}, {"components": np.ones((5, 64), np.float32)}])
def test_rows_that_do_not_fit_the_components_are_refused(components: Arrays) -> None:
    head = fit(digits()[0].rows(np.arange(100)), np.arange(60), alpha=0.9)
    files = head.files()
    arrays = read_arrays(files, Spread.layout, {"k": 10, "d": 64})
    rows = head.rows if components else head.rows[:, :5].copy()
    wrong = {**files, ARRAYS: array_bytes({**arrays, **components, "rows": rows})}
    with pytest.raises(ModelFileError):
        Spread.load(wrong, "spread")
