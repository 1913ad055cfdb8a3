"""Digits: 1797 handwritten digits of 8x8 pixels that come with scikit-learn."""

from typing import Literal, final

import numpy as np
from pydantic import model_validator

from ae_cls.dataset.contract import Dataset, DatasetConfig
from ae_cls.dataset.table import PartArrays, one_table


@final
class DigitsConfig(DatasetConfig):
    """Small handwritten digits: real data without a download."""

    name: Literal["digits"]

    @model_validator(mode="after")
    def _nothing_to_find_or_fetch(self) -> "DigitsConfig":
        if self.root is not None or self.download:
            raise ValueError("root and download have no effect: digits comes with scikit-learn")
        return self

    def load(self) -> Dataset:
        from sklearn.datasets import load_digits  # a second to import, unless a head has

        pixels, labels = load_digits(return_X_y=True)
        # Grey values are counts 0..16 of the dots in a 4x4 block.
        images = np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
        return one_table(
            "digits",
            {"train": PartArrays(images, labels)},
            class_names=tuple("0123456789"),
            mirrored_is_same=False,
        )
