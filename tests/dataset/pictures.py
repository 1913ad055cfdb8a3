"""Drawn pictures in which no two are alike, and what people do to copies of them."""

import io
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

Picture = UInt8[np.ndarray, "h w c"]


def leaves(count: int, side: int, seed: int) -> UInt8[np.ndarray, "n h w c"]:
    """Colour pictures of discs and boxes that cover each other, with a little noise.

    "Dead leaves", whose statistics are like those of photographs (Lee, Mumford & Huang 2001).
    """
    rng = np.random.default_rng(seed)
    return np.stack([_one(side, rng) for _ in range(count)])


def _one(side: int, rng: np.random.Generator) -> Picture:
    down, right = np.mgrid[:side, :side] / side
    picture = np.ones((side, side, 3)) * rng.uniform(0, 1, 3)
    for _ in range(rng.integers(12, 30)):
        radius, centre = rng.uniform(0.05, 0.4), rng.uniform(0, 1, 2)
        disc = (down - centre[0]) ** 2 + (right - centre[1]) ** 2 < radius**2
        box = (abs(down - centre[0]) < radius) & (abs(right - centre[1]) < radius * 0.6)
        picture[disc if rng.random() < 0.5 else box] = rng.uniform(0, 1, 3)
    return np.clip(255 * picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def _encoded_again(picture: Picture) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(buffer))


def _moved(picture: Picture) -> Picture:
    return np.pad(picture, ((1, 0), (0, 1), (0, 0)), mode="edge")[:-1, 1:]


def _cropped(picture: Picture) -> Picture:
    side = len(picture)
    edge = max(1, side // 20)
    box = (edge, edge, side - edge, side - edge)
    return np.asarray(Image.fromarray(picture).crop(box).resize((side, side)))


def _lighter(picture: Picture) -> Picture:
    return np.clip(picture * 1.1 + 10, 0, 255).astype(np.uint8)


def _smaller(picture: Picture) -> Picture:
    side = len(picture)
    small = Image.fromarray(picture).resize((side // 2, side // 2))
    return np.asarray(small.resize((side, side)))


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "equal": lambda picture: picture,
    "encoded again": _encoded_again,
    "mirrored": lambda picture: np.ascontiguousarray(picture[:, ::-1]),
    "moved": _moved,
    "cropped": _cropped,
    "lighter": _lighter,
    "smaller": _smaller,
}
