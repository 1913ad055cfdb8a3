"""A linear layer on standardised features: what `linear` and `finetune` both end as."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import safetensors.numpy
from jaxtyping import Float32
from scipy.special import softmax

from ae_cls.errors import ModelFileError
from ae_cls.head.fitted import Fact, Features, FittedHead, Probabilities

ARRAYS, FACTS = "head.safetensors", "head.json"
_CHUNK = 8192  # rows at a time, so that no standardised copy of all features is made


@final
@dataclass(frozen=True)
class Softmax(FittedHead):
    """softmax(W (features - mean) / scale + b).

    Attributes:
        mean: of the training features.
        scale: standard deviation of the training features; 1 where it was 0.
        weight: one row a class.
        bias: one number a class; -inf for a class that was never seen.
        facts: what fitting chose and saw.
    """

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
        arrays = {name: getattr(self, name) for name in ("mean", "scale", "weight", "bias")}
        return {
            ARRAYS: safetensors.numpy.save(arrays),
            FACTS: json.dumps(dict(self.facts), indent=2).encode(),
        }

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> "Softmax":
        """The head that `files` described.

        Raises:
            ModelFileError: a file is missing, damaged or of another shape.
        """
        try:
            arrays = safetensors.numpy.load(files[ARRAYS])
            facts = json.loads(files[FACTS])
        except KeyError as error:
            raise ModelFileError("a file of the head is missing", where=str(error)) from error
        except Exception as error:  # safetensors' own error has no public base class
            raise ModelFileError("the head cannot be read", where=ARRAYS, why=str(error)) from error
        return cls(**_checked(arrays), facts=facts)


def _checked(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    shapes = {name: array.shape for name, array in arrays.items()}
    classes, width = shapes.get("weight", (0, 0))[:1], shapes.get("weight", (0, 0))[1:]
    if shapes != {"mean": width, "scale": width, "weight": classes + width, "bias": classes}:
        raise ModelFileError("the arrays of the head do not fit together", where=ARRAYS)
    if any(array.dtype != np.float32 or np.isnan(array).any() for array in arrays.values()):
        raise ModelFileError("an array of the head is not of finite float32 numbers", where=ARRAYS)
    return arrays
