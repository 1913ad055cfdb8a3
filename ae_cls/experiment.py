"""The frozen, validated description of what a command is to do."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, TypeVar, final

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from ae_cls.autoencoder import AutoencoderChoice
from ae_cls.bench.description import Benchmark
from ae_cls.dataset import DatasetChoice
from ae_cls.dataset.split import LabelsConfig, SplitConfig
from ae_cls.described import Described, Staged
from ae_cls.encode import EncodeChoice
from ae_cls.errors import UsageError
from ae_cls.head import HeadChoice
from ae_cls.pretrain import PretrainChoice

ReadsTest = Annotated[
    bool, Field(description="read the test part at the end; a search leaves it closed")
]


@final
class Pretraining(Staged):
    """`ae-cls pretrain`: the first stage alone."""

    dataset: DatasetChoice
    split: SplitConfig
    autoencoder: AutoencoderChoice
    pretrain: PretrainChoice

    def words(self) -> tuple[str, ...]:
        """What tells this run from others in a folder's name."""
        return self.dataset.name, self.autoencoder.name


@final
class Experiment(Staged):
    """`ae-cls run`: pretrain, encode, classify, evaluate."""

    dataset: DatasetChoice
    split: SplitConfig
    labels: LabelsConfig
    autoencoder: AutoencoderChoice
    pretrain: PretrainChoice
    encode: EncodeChoice
    head: HeadChoice
    test: ReadsTest

    @model_validator(mode="after")
    def _something_to_fine_tune(self) -> "Experiment":
        if self.head.trains_encoder and not self.autoencoder.has_gradients:
            raise ValueError(
                f"head={self.head.name} trains the encoder, and {self.autoencoder.name} has no "
                "weights to train: choose head=linear, or an autoencoder with weights such as conv"
            )
        return self

    def words(self) -> tuple[str, ...]:
        """What tells this run from others in a folder's name."""
        return self.dataset.name, self.autoencoder.name, self.head.name

    def pretraining(self) -> Pretraining:
        """The first stage of this experiment."""
        return Pretraining(**{name: getattr(self, name) for name in Pretraining.model_fields})


@final
class Classification(Staged):
    """`ae-cls classify`: the stages after pretraining, on the encoder of an earlier run."""

    encoder: str = Field(min_length=1, description="run folder of ae-cls pretrain or ae-cls run")
    labels: LabelsConfig
    encode: EncodeChoice
    head: HeadChoice
    test: ReadsTest

    def words(self) -> tuple[str, ...]:
        """The encoder's run says what it is of."""
        return Path(self.encoder).name, self.head.name

    def on(self, pretraining: Pretraining) -> Experiment:
        """The whole experiment: that pretraining, with the split it was made on, then these stages.

        Raises:
            UsageError: the head cannot be used with that autoencoder.
        """
        split_seed = pretraining.split.seed
        split = pretraining.split.model_copy(
            update={"seed": pretraining.seed if split_seed is None else split_seed}
        )
        inherited = ("dataset", "autoencoder", "pretrain")
        parts = {name: getattr(pretraining, name) for name in inherited}
        own = {name: getattr(self, name) for name in Staged.model_fields}
        own |= {name: getattr(self, name) for name in ("labels", "encode", "head", "test")}
        own["split"] = split
        try:
            return Experiment(**parts, **own)
        except ValidationError as error:
            raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


COMMANDS: dict[str, type[Pretraining | Experiment | Classification | Benchmark]] = {
    "run": Experiment,
    "pretrain": Pretraining,
    "classify": Classification,
    "bench": Benchmark,
}
"""The commands that Hydra composes, and what each composes to."""

Command = TypeVar("Command", bound=Described)


def read(kind: type[Command], plain: dict[str, Any]) -> Command:
    """The description that composed YAML or a config.json holds.

    Raises:
        UsageError: all mistakes at once, each with its key, value and what is allowed.
    """
    try:
        # Strict, read as JSON: lists become tuples, but no string becomes a number.
        return kind.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        mistakes = [explain(mistake, plain) for mistake in error.errors()]
    what = (
        "mistake in the config" if len(mistakes) == 1 else f"{len(mistakes)} mistakes in the config"
    )
    raise UsageError(what, where="\n".join(mistakes), fix=f"ae-cls {command_of(kind)} --help")


def command_of(kind: type[Described]) -> str:
    """The word on the command line that composes to this kind."""
    return next(word for word, composed in COMMANDS.items() if composed is kind)


def read_run(plain: dict[str, Any]) -> Experiment | Pretraining:
    """The description in a run's config.json, of `run` or of `pretrain` alone.

    Raises:
        UsageError: all mistakes at once.
    """
    return read(Experiment if "head" in plain else Pretraining, plain)


def explain(mistake: ErrorDetails, plain: dict[str, Any]) -> str:
    """One line: key, value, what is allowed, the nearest known word."""
    key, siblings = locate(mistake, plain)
    said = mistake["msg"].removeprefix("Value error, ")
    if not key:
        return said
    if mistake["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key[-1], siblings, 1)
        hint = f"; did you mean {'.'.join([*key[:-1], near[0]])}?" if near else ""
        return f"{'.'.join(key)}: there is no such key{hint}"
    if mistake["type"] == "missing":
        return f"{'.'.join(key)}: has no value"
    return f"{'.'.join(key)}{_shown(mistake['input'])}: {said}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ""  # a mistake of a whole part is between its keys
    text = json.dumps(value)
    return "=" + (text if len(text) < 60 else text[:57] + "...")


def locate(mistake: ErrorDetails, plain: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The key as the user types it, and its composed siblings, which are all known words."""
    key: list[str] = []
    siblings: list[str] = []
    node: Any = plain
    for part in mistake["loc"]:
        inside = isinstance(node, dict)
        if inside and part not in node and part == node.get("name"):
            continue  # the union member's name (pydantic#7500); the user did not type it
        siblings = [other for other in node if other != part] if inside else []
        key.append(str(part))
        node = node.get(part) if inside else None
    return key, siblings
