"""A support vector machine: exact on few rows, approximate on many, and it says which."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, final

import numpy as np
from jaxtyping import Float64
from pydantic import Field
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from ae_cls.errors import ModelFileError
from ae_cls.head.choice import Classes, Trial, choose, seen_classes, spread
from ae_cls.head.contract import FeatureHeadConfig, FittedHead, Labelled
from ae_cls.head.fitted import Fact, Features, Labels, Probabilities
from ae_cls.head.head_files import (
    ARRAYS,
    RECORD,
    Layout,
    array_bytes,
    check_classes,
    read_arrays,
    read_record,
    record_bytes,
)
from ae_cls.head.standardise import Standardiser
from ae_cls.head.svm_approximate import (
    KERNEL_LAYOUT,
    LINEAR_LAYOUT,
    kernel_candidates,
    linear_candidates,
    read_approximate,
)
from ae_cls.head.svm_exact import LAYOUT as EXACT_LAYOUT
from ae_cls.head.svm_exact import exact_candidates, read_exact
from ae_cls.head.svm_machine import Candidate, Machine
from ae_cls.settings import OneOrMore

log = logging.getLogger(__name__)

_LAYOUT: Layout = {"classes": (np.int64, "k"), "temperature": (np.float64, "o")}
_TEMPERATURES = (0.01, 100.0)


@final
class SvmConfig(FeatureHeadConfig):
    """The widest margin between classes; probabilities are a softmax of the scores."""

    name: Literal["svm"]
    kernel: Literal["rbf", "linear"] = Field(description="how two rows are compared")
    C: OneOrMore[Annotated[float, Field(gt=0)]] = Field(
        description="weights of the summed hinge loss; the best is kept"
    )
    gamma: OneOrMore[Annotated[float, Field(gt=0)]] = Field(
        description="of rbf, as factors on 1 / (features x variance); the best is kept",
    )
    exact_rows: int = Field(
        ge=0,
        description="most labelled rows for the exact machine, which holds 8 bytes a pair of them",
    )
    components: int = Field(
        ge=1, description="training rows that the approximate rbf machine compares with"
    )
    tolerance: float = Field(
        gt=0, le=0.1, description="the approximate machine stops when its mean loss falls by less"
    )
    max_steps: int = Field(ge=1, description="most steps of the approximate machine for each C")

    def fit(
        self, train: Labelled, valid: Labelled, *, class_count: int, seed: int, progress: bool
    ) -> "Svm":
        classes = seen_classes(train, valid)
        approximation = self._approximation(len(train.labels))
        choice = choose(
            self._trials(train, valid, classes, class_count, seed),
            valid.labels,
            head=self.name,
            count=len(self.C) * (len(self.gamma) if self.kernel == "rbf" else 1),
            progress=progress,
        )
        seen: dict[str, Fact] = {"approximation": approximation, "labelled_rows": len(train.labels)}
        return replace(choice.fitted, facts={**choice.facts, **seen})

    def _approximation(self, rows: int) -> str | None:
        if rows <= self.exact_rows:
            return None
        name = f"nystroem {min(self.components, rows)}" if self.kernel == "rbf" else "LinearSVC"
        log.warning(
            "svm: %s in place of the exact machine: %d labelled rows, exact_rows=%d",
            name, rows, self.exact_rows,
        )  # fmt: skip
        return name

    def _trials(
        self, train: Labelled, valid: Labelled, classes: Classes, class_count: int, seed: int
    ) -> Iterator[Trial["Svm"]]:
        known = np.isin(valid.labels, classes)  # the others say nothing of the temperature
        positions = np.searchsorted(classes, valid.labels[known])
        for candidate in self._candidates(train, classes, seed):
            scores = candidate.machine.scores(valid.features)
            temperature = fitted_temperature(scores[known], positions)
            head = Svm(candidate.machine, classes, class_count, temperature, facts={})
            facts: dict[str, Fact] = {**candidate.facts, "temperature": temperature}
            yield Trial(candidate.setting, head, head.of_scores(scores), facts)

    def _candidates(self, train: Labelled, classes: Classes, seed: int) -> Iterator[Candidate]:
        standardiser = Standardiser.fit(train.features)
        counted = Labelled(train.features, np.searchsorted(classes, train.labels))
        if len(train.labels) <= self.exact_rows:
            return exact_candidates(
                counted, standardiser, kernel=self.kernel, strengths=self.C, gammas=self.gamma
            )
        if self.kernel == "linear":
            return linear_candidates(
                counted, standardiser,
                strengths=self.C, tolerance=self.tolerance, max_steps=self.max_steps,
            )  # fmt: skip
        return kernel_candidates(
            counted, standardiser, strengths=self.C, gammas=self.gamma, components=self.components,
            tolerance=self.tolerance, max_steps=self.max_steps, seed=seed,
        )  # fmt: skip

    def load(self, files: Mapping[str, bytes]) -> "Svm":
        record = read_record(files, self.name)
        exact = record.facts.get("approximation") is None
        layout = EXACT_LAYOUT if exact else KERNEL_LAYOUT if self.kernel == "rbf" else LINEAR_LAYOUT
        sides = {"d": record.feature_count, "o": 1}
        arrays = read_arrays(files, {**_LAYOUT, **layout}, sides)
        check_classes(arrays["classes"], record.class_count)
        temperature = float(arrays["temperature"][0])
        if temperature <= 0:
            raise ModelFileError("the temperature of the head is not above 0", where=ARRAYS)
        return Svm(
            read_exact(arrays) if exact else read_approximate(arrays),
            arrays["classes"],
            record.class_count,
            temperature,
            record.facts,
        )


@final
@dataclass(frozen=True)
class Svm(FittedHead):
    """softmax(scores / temperature).

    Attributes:
        machine: gives the scores.
        classes: class index of each score.
        class_count: columns of the probabilities.
        temperature: of the least log loss on the validation rows.
        facts: what fitting chose and saw.
    """

    machine: Machine
    classes: Classes
    class_count: int
    temperature: float
    facts: Mapping[str, Fact]

    def predict_proba(self, features: Features) -> Probabilities:
        return self.of_scores(self.machine.scores(features))

    def of_scores(self, scores: Float64[np.ndarray, "n s"]) -> Probabilities:
        """Probabilities of scores; the order of the classes stays."""
        return spread(softmax(scores / self.temperature, axis=1), self.classes, self.class_count)

    def files(self) -> dict[str, bytes]:
        arrays = {
            **self.machine.arrays(),
            "classes": self.classes,
            "temperature": np.array([self.temperature]),
        }
        record = record_bytes(
            "svm",
            class_count=self.class_count,
            feature_count=len(arrays["mean"]),
            facts=self.facts,
        )
        return {ARRAYS: array_bytes(arrays), RECORD: record}


def fitted_temperature(scores: Float64[np.ndarray, "n s"], labels: Labels) -> float:
    """The temperature in 0.01 to 100 at which the scores' softmax has the least log loss."""
    if not len(labels):
        return 1.0

    def loss(log_temperature: float) -> float:
        logs = log_softmax(scores / np.exp(log_temperature), axis=1)
        return -float(logs[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded")
    return float(np.exp(found.x))
