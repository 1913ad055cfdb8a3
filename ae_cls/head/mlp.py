"""One hidden layer, trained by gradient descent on standardised features."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Literal, final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float32
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from ae_cls.draws import generator
from ae_cls.errors import TrainingError
from ae_cls.head.choice import Classes, Trial, choose, score, seen_classes, spread
from ae_cls.head.contract import FeatureHeadConfig, FittedHead, Labelled
from ae_cls.head.fitted import Fact, Features, Probabilities
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
from ae_cls.head.standardise import Standardiser, as_tensor
from ae_cls.settings import OneOrMore, Width

_LAYOUT: Layout = {
    "mean": (np.float32, "d"),
    "scale": (np.float32, "d"),
    "hidden_weight": (np.float32, "hd"),
    "hidden_bias": (np.float32, "h"),
    "weight": (np.float32, "kh"),
    "bias": (np.float32, "k"),
    "classes": (np.int64, "k"),
}


@final
class MlpConfig(FeatureHeadConfig):
    """A layer of GELU units and a softmax; the best epoch of the best setting is kept."""

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

    def fit(
        self, train: Labelled, valid: Labelled, *, class_count: int, seed: int, progress: bool
    ) -> "Mlp":
        seen_classes(train, valid)
        choice = choose(
            self._trials(train, valid, class_count, seed, progress),
            valid.labels,
            head=self.name,
            count=len(self.width) * len(self.learning_rate),
            progress=progress,
        )
        return replace(choice.fitted, facts={**choice.facts, "labelled_rows": len(train.labels)})

    def _trials(
        self, train: Labelled, valid: Labelled, class_count: int, seed: int, progress: bool
    ) -> Iterator[Trial["Mlp"]]:
        for width, rate in product(self.width, self.learning_rate):
            epochs = tqdm(
                self._epochs(train, class_count, seed, width, rate),
                total=self.epochs, desc=self.name, unit="epoch", leave=False,
                disable=None if progress else True,
            )  # fmt: skip
            head, facts = self._best(epochs, valid)
            setting: dict[str, Fact] = {"width": width, "learning_rate": rate}
            yield Trial(setting, head, head.predict_proba(valid.features), facts)

    def _best(self, epochs: Iterable["Mlp"], valid: Labelled) -> tuple["Mlp", dict[str, Fact]]:
        """The head of the best epoch, and what is told of it."""
        best: tuple[tuple[float, float], int, Mlp] | None = None
        epoch = 0
        for epoch, head in enumerate(epochs, start=1):
            accuracy, loss = score(head.predict_proba(valid.features), valid.labels)
            if best is None or (accuracy, -loss) > best[0]:
                best = (accuracy, -loss), epoch, head
            if epoch - best[1] >= self.patience:
                break
        assert best is not None, "there is at least one epoch"
        # Converged: the best epoch was not the last that was allowed.
        return best[2], {"converged": best[1] < self.epochs, "epoch": best[1], "epochs": epoch}

    def _epochs(
        self, train: Labelled, class_count: int, seed: int, width: int, rate: float
    ) -> Iterator["Mlp"]:
        """A copy of the head after each epoch."""
        classes = np.unique(train.labels)
        standardiser = Standardiser.fit(train.features)
        draws = generator(seed, "head", "mlp")
        layers = Layers.drawn(train.features.shape[1], width, len(classes), draws)
        weights, biases = [layers.hidden_weight, layers.weight], [layers.hidden_bias, layers.bias]
        optimiser = torch.optim.AdamW(
            [{"params": weights}, {"params": biases, "weight_decay": 0.0}],
            lr=rate,
            weight_decay=self.weight_decay,
            fused=True,
        )
        known = Labelled(train.features, np.searchsorted(classes, train.labels))
        for _ in range(self.epochs):
            self._pass(layers, known, standardiser, optimiser, draws)
            yield Mlp(standardiser, layers.copy(), classes, class_count, facts={})

    def _pass(
        self,
        layers: "Layers",
        train: Labelled,
        standardiser: Standardiser,
        optimiser: torch.optim.Optimizer,
        draws: torch.Generator,
    ) -> None:
        """One epoch, in place."""
        for rows in torch.randperm(len(train.labels), generator=draws).split(self.batch_size):
            batch = torch.from_numpy(standardiser.apply(train.features[rows.numpy()]))
            logits = layers.logits(dropped(layers.hidden(batch), self.dropout, draws))
            loss = functional.cross_entropy(logits, torch.from_numpy(train.labels[rows.numpy()]))
            if not torch.isfinite(loss):
                raise TrainingError(
                    "the loss of the head is not finite",
                    where="head.learning_rate",
                    fix="give lower rates, for example head.learning_rate=[0.0003]",
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    def load(self, files: Mapping[str, bytes]) -> "Mlp":
        record = read_record(files, self.name)
        arrays = read_arrays(files, _LAYOUT, {"d": record.feature_count})
        check_classes(arrays["classes"], record.class_count)
        layers = Layers(
            as_tensor(arrays["hidden_weight"]),
            as_tensor(arrays["hidden_bias"]),
            as_tensor(arrays["weight"]),
            as_tensor(arrays["bias"]),
        )
        standardiser = Standardiser.read(arrays)
        return Mlp(standardiser, layers, arrays["classes"], record.class_count, record.facts)


def dropped(
    hidden: Float32[Tensor, "b h"], share: float, draws: torch.Generator
) -> Float32[Tensor, "b h"]:
    """A share of the units silenced, the others raised so that the mean stays."""
    kept = torch.rand(hidden.shape, generator=draws) >= share
    return hidden * kept / (1 - share)


@final
@dataclass(frozen=True)
class Layers:
    """The weights of both layers."""

    hidden_weight: Float32[Tensor, "h d"]
    hidden_bias: Float32[Tensor, " h"]
    weight: Float32[Tensor, "k h"]
    bias: Float32[Tensor, " k"]

    @classmethod
    def drawn(cls, features: int, width: int, class_count: int, draws: torch.Generator) -> "Layers":
        """Uniform in ± 1 / sqrt(inputs), as torch's own layers; the biases start at 0."""

        def weight(outputs: int, inputs: int) -> Tensor:
            uniform = torch.rand(outputs, inputs, generator=draws)
            return ((2 * uniform - 1) / inputs**0.5).requires_grad_()

        def bias(outputs: int) -> Tensor:
            return torch.zeros(outputs, requires_grad=True)

        return cls(
            weight(width, features), bias(width), weight(class_count, width), bias(class_count)
        )

    def hidden(self, batch: Float32[Tensor, "b d"]) -> Float32[Tensor, "b h"]:
        """Units of the hidden layer."""
        return functional.gelu(functional.linear(batch, self.hidden_weight, self.hidden_bias))

    def logits(self, hidden: Float32[Tensor, "b h"]) -> Float32[Tensor, "b k"]:
        """One number a class."""
        return functional.linear(hidden, self.weight, self.bias)

    def copy(self) -> "Layers":
        """The weights as they are now, without gradients."""
        return Layers(
            self.hidden_weight.detach().clone(),
            self.hidden_bias.detach().clone(),
            self.weight.detach().clone(),
            self.bias.detach().clone(),
        )


@final
@dataclass(frozen=True)
class Mlp(FittedHead):
    """softmax(weight · gelu(hidden_weight · standardised features + hidden_bias) + bias).

    Attributes:
        standardiser: of the features.
        layers: trained.
        classes: class index of each logit.
        class_count: columns of the probabilities.
        facts: what fitting chose and saw.
    """

    standardiser: Standardiser
    layers: Layers
    classes: Classes
    class_count: int
    facts: Mapping[str, Fact]

    @torch.inference_mode()
    def predict_proba(self, features: Features) -> Probabilities:
        logits = np.empty((len(features), len(self.classes)))
        for rows, block in self.standardiser.blocks(features):
            logits[rows] = self.layers.logits(self.layers.hidden(torch.from_numpy(block))).numpy()
        probabilities = torch.from_numpy(logits).softmax(1).numpy()
        return spread(probabilities, self.classes, self.class_count)

    def files(self) -> dict[str, bytes]:
        arrays = {
            "mean": self.standardiser.mean,
            "scale": self.standardiser.scale,
            "hidden_weight": self.layers.hidden_weight.numpy(),
            "hidden_bias": self.layers.hidden_bias.numpy(),
            "weight": self.layers.weight.numpy(),
            "bias": self.layers.bias.numpy(),
            "classes": self.classes,
        }
        record = record_bytes(
            "mlp",
            class_count=self.class_count,
            feature_count=len(self.standardiser.mean),
            facts=self.facts,
        )
        return {ARRAYS: array_bytes(arrays), RECORD: record}
