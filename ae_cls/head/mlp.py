"""One hidden layer, trained by gradient descent on standardised features."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Annotated, ClassVar, Literal, final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float32
from pydantic import Field
from torch import nn

from ae_cls.draws import derive_seed
from ae_cls.errors import TrainingError
from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Trial, score
from ae_cls.head.class_weight import weighed_cross_entropy
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import NEVER, Fact, Features, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.head.standardise import MEAN_AND_SCALE, Standardiser, as_tensor
from ae_cls.settings import OneOrMore, Width


@final
class MlpConfig(FeatureHeadConfig):
    """A layer of GELU units and a softmax; the best epoch of the best setting is kept.

    With class weights, a row's log loss counts as much as its class weighs.
    """

    name: Literal["mlp"]
    width: tuple[Width, ...] = Field(
        min_length=1, description="units of the hidden layer; the best number is kept"
    )
    learning_rate: OneOrMore[Annotated[float, Field(gt=0, le=1)]] = Field(
        description="of AdamW, constant; the best is kept"
    )
    dropout: float = Field(ge=0, lt=1, description="share of hidden units silenced in training")
    weight_decay: float = Field(ge=0, description="of the weights; biases are not decayed")
    batch_size: int = Field(ge=1, description="rows in a step")
    epochs: int = Field(ge=1, description="most passes over the labelled rows")
    patience: int = Field(
        ge=1, description="epochs without a better validation score before stopping"
    )

    @property
    def fitted_type(self) -> type["Mlp"]:
        return Mlp

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        for width, rate in product(self.width, self.learning_rate):
            # Initial weights, order of the rows and dropout: all of torch's draws start here.
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(derive_seed(task.seed, "head", "mlp"))
                trial = self._trial(task, width, rate)
            yield trial

    def _trial(self, task: FeatureTask, width: int, rate: float) -> Trial:
        """The best epoch."""
        standardiser = Standardiser.fit(task.train.features)
        network = self._network(task, width)
        optimiser = self._optimiser(network, rate)
        best: tuple[tuple[float, float], int, Mlp, Probabilities] | None = None
        epoch = 0
        epochs = range(1, self.epochs + 1)
        for epoch in task.bar(epochs, name=self.name, unit="epochs", total=self.epochs):
            self._pass(task, standardiser, network, optimiser)
            head = self._head(network, standardiser)
            probabilities = head.predict_proba(task.valid.features)
            reached, loss = score(probabilities, task.valid.labels, task.choose_by)
            if best is None or (reached, -loss) > best[0]:
                best = (reached, -loss), epoch, head, probabilities
            if epoch - best[1] >= self.patience:
                break
        assert best is not None, "there is at least one epoch"
        # Converged: the best epoch was not the last that was allowed.
        facts: dict[str, Fact] = {
            "converged": best[1] < self.epochs, "epoch": best[1], "epochs": epoch,
        }  # fmt: skip
        return Trial({"width": width, "learning_rate": rate}, best[2], best[3], facts)

    def _network(self, task: FeatureTask, width: int) -> nn.Sequential:
        hidden = nn.Linear(task.train.features.shape[1], width)
        to_logits = nn.Linear(width, task.class_count)
        with torch.no_grad():
            to_logits.bias[np.setdiff1d(np.arange(task.class_count), task.classes)] = NEVER
        return nn.Sequential(hidden, nn.GELU(), nn.Dropout(self.dropout), to_logits)

    def _optimiser(self, network: nn.Sequential, rate: float) -> torch.optim.Optimizer:
        biases = [weights for weights in network.parameters() if weights.ndim == 1]
        others = [weights for weights in network.parameters() if weights.ndim > 1]
        groups = [{"params": others}, {"params": biases, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=rate, weight_decay=self.weight_decay, fused=True)

    def _pass(
        self,
        task: FeatureTask,
        standardiser: Standardiser,
        network: nn.Sequential,
        optimiser: torch.optim.Optimizer,
    ) -> None:
        """One epoch, in place."""
        labels, weights = task.train.labels, self.weights(task)
        for rows in (part.numpy() for part in torch.randperm(len(labels)).split(self.batch_size)):
            batch = torch.from_numpy(standardiser.apply(task.train.features[rows]))
            loss = weighed_cross_entropy(network(batch), torch.from_numpy(labels[rows]), weights)
            if not torch.isfinite(loss):
                raise TrainingError(
                    "the loss of the head is not finite",
                    where="head.learning_rate",
                    fix="give lower rates, for example head.learning_rate=[0.0003]",
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    def _head(self, network: nn.Sequential, standardiser: Standardiser) -> "Mlp":
        """A copy of the network as it is now."""
        arrays = [weights.detach().clone().numpy() for weights in network.parameters()]
        hidden_weight, hidden_bias, weight, bias = arrays
        return Mlp(
            head=self.name, facts={}, mean=standardiser.mean, scale=standardiser.scale,
            hidden_weight=hidden_weight, hidden_bias=hidden_bias, weight=weight, bias=bias,
        )  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class Mlp(ArrayHead):
    """softmax(weight · gelu(hidden_weight · standardised features + hidden_bias) + bias).

    Attributes:
        mean: of the training features.
        scale: standard deviation of the training features; 1 where it was 0.
        hidden_weight: one row a unit.
        hidden_bias: one number a unit.
        weight: one row a class.
        bias: one number a class; `NEVER` for a class without labels.
    """

    layout: ClassVar[Layout] = {
        **MEAN_AND_SCALE,
        "hidden_weight": Stored(np.float32, "hd"),
        "hidden_bias": Stored(np.float32, "h"),
        "weight": Stored(np.float32, "kh"),
        "bias": Stored(np.float32, "k"),
    }
    mean: Float32[np.ndarray, " d"]
    scale: Float32[np.ndarray, " d"]
    hidden_weight: Float32[np.ndarray, "h d"]
    hidden_bias: Float32[np.ndarray, " h"]
    weight: Float32[np.ndarray, "k h"]
    bias: Float32[np.ndarray, " k"]

    @torch.inference_mode()
    def predict_proba(self, features: Features) -> Probabilities:
        hidden_layer = as_tensor(self.hidden_weight), as_tensor(self.hidden_bias)
        output_layer = as_tensor(self.weight), as_tensor(self.bias)
        logits = torch.empty(len(features), len(self.bias), dtype=torch.float64)
        for rows, block in Standardiser(self.mean, self.scale).blocks(features):
            hidden = functional.gelu(functional.linear(torch.from_numpy(block), *hidden_layer))
            logits[rows] = functional.linear(hidden, *output_layer).double()
        return logits.softmax(1).numpy()
