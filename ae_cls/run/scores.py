"""The numbers of a run: the classifier on validation and test, the decoder, the protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ae_cls.dataset.identity import identity_of, identity_sha256
from ae_cls.dataset.split import Part
from ae_cls.evaluate.health import label_warnings, listed, warnings
from ae_cls.evaluate.metrics import Metrics, evaluate
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.head.fitted import FittedHead, Probabilities
from ae_cls.run.data import Data
from ae_cls.run.leaks import groups, leaks
from ae_cls.saved.pretrained_on import PROTOCOL as PRETRAINED_ON


@final
@dataclass(frozen=True)
class Scored:
    """What the classifier achieved.

    Attributes:
        metrics: of each part that was read: validation and, unless it stays closed, test.
        part: the last of them, by which the run is judged: test where it was read.
        probabilities: one row an image of that part.
    """

    metrics: dict[Part, Metrics]
    part: Part
    probabilities: Probabilities


def evaluate_classifier(
    probabilities_of: Callable[[Part], Probabilities], data: Data, *, test: bool
) -> Scored:
    """Validation, then, as the last step of a run and only when asked for, test."""
    parts: tuple[Part, ...] = ("valid", "test") if test else ("valid",)
    probabilities: dict[Part, Probabilities] = {part: probabilities_of(part) for part in parts}
    metrics: dict[Part, Metrics] = {
        part: evaluate(
            values,
            data.dataset.labels_of(data.rows_of(part)),
            data.dataset.class_names,
            data.dataset.bonds[data.rows_of(part)],
        )
        for part, values in probabilities.items()
    }
    return Scored(metrics, parts[-1], probabilities[parts[-1]])


def warnings_of(
    experiment: Experiment, data: Data, scored: Scored, again: Mapping[str, Any]
) -> list[str]:
    """What makes the numbers of a run weak, one sentence each; often nothing.

    Args:
        experiment: of the run.
        data: of the run.
        scored: what the classifier achieved.
        again: what repeated folds say; empty where the test part is enough.
    """
    labelled = label_counts(data)["per_class"]
    valid = None
    if not experiment.labels.chooses_within:
        valid = {name: one["n"] for name, one in scored.metrics["valid"]["per_class"].items()}
    return [
        *warnings(scored.metrics[scored.part], _of_validation(scored)),
        *label_warnings(labelled, valid, weighing=_words_not_said(experiment)),
        *_weighed(experiment, labelled),
        *_small(scored, again),
    ]


def _of_validation(scored: Scored) -> Metrics | None:
    """Where the run is judged by another part."""
    return None if scored.part == "valid" else scored.metrics["valid"]


def _small(scored: Scored, again: Mapping[str, Any]) -> list[str]:
    """What there is beside a test part that is too small to judge by."""
    if not again:
        return []
    part = f"the test part has {scored.metrics[scored.part]['n']} images only"
    if "left_out" in again:
        return [f"{part}, and repeated folds are left out: {again['left_out']}"]
    better = f"{part}: repeated_folds, of {again['n']} images, say more"
    never = [f"no fold could hold back a class of one image: {listed(again['never_judged'])}"]
    return [better, *(never if again["never_judged"] else [])]


def _weighed(experiment: Experiment, labelled: Mapping[str, int]) -> list[str]:
    if experiment.head.class_weight is None or len(set(labelled.values())) == 1:
        return []
    return [
        f"head.class_weight={experiment.head.class_weight}: probabilities are as if all classes "
        "were equally frequent; log loss and calibration error compare them with real shares"
    ]


def _words_not_said(experiment: Experiment) -> list[str]:
    """Of those with which classes count alike, in training and in choosing."""
    words = {
        "head.class_weight=balanced": experiment.head.class_weight is None,
        "labels.choose_by=balanced_accuracy": experiment.labels.choose_by == "accuracy",
    }
    return [word for word, is_missing in words.items() if is_missing]


def label_counts(data: Data) -> dict[str, Any]:
    """How many labels the head was given, in all and a class."""
    labels = data.dataset.labels_of(data.split.labelled)
    counts = np.bincount(labels, minlength=len(data.dataset.class_names)).tolist()
    per_class = dict(zip(data.dataset.class_names, counts, strict=True))
    return {"count": len(labels), "per_class": per_class}


def protocol(description: Experiment | Pretraining, data: Data) -> dict[str, Any]:
    """How the numbers were got: what was learnt from which images."""
    split = data.split
    return {
        "seed": description.seed,
        "split_sha256": split.parts_sha256(),
        "images": {
            "pretrain": _pretraining_images(data),
            "labelled": len(split.labelled),
            "valid": len(split.valid),
            "test": len(split.test),
            "left_out": len(data.dataset.left_out),
        },
        "notes": list(data.dataset.notes),
        "data_sha256": identity_sha256(identity_of(data.dataset)),
        "leaks": leaks(data.dataset, data.split),
        "groups": groups(data.dataset, data.split),
        "encoder_saw": f"training images without their labels{_chosen_by(description)}",
        **_pretraining(description),
        "supervised_prior": description.autoencoder.supervised_prior,
        "precision": data.compute.precision,
        **_pretrained_elsewhere(description, data),
    }


def _pretraining_images(data: Data) -> int | None:
    """How many the encoder has seen; None where nobody knows."""
    if data.pretrained_on is None:
        return len(data.split.pretrain)
    return data.pretrained_on.facts["images"]


def _pretraining(description: Experiment | Pretraining) -> dict[str, Any]:
    """Which weights pretraining left, and how often it read labels; empty without training."""
    said = description.pretrain.model_dump(include={"keep", "probe_every"})
    return {"pretraining": said} if said and description.autoencoder.has_gradients else {}


def _chosen_by(description: Experiment | Pretraining) -> str:
    """What labels did for the encoder; often nothing."""
    chosen = description.pretrain.chooses_by_labels
    return ", but labels of the budget chose the epoch" if chosen else ""


def _pretrained_elsewhere(description: Experiment | Pretraining, data: Data) -> dict[str, Any]:
    """What the protocol says otherwise where the encoder comes from other data."""
    if data.pretrained_on is None:
        return {}
    return {
        "encoder_saw": f"images of other data without their labels{_chosen_by(description)}",
        PRETRAINED_ON: data.pretrained_on.facts,
    }


def labels_read(experiment: Experiment, data: Data, head: FittedHead) -> dict[str, Any]:
    """What the protocol says of labels: how many were read for what before the test, and on what.

    `chosen_on` is what the head's settings were chosen on; what was `evaluated` chose nothing.
    """
    within, split = experiment.labels.chooses_within, data.split
    parts: tuple[Part, ...] = ("valid", "test") if experiment.test else ("valid",)
    evaluated = {part: len(data.rows_of(part)) for part in parts}
    return {
        "labels": {
            "regime": "within" if within else "validation",
            "fit": len(split.labelled),
            "choose": 0 if within else len(split.valid),
            "evaluated": evaluated,
        },
        "chosen_on": head.facts["chosen_on"],
    }


def unlabelled_read(head: FittedHead) -> dict[str, Any]:
    """What the protocol says where the head has learnt from images without a label, too."""
    count = head.facts.get("unlabelled_rows")
    if not count:
        return {}
    return {"head_saw": f"also {count:,} training images without their labels"}
