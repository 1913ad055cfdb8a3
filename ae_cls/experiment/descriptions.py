"""The frozen, validated description of what a command is to do."""

from pathlib import Path
from typing import Annotated, Any, final, get_args

from pydantic import Field, ValidationError, model_validator

from ae_cls.autoencoder import AutoencoderChoice
from ae_cls.dataset import DatasetChoice
from ae_cls.dataset.labels import ALL_SHOWN, LabelsConfig
from ae_cls.dataset.split import SplitConfig, SplitWords
from ae_cls.encode import EncodeChoice
from ae_cls.errors import UsageError
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.experiment.check import Check
from ae_cls.experiment.common import StagedKeys
from ae_cls.head import HeadChoice
from ae_cls.pretrain import PretrainChoice
from ae_cls.settings import PathText

ReadsTest = Annotated[
    bool, Field(description="read the test part at the end; a search leaves it closed")
]


@final
class Pretraining(StagedKeys):
    """`ae-cls pretrain`: the first stage alone."""

    dataset: DatasetChoice
    split: SplitConfig
    autoencoder: AutoencoderChoice
    pretrain: PretrainChoice

    @model_validator(mode="after")
    def _layers_to_train(self) -> "Pretraining":
        _refuse_no_stack(self.pretrain, self.autoencoder)
        return self

    @property
    def labels(self) -> LabelsConfig:
        """No budget: pretraining reads no label, so all may stay."""
        return ALL_SHOWN

    def words(self) -> tuple[str, ...]:
        """What tells this run from others in a folder's name."""
        return self.dataset.name, self.autoencoder.name


@final
class Experiment(StagedKeys):
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
    def _layers_to_train(self) -> "Experiment":
        _refuse_no_stack(self.pretrain, self.autoencoder)
        return self

    @model_validator(mode="after")
    def _something_to_fine_tune(self) -> "Experiment":
        if self.head.trains_encoder and not self.autoencoder.has_gradients:
            raise ValueError(
                f"head={self.head.name} trains the encoder, and {self.autoencoder.name} has no "
                "weights to train: choose head=linear, or an autoencoder with weights such as conv"
            )
        return self

    @model_validator(mode="after")
    def _clusters_to_read(self) -> "Experiment":
        if self.head.reads_clusters and not self.encode.reads_clusters:
            raise ValueError(
                f"head={self.head.name} counts labels in clusters, and encode={self.encode.name} "
                "gives none: add encode=assignments autoencoder=gmvae"
            )
        if self.encode.reads_clusters and not self.autoencoder.has_clusters:
            raise ValueError(
                f"encode={self.encode.name} reads clusters, and {self.autoencoder.name} finds "
                "none: choose autoencoder=gmvae, or encode=latent"
            )
        return self

    @model_validator(mode="after")
    def _classes_in_the_code(self) -> "Experiment":
        has_classes = self.autoencoder.classes_in_code is not None
        if self.head.answers_with_code and not (has_classes and self.encode.name == "latent"):
            raise ValueError(
                f"head={self.head.name} answers with the class in the code, which has none with "
                f"autoencoder={self.autoencoder.name} encode={self.encode.name}: add "
                "autoencoder=conditional_vae encode=latent"
            )
        return self

    def words(self) -> tuple[str, ...]:
        """What tells this run from others in a folder's name."""
        return self.dataset.name, self.autoencoder.name, self.head.name

    def pretraining(self) -> Pretraining:
        """The first stage of this experiment."""
        return Pretraining(**{name: getattr(self, name) for name in Pretraining.model_fields})


def _refuse_no_stack(pretrain: PretrainChoice, autoencoder: AutoencoderChoice) -> None:
    if pretrain.goes_by_layers and not autoencoder.is_stack:
        kinds = get_args(get_args(AutoencoderChoice)[0])
        stacks = [kind.model_fields["name"].annotation for kind in kinds if kind.is_stack]
        names = " or ".join(name for literal in stacks for name in get_args(literal))
        raise ValueError(
            "pretrain=layerwise trains layers one after another, which cannot be done with "
            f"autoencoder={autoencoder.name}: choose {names}, or another pretrain"
        )


@final
class Classification(StagedKeys):
    """`ae-cls classify`: the stages after pretraining, on the encoder of an earlier run."""

    encoder: PathText = Field(
        min_length=1, description="run folder of ae-cls pretrain or ae-cls run"
    )
    dataset: dict[str, Any] | None = Field(
        description="keys of the data set, of which those that are not here are as in the "
        "encoder's run; with a name, the images may be others than that run was given"
    )
    split: SplitWords
    labels: LabelsConfig
    encode: EncodeChoice
    head: HeadChoice
    test: ReadsTest

    def words(self) -> tuple[str, ...]:
        """The encoder's run says what it is of."""
        return Path(self.encoder).name, self.head.name

    @property
    def names_data(self) -> bool:
        """Whether a data set was chosen: then it may be another than the encoder's run had."""
        return self.dataset is not None and "name" in self.dataset

    def on(self, pretraining: Pretraining) -> Experiment:
        """The whole experiment: that pretraining, with the split it was made on, then these stages.

        Raises:
            UsageError: the head cannot be used with that autoencoder.
        """
        before, own_split = pretraining.split, self.split.model_dump(exclude_none=True)
        seed = pretraining.seed if before.seed is None else before.seed
        split = SplitConfig(**{**before.model_dump(), "seed": seed, **own_split})
        inherited = ("dataset", "autoencoder", "pretrain")
        parts = {name: getattr(pretraining, name) for name in inherited}
        own = {name: getattr(self, name) for name in StagedKeys.model_fields}
        own |= {name: getattr(self, name) for name in ("labels", "encode", "head", "test")}
        own["split"] = split
        try:
            return Experiment(**parts, **own)
        except ValidationError as error:
            raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


COMMANDS: dict[str, type[Pretraining | Experiment | Classification | Benchmark | Check]] = {
    "run": Experiment,
    "pretrain": Pretraining,
    "classify": Classification,
    "check": Check,
    "bench": Benchmark,
}
"""The commands that Hydra composes, and what each composes to."""
