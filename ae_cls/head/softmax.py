"""A linear layer on standardised features: what `linear` and `finetune` both end as."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32
from scipy.special import softmax

from ae_cls.errors import ModelFileError
from ae_cls.head.fitted import Fact, Features, FittedHead, Probabilities
from ae_cls.head.head_files import (
    ARRAYS,
    RECORD,
    Layout,
    array_bytes,
    read_arrays,
    read_record,
    record_bytes,
)

NEVER = -1e30
"""The bias of a class that was never seen: its probability is exactly 0, and the number finite."""

_LAYOUT: Layout = {
    "mean": (np.float32, "d"),
    "scale": (np.float32, "d"),
    "weight": (np.float32, "kd"),
    "bias": (np.float32, "k"),
}
_CHUNK = 8192  # rows at a time, so that no standardised copy of all features is made


@final
@dataclass(frozen=True)
class Softmax(FittedHead):
    """softmax(weight · (features - mean) / scale + bias).

    Attributes:
        head: its name in the config.
        mean: of the training features.
        scale: standard deviation of the training features; 1 where it was 0.
        weight: one row a class.
        bias: one number a class; `NEVER` for a class that was never seen.
        facts: what fitting chose and saw.
    """

    head: str
    mean: Float32[np.ndarray, " d"]
    scale: Float32[np.ndarray, " d"]
    weight: Float32[np.ndarray, "k d"]
    bias: Float32[np.ndarray, " k"]
    facts: Mapping[str, Fact]

    def predict_proba(self, features: Features) -> Probabilities:
        logits = np.empty((len(features), len(self.bias)))
        for start in range(0, len(features), _CHUNK):
            part = (features[start : start + _CHUNK] - self.mean) / self.scale
            logits[start : start + _CHUNK] = part @ self.weight.T + self.bias
        return softmax(logits, axis=1)

    def files(self) -> dict[str, bytes]:
        class_count, feature_count = self.weight.shape
        record = record_bytes(
            self.head, class_count=class_count, feature_count=feature_count, facts=self.facts
        )
        return {
            ARRAYS: array_bytes({name: getattr(self, name) for name in _LAYOUT}),
            RECORD: record,
        }

    @classmethod
    def load(cls, files: Mapping[str, bytes], head: str) -> "Softmax":
        """The head of that name that `files` described.

        Raises:
            ModelFileError: a file is missing, damaged, or of another head.
        """
        record = read_record(files, head)
        arrays = read_arrays(files, _LAYOUT, {"k": record.class_count, "d": record.feature_count})
        if not (arrays["scale"] > 0).all():
            raise ModelFileError("array 'scale' of the head is damaged", where=ARRAYS)
        return cls(head=head, **arrays, facts=record.facts)
