"""Small pictures whose class is seen by where a bright bar lies."""

from pathlib import Path

import numpy as np


def written(folder: Path, counts: dict[str, int], *, brighter: int) -> Path:
    """Noise, with a bright bar for each class at a height of its own.

    Args:
        folder: where the .npz file goes.
        counts: pictures of each class, by its name.
        brighter: the bar than the noise, in grey levels.
    """
    draws = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    images = draws.integers(0, 120, (len(labels), 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += brighter
    path = folder / "pictures.npz"
    np.savez(path, images=images, labels=labels, class_names=np.array(list(counts)))
    return path
