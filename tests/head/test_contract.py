"""What every head on features must do, asked of every option in configs/head."""

import json
from typing import get_args

import numpy as np
import pytest
import torch

from ae_cls.errors import TrainingError, UsageError
from ae_cls.head import HeadChoice
from ae_cls.head.fitted import Labelled
from tests.head.heads import (
    CONFIGS,
    WORDS,
    blobs,
    config,
    digits,
    fit,
    fitted_on_blobs,
    fitted_on_digits,
    one_setting,
    quick,
)


def test_each_option_has_a_yaml_and_a_class() -> None:
    union = get_args(get_args(HeadChoice)[0])
    names = {get_args(option.model_fields["name"].annotation)[0] for option in union}
    assert names == {path.stem for path in CONFIGS.glob("*.yaml")}


@pytest.mark.parametrize("word", WORDS)
def test_every_setting_has_a_description(word: str) -> None:
    for name, field in type(config(word)).model_fields.items():
        assert field.description or name == "name"


@pytest.mark.parametrize("word", WORDS)
def test_digits_are_learnt(word: str) -> None:
    test = digits()[2]
    probabilities = fitted_on_digits(word).predict_proba(test.features)
    assert (probabilities.argmax(axis=1) == test.labels).mean() > 0.94


@pytest.mark.parametrize("word", WORDS)
def test_probabilities_are_finite_and_sum_to_one(word: str) -> None:
    probabilities = fitted_on_digits(word).predict_proba(digits()[2].features)
    assert probabilities.dtype == np.float64
    assert probabilities.shape == (len(digits()[2].labels), 10)
    assert np.isfinite(probabilities).all() and (probabilities >= 0).all()
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-6


@pytest.mark.parametrize("word", WORDS)
def test_a_loaded_head_predicts_the_same_bytes(word: str) -> None:
    head, features = fitted_on_digits(word), digits()[2].features
    loaded = config(word).load(head.files())
    assert loaded.predict_proba(features).tobytes() == head.predict_proba(features).tobytes()
    assert loaded.files() == head.files()
    assert loaded.facts == head.facts


@pytest.mark.parametrize("word", WORDS)
def test_two_fits_give_the_same_files(word: str) -> None:
    again = fit(quick(word), blobs(120), blobs(40, seed=1), 4)
    assert again.files() == fitted_on_blobs(word).files()


@pytest.mark.parametrize("word", ["forest", "mlp"])
def test_another_seed_gives_other_files(word: str) -> None:
    other = quick(word).fit(
        blobs(120), blobs(40, seed=1), class_count=4, choose_by="accuracy", seed=1, progress=False
    )
    assert other.files() != fitted_on_blobs(word).files()


@pytest.mark.parametrize("word", WORDS)
def test_the_data_and_the_global_generators_stay_as_they_were(word: str) -> None:
    train, valid = blobs(40), blobs(20, seed=1)
    before = train.features.tobytes(), valid.features.tobytes(), train.labels.tobytes()
    states = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]
    fit(quick(word), train, valid, 4).predict_proba(valid.features)
    assert (train.features.tobytes(), valid.features.tobytes(), train.labels.tobytes()) == before
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], states[1])


@pytest.mark.parametrize("word", WORDS)
def test_read_only_features_are_taken(word: str) -> None:
    train, valid = blobs(40), blobs(20, seed=1)
    for part in (train, valid):
        part.features.flags.writeable = part.labels.flags.writeable = False
    head = fit(quick(word), train, valid, 4)
    assert head.predict_proba(valid.features).shape == (20, 4)


@pytest.mark.parametrize("word", WORDS)
def test_a_row_is_predicted_alike_alone_and_among_others(word: str) -> None:
    head, features = fitted_on_digits(word), digits()[2].features[:300]
    alone = np.concatenate([head.predict_proba(features[i : i + 1]) for i in range(5)])
    assert np.abs(alone - head.predict_proba(features)[:5]).max() < 1e-5


@pytest.mark.parametrize("word", WORDS)
def test_permuted_labels_are_predicted_by_chance(word: str) -> None:
    train, valid, test = digits()
    draws, right = np.random.default_rng(1), []
    # Where labels spread, all images of a digit get one answer: each time, ten draws of 0.1.
    for _ in range(10 if word == "spread" else 1):
        mixed = Labelled(train.features, draws.permutation(train.labels))
        answers = fit(quick(word), mixed, valid, 10).predict_proba(test.features)
        right.append((answers.argmax(axis=1) == test.labels).mean())
    assert np.mean(right) < 0.2  # chance is 0.1; 0.2 is seven standard errors of 397 rows away


@pytest.mark.parametrize("word", WORDS)
def test_a_class_without_labels_has_probability_zero(word: str) -> None:
    train, valid = blobs(80), blobs(40, seed=1)
    seen = train.labels != 2
    part = Labelled(train.features[seen], train.labels[seen])
    head = fit(quick(word), part, valid, 6)
    probabilities = config(word).load(head.files()).predict_proba(valid.features)
    assert probabilities.shape == (40, 6)
    assert (probabilities[:, [2, 4, 5]] == 0).all()
    others = valid.labels != 2
    right = probabilities.argmax(axis=1)[others] == valid.labels[others]
    assert right.mean() > 0.8
    assert np.allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("word", WORDS)
def test_one_label_a_class_is_enough(word: str, classes: int) -> None:
    train, valid = blobs(classes, classes), blobs(40, classes, seed=1)
    probabilities = fit(quick(word), train, valid, classes).predict_proba(valid.features)
    assert (probabilities.argmax(axis=1) == valid.labels).mean() > 1.3 / classes


@pytest.mark.parametrize("word", WORDS)
def test_one_validation_row_is_enough(word: str) -> None:
    head = fit(quick(word), blobs(40), blobs(1, seed=1), 4)
    assert np.isfinite(head.predict_proba(blobs(20, seed=2).features)).all()


@pytest.mark.parametrize("word", WORDS)
def test_columns_that_do_not_vary_do_no_harm(word: str) -> None:
    train, valid = blobs(120), blobs(40, seed=1)
    parts = []
    for part, last in ((train, 0.1), (valid, 0.4)):
        constant = np.full((len(part.labels), 1), 0.1, np.float32)
        other = np.full((len(part.labels), 1), last, np.float32)  # varies in validation only
        parts.append(Labelled(np.hstack([part.features, constant, other]), part.labels))
    head = fit(quick(word), parts[0], parts[1], 4)
    right = head.predict_proba(parts[1].features).argmax(axis=1) == valid.labels
    assert right.mean() > 0.8


@pytest.mark.parametrize("word", WORDS)
def test_facts_tell_every_trial_and_the_choice(word: str) -> None:
    valid = blobs(40, seed=1)
    head = fitted_on_blobs(word)
    facts = json.loads(json.dumps(dict(head.facts), allow_nan=False))
    assert facts["labelled_rows"] == 120
    best = max(facts["trials"], key=lambda row: (row["valid_accuracy"], -row["valid_log_loss"]))
    assert facts["chosen"].items() <= best.items()
    probabilities = head.predict_proba(valid.features)
    assert best["valid_accuracy"] == (probabilities.argmax(axis=1) == valid.labels).mean()


@pytest.mark.parametrize("word", WORDS)
def test_a_single_setting_is_tried_and_told(word: str) -> None:
    head = fit(one_setting(word), blobs(80), blobs(40, seed=1), 4)
    (row,) = json.loads(json.dumps(dict(head.facts)))["trials"]
    assert row["valid_accuracy"] > 0.5


@pytest.mark.parametrize("word", WORDS)
def test_one_class_is_refused(word: str) -> None:
    train = Labelled(blobs(20).features, np.full(20, 3))
    with pytest.raises(UsageError, match="at least two classes"):
        fit(quick(word), train, blobs(20), 4)


@pytest.mark.parametrize("word", WORDS)
def test_no_validation_rows_are_refused(word: str) -> None:
    nothing = Labelled(blobs(20).features[:0], np.arange(0))
    with pytest.raises(UsageError, match="no validation rows"):
        fit(quick(word), blobs(20), nothing, 4)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("word", WORDS)
def test_features_that_are_not_finite_are_refused(word: str, wrong: float) -> None:
    train = blobs(20)
    train.features[3, 5] = wrong
    with pytest.raises(TrainingError) as refusal:
        fit(quick(word), train, blobs(20), 4)
    assert "column" in refusal.value.where and "5" in refusal.value.where


@pytest.mark.parametrize("word", WORDS)
def test_progress_is_silent_where_there_is_no_terminal(
    word: str, capfd: pytest.CaptureFixture[str]
) -> None:
    quick(word).fit(
        blobs(40), blobs(20, seed=1), class_count=4, choose_by="accuracy", seed=0, progress=True
    )
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
