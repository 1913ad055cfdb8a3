"""USPS: 16x16 grey digits from envelopes, 7291 for training, 2007 for testing."""

from pathlib import Path
from typing import Literal, final

import numpy as np

from ae_cls.dataset.contract import Dataset, DatasetConfig
from ae_cls.dataset.files.published import Published, reading
from ae_cls.dataset.table import PartArrays, one_table


@final
class UspsConfig(DatasetConfig):
    """Handwritten digits read by the U.S. postal service."""

    name: Literal["usps"]

    def load(self) -> Dataset:
        published = Published("usps", ("usps.bz2", "usps.t.bz2"), _fetch)
        files = published.find(self.root, download=self.download)
        with reading("usps", files):
            train, test = (_read(files[0].parent, train=train) for train in (True, False))
        return one_table(
            "usps",
            {"train": train, "test": test},
            class_names=tuple("0123456789"),
            mirrored_is_same=False,
        )


def _read(folder: Path, *, train: bool) -> PartArrays:
    from torchvision.datasets import USPS  # a second to import

    source = USPS(folder, train=train)
    return PartArrays(source.data[:, None], np.asarray(source.targets, dtype=np.int64))


def _fetch(folder: Path) -> None:
    from torchvision.datasets import USPS

    USPS(folder, train=True, download=True)
    USPS(folder, train=False, download=True)
