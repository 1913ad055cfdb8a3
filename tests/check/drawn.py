"""Folders of small pictures, drawn here: a bright square somewhere in each on a cloudy ground."""

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 16
PLACES = ((1, 1), (1, 9), (9, 1), (9, 9))
"""The upper left corner of the square, class by class, in pixels."""


def picture(label: int, seed: int) -> np.ndarray:
    """Grey levels; two pictures of one class share the place of the square and nothing else."""
    draws = np.random.default_rng([label, seed])
    clouds = draws.uniform(0, 120, (4, 4))
    ground = np.asarray(Image.fromarray(clouds.astype(np.uint8)).resize((SIDE, SIDE), 2))
    pixels = ground + draws.normal(0, 12, (SIDE, SIDE))
    top, left = PLACES[label]
    pixels[top : top + 6, left : left + 6] += 110
    return pixels.clip(0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> Path:
    """A PNG file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def folder(root: Path, counts: dict[str, int], part: str = "") -> Path:
    """Class folders below `root`, with so many pictures each; no picture is there twice."""
    first = {"": 0, "train": 0, "test": 1000}[part]
    for label, (name, count) in enumerate(counts.items()):
        for number in range(count):
            save(root / part / name / f"{number:03}.png", picture(label, first + number))
    return root
