"""The numbers of a run: the classifier on validation and test, the decoder, the protocol."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
import torch

from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.dataset.split import Split
from ae_cls.evaluate import Metrics, Reconstruction, SquaredError, evaluate, warnings
from ae_cls.experiment import Experiment, Pretraining
from ae_cls.head.fitted import Probabilities
from ae_cls.prepared import Prepared

Part = Literal["train", "valid", "test"]

_BATCH = 512  # images at a time


@final
@dataclass(frozen=True)
class Scored:
    """What the classifier achieved.

    Attributes:
        valid: metrics on validation images.
        test: metrics on test images, which were read for this alone.
        test_probabilities: one row a test image.
    """

    valid: Metrics
    test: Metrics
    test_probabilities: Probabilities

    def as_metrics(self) -> dict[str, Any]:
        """The part of metrics.json that they make."""
        return {"test": self.test, "valid": self.valid, "warnings": warnings(self.test)}


def evaluate_classifier(
    probabilities_of: Callable[[Part], Probabilities], prepared: Prepared
) -> Scored:
    """Validation, then, as the last step of a run, test."""
    split, labels_of = prepared.split, prepared.dataset.labels_of
    probabilities = {"valid": probabilities_of("valid"), "test": probabilities_of("test")}
    valid, test = (
        evaluate(probabilities[name], labels_of(rows), prepared.dataset.class_names)
        for name, rows in (("valid", split.valid), ("test", split.test))
    )
    return Scored(valid, test, probabilities["test"])


def reconstruction(prepared: Prepared, part: Literal["valid", "test"]) -> dict[str, Any]:
    """Error of clean images rebuilt from their codes, and the images it was taken on."""
    rows = prepared.split.valid if part == "valid" else prepared.split.test
    return {**reconstruction_of(prepared, prepared.images(rows)), "part": part}


@torch.inference_mode()
def reconstruction_of(prepared: Prepared, images: ImageRows) -> Reconstruction:
    """Mean squared error per pixel, and PSNR in dB, of clean images."""
    model, total = prepared.model.eval(), SquaredError()
    for batch in images.batches(_BATCH):
        clean = to_unit(batch, prepared.compute.device)
        with prepared.compute.autocast(allowed=model.allows_bf16):
            output = model.decode(model.encode(clean))
        total = total.add(output.float().cpu().numpy(), clean.cpu().numpy())
    return total.metrics()


def label_counts(prepared: Prepared) -> dict[str, Any]:
    """How many labels the head was given, in all and a class."""
    labels = prepared.dataset.labels_of(prepared.split.labelled)
    counts = np.bincount(labels, minlength=len(prepared.dataset.class_names)).tolist()
    per_class = dict(zip(prepared.dataset.class_names, counts, strict=True))
    return {"count": len(labels), "per_class": per_class}


def protocol(description: Experiment | Pretraining, prepared: Prepared) -> dict[str, Any]:
    """How the numbers were got: what was learnt from which images, what was chosen on which."""
    split = prepared.split
    return {
        "seed": description.seed,
        "split_sha256": parts_sha256(split),
        "images": {
            "pretrain": len(split.pretrain),
            "labelled": len(split.labelled),
            "valid": len(split.valid),
            "test": len(split.test),
            "left_out": len(prepared.dataset.left_out),
        },
        "encoder_saw": "training images without their labels",
        "chosen_on": "validation",
        "precision": prepared.compute.precision,
    }


def parts_sha256(split: Split) -> str:
    """Hash of the parts, the same for every label budget."""
    return replace(split, labelled=split.labelled[:0]).digest()
