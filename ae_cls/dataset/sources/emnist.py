"""EMNIST: handwritten digits and letters, 28x28 grey, cut into classes in six ways."""

import string
from pathlib import Path
from typing import Literal, final

from pydantic import Field

from ae_cls.dataset.contract import Dataset, DatasetConfig
from ae_cls.dataset.files.idx_set import idx_dataset
from ae_cls.dataset.files.published import Published

Variant = Literal["balanced", "letters", "digits", "byclass", "bymerge", "mnist"]

# Lower-case letters that look like their capitals and share a class with them (Cohen et al. 2017).
_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"
_CLASSES: dict[Variant, str] = {
    "balanced": _MERGED,
    "letters": string.ascii_lowercase,
    "digits": string.digits,
    "byclass": string.digits + string.ascii_uppercase + string.ascii_lowercase,
    "bymerge": _MERGED,
    "mnist": string.digits,
}


@final
class EmnistConfig(DatasetConfig):
    """Handwritten letters and digits."""

    name: Literal["emnist"]
    variant: Variant = Field(
        description="balanced: 47 classes of equal size; letters: 26; digits, mnist: 10; "
        "byclass: 62 of unequal size; bymerge: 47 of unequal size"
    )

    def load(self) -> Dataset:
        files = tuple(
            f"emnist-{self.variant}-{part}-{kind}"
            for part in ("train", "test")
            for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        published = Published(
            "emnist", files, _fetch, below=("EMNIST/raw", ".", "gzip"), are_idx=True
        )
        return idx_dataset(
            "emnist",
            published.find(self.root, download=self.download),
            tuple(_CLASSES[self.variant]),
            mirrored_is_same=False,
            first_label=1 if self.variant == "letters" else 0,
            by_column=True,
        )


def _fetch(folder: Path) -> None:
    from torchvision.datasets import EMNIST  # a second to import, and rarely needed

    EMNIST(folder, split="balanced", download=True)  # the archive holds all six variants
