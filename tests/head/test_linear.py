"""Logistic regression against scikit-learn's, and the descent it runs on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ae_cls.head import axes, descent
from ae_cls.head.axes import axes_of
from ae_cls.head.descent import Descent, LinearModel
from ae_cls.head.fitted import NEVER, Labelled
from ae_cls.head.linear import LinearConfig
from ae_cls.head.linear_loss import LOG_LOSS, SQUARED_HINGE, Loss, log_loss
from ae_cls.head.softmax import Softmax
from ae_cls.head.standardise import Standardiser
from tests.head.heads import blobs, config, digits


def fit(train, valid, classes: int, **changes) -> Softmax:
    head = config("linear", tolerance=1e-12, max_steps=5000, **changes)
    assert isinstance(head, LinearConfig)
    fitted = head.fit(
        train, valid, class_count=classes, choose_by="accuracy", seed=0, progress=False
    )
    assert isinstance(fitted, Softmax)
    return fitted


@pytest.mark.parametrize("strength", [0.001, 0.1, 10.0])
def test_weights_are_those_of_scikit_learn(strength: float) -> None:
    train, valid = blobs(300), blobs(40, seed=1)
    head = fit(train, valid, 4, C=[strength])
    scaler = StandardScaler().fit(train.features.astype(np.float64))
    theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000)
    theirs.fit(scaler.transform(train.features), train.labels)
    size = np.abs(theirs.coef_).max()
    assert np.abs(head.weight - theirs.coef_).max() < 2e-3 * size
    shift = head.bias - theirs.intercept_  # a common shift of the bias changes nothing
    assert np.abs(shift - shift.mean()).max() < 2e-3 * size
    probabilities = theirs.predict_proba(scaler.transform(valid.features))
    assert np.abs(head.predict_proba(valid.features) - probabilities).max() < 1e-3


def test_two_classes_are_scikit_learn_at_twice_the_strength() -> None:
    train, valid = blobs(100, 2), blobs(40, 2, seed=1)
    head = fit(train, valid, 2, C=[0.05])
    scaler = StandardScaler().fit(train.features.astype(np.float64))
    theirs = LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000)
    theirs.fit(scaler.transform(train.features), train.labels)
    probabilities = theirs.predict_proba(scaler.transform(valid.features))
    assert np.abs(head.predict_proba(valid.features) - probabilities).max() < 1e-3


def test_without_the_axes_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    train, valid, _ = digits()
    first = fit(train, valid, 10, C=[0.01]).predict_proba(valid.features)
    monkeypatch.setattr(axes, "WIDEST", 10)
    second = fit(train, valid, 10, C=[0.01]).predict_proba(valid.features)
    assert not np.array_equal(first, second)
    assert np.abs(first - second).max() < 1e-3


def test_the_axes_save_steps_on_features_that_hang_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, valid = blobs(400, width=30), blobs(40, width=30, seed=1)
    mixed = np.vander(np.linspace(0, 1, 30), 30).astype(np.float32)
    train, valid = (type(p)(p.features @ mixed, p.labels) for p in (train, valid))
    steps = [fit(train, valid, 4, C=[1.0]).facts["steps"]]
    monkeypatch.setattr(axes, "WIDEST", 10)
    steps.append(fit(train, valid, 4, C=[1.0]).facts["steps"])
    assert steps[0] < steps[1] / 2  # type: ignore[operator]


def test_stopping_before_the_minimum_is_recorded() -> None:
    train, valid, _ = digits()
    assert fit(train, valid, 10, C=[1.0]).facts["converged"] is True
    head = config("linear", C=[1.0], tolerance=1e-12, max_steps=3)
    few = head.fit(train, valid, class_count=10, choose_by="accuracy", seed=0, progress=False)
    assert few.facts["converged"] is False
    assert few.facts["steps"] == 3


def test_the_path_from_weak_to_strong_does_not_change_an_answer() -> None:
    train, valid, _ = digits()
    alone = fit(train, valid, 10, C=[0.1])
    last = fit(train, valid, 10, C=[0.0001, 0.001, 0.1])
    assert last.facts["chosen"] == {"C": 0.1}
    difference = alone.predict_proba(valid.features) - last.predict_proba(valid.features)
    assert np.abs(difference).max() < 1e-3


@pytest.mark.parametrize("loss", [LOG_LOSS, SQUARED_HINGE], ids=["log", "hinge"])
def test_slopes_agree_with_autograd(loss: Loss) -> None:
    scores = torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(7) % 4
    scores.requires_grad_()
    if loss is LOG_LOSS:
        total = torch.nn.functional.cross_entropy(scores, labels, reduction="sum")
    else:
        signs = 2 * torch.nn.functional.one_hot(labels, 4) - 1
        total = (1 - signs * scores).clamp(min=0).square().sum()
    (slope,) = torch.autograd.grad(total, scores)
    losses, ours = loss.of_block(scores.detach().numpy(), labels.numpy())
    assert losses.sum() == pytest.approx(total.item(), rel=1e-12)
    assert np.allclose(ours, slope.numpy(), atol=1e-12)
    assert loss.of_tensors(scores, labels).sum().item() == pytest.approx(total.item(), rel=1e-12)


def test_log_loss_of_large_scores_is_finite() -> None:
    losses, slope = log_loss(np.array([[1e4, -1e4], [0, 3e38]], np.float32), np.array([0, 1]))
    assert not losses.any() and not slope.any()


@pytest.mark.parametrize("rows", [3, 700, 5000])
def test_slopes_of_all_blocks_agree_with_a_plain_formula(rows: int) -> None:
    train = blobs(rows)
    problem = descent_on(train)
    draws = np.random.default_rng(0)
    weight = draws.normal(size=(4, 8)).astype(np.float32)
    bias = draws.normal(size=4).astype(np.float32)
    with ThreadPoolExecutor(2) as threads:
        mean = problem.mean_slopes(weight, bias, threads)

    table = torch.from_numpy(problem.standardiser.apply(train.features)).double()
    weights, biases = (torch.from_numpy(a).double().requires_grad_() for a in (weight, bias))
    labels = torch.from_numpy(train.labels)
    plain = torch.nn.functional.cross_entropy(table @ weights.T + biases, labels)
    plain.backward()
    assert weights.grad is not None and biases.grad is not None
    assert mean.loss == pytest.approx(plain.item(), rel=1e-5)
    assert np.allclose(mean.weight, weights.grad.numpy(), atol=1e-5)
    assert np.allclose(mean.bias, biases.grad.numpy(), atol=1e-5)


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    problem = descent_on(blobs(5000))
    weight = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    slopes = []
    for count in (1, 3):
        with ThreadPoolExecutor(count) as threads:
            slopes.append(problem.mean_slopes(weight, np.zeros(4, np.float32), threads))
    assert slopes[0].weight.tobytes() == slopes[1].weight.tobytes()
    assert slopes[0].loss == slopes[1].loss


@pytest.mark.parametrize("loss", [LOG_LOSS, SQUARED_HINGE], ids=["log", "hinge"])
@pytest.mark.parametrize(
    "weights", [None, np.array([1.0, 2.0, 0.5, 3.0])], ids=["alike", "weighed"]
)
def test_a_device_finds_the_same_slopes(loss: Loss, weights: np.ndarray | None) -> None:
    """A CPU stands in for it: what is asked of the device is the same."""
    train = blobs(700)
    before = train.features.copy()
    problem = descent_on(train, loss, weights)
    draws = np.random.default_rng(0)
    weight = draws.normal(size=(4, 8)).astype(np.float32)
    bias = draws.normal(size=4).astype(np.float32)
    with ThreadPoolExecutor(2) as threads:
        here = problem.mean_slopes(weight, bias, threads)
    there = problem.on_device.mean_slopes(weight, bias)
    assert there.loss == pytest.approx(here.loss, rel=1e-5)
    assert np.allclose(there.weight, here.weight, rtol=1e-4, atol=1e-5)
    assert np.allclose(there.bias, here.bias, rtol=1e-4, atol=1e-5)
    assert np.array_equal(train.features, before)


@pytest.mark.parametrize("room", [True, False])
def test_a_table_is_held_by_a_device_that_has_room_for_it(
    room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that computes nothing: whoever asks it to hold a table fails."""
    problem = replace(descent_on(blobs(300)), device=torch.device("meta"))
    monkeypatch.setattr(descent, "has_room", lambda device, size: room)
    if room:
        with pytest.raises((NotImplementedError, RuntimeError)):
            problem.run(1.0, problem.start())
    else:
        assert problem.run(1.0, problem.start()).converged


def descent_on(
    train: Labelled, loss: Loss = LOG_LOSS, class_weights: np.ndarray | None = None
) -> Descent:
    standardiser = Standardiser.fit(train.features)
    return Descent(
        features=train.features,
        standardiser=standardiser,
        labels=train.labels,
        class_count=4,
        class_weights=class_weights,
        loss=loss,
        curvature=0.1,
        axes=axes_of(train.features, standardiser),
        tolerance=1e-5,
        max_steps=100,
    )


def test_a_model_of_some_classes_never_answers_the_others() -> None:
    weight = np.array([[1, 2], [3, 4]], np.float32)
    model = LinearModel(weight, np.array([5, 6], np.float32), converged=True, steps=1)
    spread = model.spread(np.array([1, 3]), 5)
    assert spread.weight[[1, 3]].tolist() == [[1, 2], [3, 4]] and not spread.weight[[0, 2, 4]].any()
    assert spread.bias.tolist() == [np.float32(NEVER), 5, np.float32(NEVER), 6, np.float32(NEVER)]
