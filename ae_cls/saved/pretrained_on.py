"""On which images an encoder was pretrained, where these are not those that are classified."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from ae_cls.dataset.contract import Dataset, Rows
from ae_cls.dataset.split import Split
from ae_cls.errors import some
from ae_cls.saved.data import SEEN, Numbers, remembered
from ae_cls.saved.metrics import read_metrics
from ae_cls.saved.model import read_experiment

PROTOCOL = "pretrained_on"
_NAMED = 20  # images that are named in metrics.json


@final
@dataclass(frozen=True)
class PretrainedOn:
    """What the encoder has seen, and what of that is among the images to classify.

    Attributes:
        facts: for metrics.json.
        notes: the same for people, one sentence each.
        pixels: a hash of the pixels of each image that the encoder has seen; None: not known.
    """

    facts: dict[str, Any]
    notes: tuple[str, ...]
    pixels: Numbers | None


def pretrained_on(run: Path, dataset: Dataset, split: Split, *, same: bool) -> PretrainedOn | None:
    """Of an encoder's run; None where the encoder has seen the training images of this data set.

    Args:
        run: its folder.
        dataset: what is classified.
        split: of it.
        same: whether the run was given just that; then the encoder may still be from elsewhere.
    """
    protocol = read_metrics(run).get("protocol", {})
    if same and PROTOCOL not in protocol:
        return None
    source = protocol.get(PROTOCOL) or _source(run, protocol)
    pixels = remembered(run, SEEN)
    seen = {} if pixels is None else _seen(dataset, split, pixels)
    facts = {
        **{key: source[key] for key in ("dataset", "root", "data_sha256", "images")},
        "seen_by_encoder": {part: len(rows) for part, rows in seen.items()} or None,
        "seen_test_images": some(_names(dataset, seen.get("test", _NONE)), _NAMED),
    }
    return PretrainedOn(facts, tuple(_notes(facts, dataset, split, seen)), pixels)


_NONE = np.zeros(0, np.int64)


def _source(run: Path, protocol: dict[str, Any]) -> dict[str, Any]:
    """What the run says of its own data."""
    config = read_experiment(run).dataset
    return {
        "dataset": config.name,
        "root": config.root,
        "data_sha256": protocol.get("data_sha256"),
        "images": protocol.get("images", {}).get("pretrain"),
    }


def _seen(dataset: Dataset, split: Split, pixels: Numbers) -> dict[str, Rows]:
    """The rows of each part whose pixels are those of an image that the encoder has seen."""
    assert dataset.copies is not None, "the pixels have not been hashed"
    here = dataset.copies.pixels
    parts = {"train": split.train, "valid": split.valid, "test": split.test}
    return {part: rows[np.isin(here[rows], pixels)] for part, rows in parts.items()}


def _notes(
    facts: dict[str, Any], dataset: Dataset, split: Split, seen: dict[str, Rows]
) -> Iterator[str]:
    root = f" in {facts['root']}" if facts["root"] else ""
    digest = str(facts["data_sha256"])[:12]
    yield (
        f"the encoder was pretrained on other data: {facts['images']:,} images of "
        f"dataset={facts['dataset']}{root} (data_sha256 {digest})"
    )
    if not seen:
        yield (
            "the encoder's run is of an earlier version and does not say which images it has "
            "seen: some of the test images may be among them"
        )
    elif len(seen["test"]):
        names = ", ".join(some(_names(dataset, seen["test"]), 3))
        yield (
            f"{len(seen['test']):,} of {len(split.test):,} test images were among those that the "
            f"encoder was pretrained on, without their labels (transductive): {names}"
        )


def _names(dataset: Dataset, rows: Rows) -> list[str]:
    return [dataset.name_of(row) for row in rows.tolist()]
