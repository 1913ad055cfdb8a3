"""Multinomial logistic regression on standardised features."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from ae_cls.head.choice import Choice, Trial
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.descent import Descent, LinearModel
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.linear_loss import LOG_LOSS
from ae_cls.head.part import ENOUGH
from ae_cls.head.row_space import Space
from ae_cls.head.softmax import Softmax
from ae_cls.head.warm_start import regularisation_path
from ae_cls.settings import OneOrMore

_ENOUGH_WORSE = 2
"""Values of C in a row that were worse than the best: then larger ones are not tried."""


@final
class LinearConfig(FeatureHeadConfig):
    """Minimises 0.5·|weight|² + C · summed log loss, as scikit-learn's LogisticRegression.

    With two classes both have a weight vector, which amounts to scikit-learn's answer at 2 C.
    With class weights, a row's log loss counts as much as its class weighs.
    """

    most_to_choose_on: ClassVar[int | None] = ENOUGH
    name: Literal["linear"]
    C: OneOrMore[Annotated[float, Field(gt=0)]] = Field(
        description="weights of the summed loss against the penalty; the best is kept"
    )
    tolerance: float = Field(
        gt=0, le=0.1, description="stop when a step lowers the mean loss by less"
    )
    max_steps: int = Field(ge=1, description="most steps of L-BFGS for each C")

    @property
    def fitted_type(self) -> type[Softmax]:
        return Softmax

    def is_decided(self, choice: Choice) -> bool:
        # Along the path the score rises and falls once, and the last values cost the most steps.
        return choice.worse_since == _ENOUGH_WORSE and list(self.C) == sorted(self.C)

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        space = Space.of_task(task)
        descent = self._descent(task, space)
        first = descent.near_the_end(self.C[0], _begun(task, space))
        for C, model in regularisation_path(descent, self.C, first):
            spread = space.to_features(model).spread(task.classes, task.class_count)
            head = Softmax(
                head=self.name, facts={}, mean=space.of_features.mean,
                scale=space.of_features.scale, weight=spread.weight, bias=spread.bias,
            )  # fmt: skip
            yield Trial({"C": C}, head, head.predict_proba(task.held.features), model.facts())

    def _descent(self, task: FeatureTask, space: Space) -> Descent:
        count = len(task.classes)
        return Descent(
            features=space.table,
            standardiser=space.standardiser,
            labels=np.searchsorted(task.classes, task.train.labels),
            class_count=count,
            class_weights=self.weights_of_seen(task),
            loss=LOG_LOSS,
            # A share of p (1 - p) at equal probabilities: it falls as the model grows surer.
            curvature=0.15 * (count - 1) / count**2,
            axes=space.axes,
            tolerance=self.tolerance,
            max_steps=self.max_steps,
            device=task.device,
        )


def _begun(task: FeatureTask, space: Space) -> LinearModel | None:
    """The model that a part of the rows gave, of the features as they are standardised now."""
    if not isinstance(task.near, Softmax) or space.vectors is not None:
        return None
    head = task.near.standardised(space.of_features.mean, space.of_features.scale)
    weight, bias = head.weight[task.classes], head.bias[task.classes]
    return LinearModel(weight, bias, converged=False, steps=0)
