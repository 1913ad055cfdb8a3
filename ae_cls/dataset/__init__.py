"""Images and labels, one file a data set in sources/. This list is the index of the room."""

from typing import Annotated

from pydantic import Field

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
