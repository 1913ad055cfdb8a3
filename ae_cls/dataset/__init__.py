"""The room of images and labels: every option of the group `dataset`, and how a set is cut.

dataset = choice.load()
split = make_split(dataset, split_config, labels_config, seed)
"""

from typing import Annotated

from pydantic import Field

from ae_cls.dataset.contract import (
    NO_LABEL,
    About,
    Dataset,
    DatasetConfig,
    ImageShape,
    ImageTable,
    Rows,
)
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.dataset.sources.cifar import Cifar10Config, Cifar100Config
from ae_cls.dataset.sources.csv_pixels import CsvPixelsConfig
from ae_cls.dataset.sources.digits import DigitsConfig
from ae_cls.dataset.sources.emnist import EmnistConfig
from ae_cls.dataset.sources.folder import FolderConfig
from ae_cls.dataset.sources.mnist import FashionMnistConfig, KmnistConfig, MnistConfig, QmnistConfig
from ae_cls.dataset.sources.npz import NpzConfig
from ae_cls.dataset.sources.parquet import ParquetConfig
from ae_cls.dataset.sources.stl10 import Stl10Config
from ae_cls.dataset.sources.svhn import SvhnConfig
from ae_cls.dataset.sources.usps import UspsConfig
from ae_cls.dataset.split import LabelsConfig, Split, SplitConfig, make_split

DatasetChoice = Annotated[
    DigitsConfig
    | MnistConfig
    | FashionMnistConfig
    | KmnistConfig
    | QmnistConfig
    | EmnistConfig
    | UspsConfig
    | Cifar10Config
    | Cifar100Config
    | SvhnConfig
    | Stl10Config
    | FolderConfig
    | NpzConfig
    | CsvPixelsConfig
    | ParquetConfig,
    Field(discriminator="name"),
]

__all__ = [
    "NO_LABEL",
    "About",
    "Dataset",
    "DatasetChoice",
    "DatasetConfig",
    "ImageRows",
    "ImageShape",
    "ImageTable",
    "LabelsConfig",
    "Rows",
    "Split",
    "SplitConfig",
    "make_split",
    "to_unit",
]
