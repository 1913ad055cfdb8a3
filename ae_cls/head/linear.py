"""Multinomial logistic regression on standardised features."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Literal, final

import numpy as np
from pydantic import Field

from ae_cls.head.choice import Classes, Trial, choose, seen_classes
from ae_cls.head.contract import FeatureHeadConfig, FittedHead, Labelled
from ae_cls.head.descent import Axes, Descent, Line, log_loss
from ae_cls.head.softmax import NEVER, Softmax
from ae_cls.head.standardise import Standardiser
from ae_cls.head.warm_start import along
from ae_cls.settings import OneOrMore


@final
class LinearConfig(FeatureHeadConfig):
    """Minimises 0.5·|weight|² + C · summed log loss, as scikit-learn's LogisticRegression.

    With two classes both have a weight vector, which amounts to scikit-learn's answer at 2 C.
    """

    name: Literal["linear"]
    C: OneOrMore[Annotated[float, Field(gt=0)]] = Field(
        description="weights of the summed loss against the penalty; the best is kept"
    )
    tolerance: float = Field(
        gt=0, le=0.1, description="stop when a step lowers the mean loss by less"
    )
    max_steps: int = Field(ge=1, description="most steps of L-BFGS for each C")

    def fit(
        self, train: Labelled, valid: Labelled, *, class_count: int, seed: int, progress: bool
    ) -> Softmax:
        classes = seen_classes(train, valid)
        trials = self._trials(train, valid, classes, class_count)
        choice = choose(trials, valid.labels, head=self.name, count=len(self.C), progress=progress)
        return replace(choice.fitted, facts={**choice.facts, "labelled_rows": len(train.labels)})

    def _trials(
        self, train: Labelled, valid: Labelled, classes: Classes, class_count: int
    ) -> Iterator[Trial[Softmax]]:
        standardiser = Standardiser.fit(train.features)
        descent = Descent(
            features=train.features,
            standardiser=standardiser,
            labels=np.searchsorted(classes, train.labels),
            class_count=len(classes),
            loss=log_loss,
            # A share of p (1 - p) at equal probabilities: it falls as the model grows surer.
            curvature=0.15 * (len(classes) - 1) / len(classes) ** 2,
            axes=Axes.of(train.features, standardiser),
            tolerance=self.tolerance,
            max_steps=self.max_steps,
        )
        for strength, line in along(descent, self.C):
            head = _softmax(line, standardiser, classes, class_count)
            facts = {"converged": line.converged, "steps": line.steps}
            yield Trial({"C": strength}, head, head.predict_proba(valid.features), facts)

    def load(self, files: Mapping[str, bytes]) -> FittedHead:
        return Softmax.load(files, self.name)


def _softmax(line: Line, standardiser: Standardiser, classes: Classes, class_count: int) -> Softmax:
    weight = np.zeros((class_count, line.weight.shape[1]), np.float32)
    bias = np.full(class_count, NEVER, np.float32)
    weight[classes], bias[classes] = line.weight, line.bias
    return Softmax(
        head="linear",
        mean=standardiser.mean,
        scale=standardiser.scale,
        weight=weight,
        bias=bias,
        facts={},
    )
