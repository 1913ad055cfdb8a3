"""The description of a benchmark."""

from typing import final

from pydantic import Field

from ae_cls.autoencoder import AutoencoderChoice
from ae_cls.autoencoder.textbook import TextbookConfig
from ae_cls.dataset import DatasetChoice
from ae_cls.dataset.split import SplitConfig
from ae_cls.encode import EncodeChoice
from ae_cls.experiment.common import CommonKeys
from ae_cls.head.linear import LinearConfig
from ae_cls.pretrain.gradient import GradientPretraining


@final
class Benchmark(CommonKeys):
    """`ae-cls bench`: a yardstick network and another, through the tutorials' loop and ours."""

    dataset: DatasetChoice
    split: SplitConfig
    yardstick: TextbookConfig
    autoencoder: AutoencoderChoice
    pretrain: GradientPretraining
    encode: EncodeChoice
    head: LinearConfig
    yardstick_batch: int = Field(ge=1, le=65_536, description="images a step of the yardstick")
    yardstick_lr: float = Field(gt=0, description="learning rate of the yardstick")
    steps: int = Field(ge=1, description="steps per timing, after as many warm-up steps")
    repeats: int = Field(
        ge=1, description="timings of each contender, in turn; the median is reported"
    )
    until: float | None = Field(
        gt=0,
        lt=1,
        description="validation accuracy that ends a race from the start of a process, between the "
        "tutorials' way and ours; null: no race",
    )

    def words(self) -> tuple[str, ...]:
        """What tells this run from others in a folder's name."""
        return "bench", self.dataset.name, self.autoencoder.name
