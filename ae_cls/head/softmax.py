"""A linear layer on standardised features: what `linear`, `svm` and `finetune` may end as."""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float32, Float64
from scipy.special import softmax

from ae_cls.head.array_head import ArrayHead
from ae_cls.head.fitted import Features, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.head.standardise import MEAN_AND_SCALE

_CHUNK = 8192  # rows at a time, so that no standardised copy of all features is made


@final
@dataclass(frozen=True, kw_only=True)
class Softmax(ArrayHead):
    """softmax(weight · (features - mean) / scale + bias).

    Attributes:
        mean: of the training features.
        scale: standard deviation of the training features; 1 where it was 0.
        weight: one row a class.
        bias: one number a class; `fitted.NEVER` for a class without labels.
    """

    layout: ClassVar[Layout] = {
        **MEAN_AND_SCALE,
        "weight": Stored(np.float32, "kd"),
        "bias": Stored(np.float32, "k"),
    }
    mean: Float32[np.ndarray, " d"]
    scale: Float32[np.ndarray, " d"]
    weight: Float32[np.ndarray, "k d"]
    bias: Float32[np.ndarray, " k"]

    def standardised(
        self, mean: Float32[np.ndarray, " d"], scale: Float32[np.ndarray, " d"]
    ) -> "Softmax":
        """The same answers, of features that are standardised otherwise."""
        bias = self.bias + ((mean - self.mean) / self.scale) @ self.weight.T
        weight = self.weight * (scale / self.scale)
        return replace(self, mean=mean, scale=scale, weight=weight, bias=bias)

    def predict_proba(self, features: Features) -> Probabilities:
        return softmax(self.logits(features), axis=1)

    def logits(self, features: Features) -> Float64[np.ndarray, "n k"]:
        """One number a class."""
        logits = np.empty((len(features), len(self.bias)))
        for start in range(0, len(features), _CHUNK):
            part = (features[start : start + _CHUNK] - self.mean) / self.scale
            logits[start : start + _CHUNK] = part @ self.weight.T + self.bias
        return logits
