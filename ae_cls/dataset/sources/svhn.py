"""SVHN: 32x32 colour photographs of house numbers, 73 257 for training, 26 032 for testing."""

from pathlib import Path
from typing import Literal, final

import numpy as np
from pydantic import Field

from ae_cls.dataset.contract import Dataset, DatasetConfig
from ae_cls.dataset.files.published import Published, reading
from ae_cls.dataset.table import PartArrays, one_table


@final
class SvhnConfig(DatasetConfig):
    """Digits on photographs of houses."""

    name: Literal["svhn"]
    extra: bool = Field(
        description="add the 531 131 easier images of the extra part to training (1.6 GB in memory)"
    )

    def load(self) -> Dataset:
        wanted = ("train", "test", "extra") if self.extra else ("train", "test")
        published = Published(
            "svhn",
            tuple(f"{part}_32x32.mat" for part in wanted),
            lambda folder: _fetch(folder, wanted),
        )
        files = published.find(self.root, download=self.download)
        with reading("svhn", files):
            parts = {part: _read(files[0].parent, part) for part in wanted}
        if self.extra:
            parts["train"] = _joined(parts["train"], parts["extra"])
        return one_table(
            "svhn",
            {"train": parts["train"], "test": parts["test"]},
            class_names=tuple("0123456789"),
            mirrored_is_same=False,
        )


def _read(folder: Path, part: str) -> PartArrays:
    from torchvision.datasets import SVHN  # a second to import

    source = SVHN(folder, split=part)
    return PartArrays(np.ascontiguousarray(source.data), source.labels)


def _joined(first: PartArrays, second: PartArrays) -> PartArrays:
    return PartArrays(
        np.concatenate([first.images, second.images]),
        np.concatenate([first.labels, second.labels]),
    )


def _fetch(folder: Path, wanted: tuple[str, ...]) -> None:
    from torchvision.datasets import SVHN

    for part in wanted:
        SVHN(folder, split=part, download=True)
