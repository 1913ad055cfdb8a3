"""The training of the hidden layer."""

import numpy as np
import pytest
import torch

from ae_cls.errors import TrainingError
from ae_cls.head.fitted import NEVER, Labelled
from ae_cls.head.mlp import Mlp, MlpConfig
from tests.head.heads import blobs, config, digits


def fit(train, valid, classes: int, *, seed: int = 0, **changes) -> Mlp:
    head = config("mlp", **{"width": [32], "learning_rate": [0.01], "epochs": 10, **changes})
    assert isinstance(head, MlpConfig)
    fitted = head.fit(
        train, valid, class_count=classes, choose_by="accuracy", seed=seed, progress=False
    )
    assert isinstance(fitted, Mlp)
    return fitted


def test_probabilities_are_those_of_torch_layers() -> None:
    head = fit(blobs(100), blobs(40, seed=1), 4)
    network = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.GELU(), torch.nn.Linear(32, 4))
    weights = (head.hidden_weight, head.hidden_bias, head.weight, head.bias)
    for parameter, weight in zip(network.parameters(), weights, strict=True):
        parameter.data = torch.from_numpy(weight)
    features = blobs(20, seed=2).features
    table = (features - head.mean) / head.scale
    expected = network(torch.from_numpy(table)).softmax(1).detach().numpy()
    assert np.abs(head.predict_proba(features) - expected).max() < 1e-5


def test_the_best_epoch_is_kept() -> None:
    train, valid, _ = digits()
    few, many = (fit(train, valid, 10, epochs=n, learning_rate=[0.003]) for n in (2, 12))
    assert many.facts["epoch"] > 2  # type: ignore[operator]
    accuracies = [
        (head.predict_proba(valid.features).argmax(axis=1) == valid.labels).mean()
        for head in (few, many)
    ]
    assert accuracies[0] < accuracies[1]
    same = fit(train, valid, 10, epochs=many.facts["epoch"], learning_rate=[0.003])
    assert same.files()["head.safetensors"] == many.files()["head.safetensors"]


def test_patience_ends_training() -> None:
    train, valid = blobs(100), blobs(40, seed=1)
    head = fit(train, valid, 4, epochs=500, patience=3)
    assert head.facts["epochs"] == head.facts["epoch"] + 3  # type: ignore[operator]
    assert head.facts["converged"] is True
    until_best = fit(train, valid, 4, epochs=head.facts["epoch"])
    assert head.files()["head.safetensors"] == until_best.files()["head.safetensors"]


def test_training_that_was_still_improving_is_recorded() -> None:
    train, valid, _ = digits()
    assert fit(train, valid, 10, epochs=1).facts["converged"] is False


def test_dropout_and_decay_change_the_weights() -> None:
    train, valid = blobs(100), blobs(40, seed=1)
    files = {
        fit(train, valid, 4, dropout=dropout, weight_decay=decay).files()["head.safetensors"]
        for dropout in (0.0, 0.5)
        for decay in (0.0, 1.0)
    }
    assert len(files) == 4


def test_a_rate_that_diverges_is_refused_with_the_fix() -> None:
    train, valid = blobs(100), blobs(40, seed=1)
    train.features[:, 0] *= 1e30
    with pytest.raises(TrainingError, match="not finite"):
        fit(train, valid, 4, learning_rate=[1.0], weight_decay=1e30, epochs=60, patience=60)


def test_a_class_without_labels_keeps_its_bias_in_training() -> None:
    train, valid = blobs(80), blobs(40, seed=1)
    seen = train.labels != 2
    head = fit(Labelled(train.features[seen], train.labels[seen]), valid, 6, weight_decay=1.0)
    assert (head.bias[[2, 4, 5]] == np.float32(NEVER)).all()
    assert (np.abs(head.bias[[0, 1, 3]]) < 10).all()
