"""The options of the group `dataset` as their YAML files have them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from pydantic import TypeAdapter

from ae_cls.dataset import DatasetChoice
from ae_cls.dataset.contract import ImageTable

FOLDER = Path(__file__).parents[2] / "configs" / "dataset"
WORDS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
CHOICE: TypeAdapter[DatasetChoice] = TypeAdapter(DatasetChoice)


def plain(word: str) -> dict[str, Any]:
    """The YAML file of an option."""
    return yaml.safe_load((FOLDER / f"{word}.yaml").read_text())


def chosen(word: str, **changes: object) -> DatasetChoice:
    """The option with some keys changed, as it comes from the command line."""
    return CHOICE.validate_json(json.dumps(plain(word) | changes))


def whole(images: ImageTable) -> np.ndarray:
    """All images of a table, wherever they are."""
    return images.index_select(0, torch.arange(len(images))).numpy()
