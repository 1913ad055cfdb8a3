"""One hidden layer, trained by gradient descent on standardised features."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, ClassVar, Literal, final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float32, Int64
from pydantic import Field
from torch import nn

from ae_cls.draws import derive_seed
from ae_cls.errors import TrainingError
from ae_cls.head.array_head import ArrayHead
from ae_cls.head.choice import Setting, Trial, score
from ae_cls.head.class_weight import weighed_cross_entropy
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.feature_task import FeatureTask
from ae_cls.head.fitted import NEVER, Fact, Features, Probabilities
from ae_cls.head.head_files import Layout, Stored
from ae_cls.head.standardise import MEAN_AND_SCALE, Standardiser, as_tensor
from ae_cls.settings import OneOrMore, Width
from ae_cls.train.adam import Adam


@final
class MlpConfig(FeatureHeadConfig):
    """A layer of GELU units and a softmax; the best epoch of the best setting is kept.

    Where settings are chosen within the labels, folds say after how many epochs it ends.
    With class weights, a row's log loss counts as much as its class weighs.
    """

    fold_repeats: ClassVar[int] = 1
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
        ge=1, description="epochs without a better score of the rows held out before stopping"
    )

    @property
    def fitted_type(self) -> type["Mlp"]:
        return Mlp

    def least_memory(self, rows: int, features: int, classes: int) -> int | float:
        return 4 * 4 * max(self.width) * (features + classes)  # weights, slopes, two moments

    def trials(self, task: FeatureTask) -> Iterator[Trial]:
        for width, rate in product(self.width, self.learning_rate):
            setting: Setting = {"width": width, "learning_rate": rate}
            training = _Training(self, task, width, rate)
            if not len(task.held.labels):
                yield self._whole_schedule(setting, training)
                continue
            best = self._best_epoch([training])
            # Converged: the best epoch was not the last that was allowed.
            facts: dict[str, Fact] = {
                "converged": best.epoch < self.epochs, "epoch": best.epoch, "epochs": best.epochs,
            }  # fmt: skip
            yield Trial(setting, best.heads[0], best.probabilities, facts)

    def out_of_fold(self, folds: Sequence[FeatureTask]) -> Iterator[tuple[Setting, Probabilities]]:
        """As for every head; the number of epochs is chosen by all folds together."""
        for width, rate in product(self.width, self.learning_rate):
            best = self._best_epoch([_Training(self, fold, width, rate) for fold in folds])
            setting: Setting = {"width": width, "learning_rate": rate, "epochs": best.epoch}
            yield setting, best.probabilities

    def facts_of(self, chosen: Setting) -> dict[str, Fact]:
        epochs = chosen["epochs"]
        assert isinstance(epochs, int)
        return {"converged": epochs < self.epochs}

    def _whole_schedule(self, setting: Setting, training: "_Training") -> Trial:
        """After all epochs: none is better by rows that nobody holds."""
        for _ in self._epochs(training.task):
            training.run_epoch()
        head = training.head()
        # Whether that was enough only rows that are held back could tell.
        facts: dict[str, Fact] = {
            "converged": None, "epoch": self.epochs, "epochs": self.epochs,
        }  # fmt: skip
        return Trial(setting, head, head.predict_proba(training.task.held.features), facts)

    def _best_epoch(self, trainings: "Sequence[_Training]") -> "_Best":
        """The epoch that is best on the rows that all of these trainings hold back."""
        labels = np.concatenate([training.task.held.labels for training in trainings])
        by, best = trainings[0].task.choose_by, None
        for epoch in self._epochs(trainings[0].task):
            for training in trainings:
                training.run_epoch()
            heads = [training.head() for training in trainings]
            probabilities = np.concatenate(
                [
                    head.predict_proba(training.task.held.features)
                    for head, training in zip(heads, trainings, strict=True)
                ]
            )
            reached, loss = score(probabilities, labels, by)
            if best is None or (reached, -loss) > best.score:
                best = _Best((reached, -loss), epoch, epoch, heads, probabilities)
            best = replace(best, epochs=epoch)
            if epoch - best.epoch >= self.patience:
                break
        assert best is not None, "there is at least one epoch"
        return best

    def _epochs(self, task: FeatureTask) -> Iterator[int]:
        return task.bar(range(1, self.epochs + 1), name=self.name, unit="epochs", total=self.epochs)


@final
@dataclass(frozen=True)
class _Best:
    """The best epoch so far, of how many."""

    score: tuple[float, float]
    epoch: int
    epochs: int
    heads: "Sequence[Mlp]"
    probabilities: Probabilities


@final
class _Training:
    """A network on its way, on the rows of one task."""

    def __init__(self, config: MlpConfig, task: FeatureTask, width: int, rate: float) -> None:
        self.config, self.task = config, task
        self.standardiser = Standardiser.fit(task.train.features)
        self.weights = config.weights(task)
        draws = torch.Generator().manual_seed(derive_seed(task.seed, "head", "mlp"))
        self.draws = draws.get_state()
        with self._own_draws():
            self.network = self._network(width)
        self.optimiser = self._optimiser(rate)

    @contextmanager
    def _own_draws(self) -> Iterator[None]:
        """Initial weights, order of the rows and dropout: all of torch's draws come from here."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.draws)
            yield
            self.draws = torch.get_rng_state()

    def _network(self, width: int) -> nn.Sequential:
        task = self.task
        hidden = nn.Linear(task.train.features.shape[1], width)
        to_logits = nn.Linear(width, task.class_count)
        with torch.no_grad():
            to_logits.bias[np.setdiff1d(np.arange(task.class_count), task.classes)] = NEVER
        return nn.Sequential(hidden, nn.GELU(), nn.Dropout(self.config.dropout), to_logits)

    def _optimiser(self, rate: float) -> Adam:
        biases = [weights for weights in self.network.parameters() if weights.ndim == 1]
        others = [weights for weights in self.network.parameters() if weights.ndim > 1]
        groups = [{"params": others}, {"params": biases, "weight_decay": 0.0}]
        decay = self.config.weight_decay
        return Adam(groups, lr=rate, weight_decay=decay, is_decoupled=True)

    def run_epoch(self) -> None:
        """One pass over the rows."""
        with self._own_draws():
            order = torch.randperm(len(self.task.train.labels))
            for rows in order.split(self.config.batch_size):
                self._step(rows.numpy())

    def _step(self, rows: Int64[np.ndarray, " b"]) -> None:
        features, labels = self.task.train.features[rows], self.task.train.labels[rows]
        batch = torch.from_numpy(self.standardiser.apply(features))
        loss = weighed_cross_entropy(self.network(batch), torch.from_numpy(labels), self.weights)
        if not torch.isfinite(loss):
            raise TrainingError(
                "the loss of the head is not finite",
                where="head.learning_rate",
                fix="give lower rates, for example head.learning_rate=[0.0003]",
            )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def head(self) -> "Mlp":
        """A copy of the network as it is now."""
        arrays = [weights.detach().clone().numpy() for weights in self.network.parameters()]
        hidden_weight, hidden_bias, weight, bias = arrays
        return Mlp(
            head=self.config.name, facts={},
            mean=self.standardiser.mean, scale=self.standardiser.scale,
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
