"""The description of a look at a data set."""

from typing import ClassVar, final

from ae_cls.dataset import DatasetChoice
from ae_cls.dataset.labels import ALL_SHOWN, LabelsConfig
from ae_cls.dataset.split import SplitConfig
from ae_cls.experiment.common import CommonKeys


@final
class Check(CommonKeys):
    """`ae-cls check`: all that can be said of a data set without training."""

    below: ClassVar[str] = "check"

    dataset: DatasetChoice
    split: SplitConfig

    @property
    def labels(self) -> LabelsConfig:
        """No budget: a look at the labels is a look at all of them."""
        return ALL_SHOWN

    def words(self) -> tuple[str, ...]:
        """What tells this look from others in a folder's name."""
        return (self.dataset.name,)
