"""Small networks and images for the tests of this room."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig, build
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import Draws
from ae_cls.experiment.descriptions import Pretraining
from tests.composed import described, options

VARIANTS = options("autoencoder")
CORRUPTIONS = options("autoencoder/corruption")
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 31, 30), (3, 96, 96)]


def config(name: str, *words: str) -> AutoencoderConfig:
    """As the command line composes it."""
    description = described("pretrain", f"autoencoder={name}", *words)
    assert isinstance(description, Pretraining)
    return description.autoencoder


def corrupted(name: str, corruption: str, *words: str) -> AutoencoderConfig:
    """As `autoencoder/corruption=...` composes it: of each option there is one, for all networks.

    Args:
        name: a network that corrupts.
        corruption: an option of that group.
        words: keys of the corruption, each `key=value`.
    """
    own = [f"autoencoder.corruption.{word}" for word in words]
    donor = config("conv", f"autoencoder/corruption={corruption}", *own).model_dump()
    whole = config(name)
    return type(whole).model_validate(whole.model_dump() | {"corruption": donor["corruption"]})


def variant(name: str, shape: tuple[int, int, int], *, seed: int = 0, words=()) -> Autoencoder:
    """A small network."""
    return build(config(name, *words).small(), shape, seed)


def table(shape: tuple[int, int, int], count: int = 24) -> ImageRows:
    """Smooth random images: neighbouring pixels agree, as in pictures."""
    noise = torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.avg_pool2d(noise, 3, stride=1, padding=1)
    low, high = smooth.amin((1, 2, 3), True), smooth.amax((1, 2, 3), True)
    images = ((smooth - low) / (high - low) * 255).to(torch.uint8)
    return ImageRows(images, np.arange(count))


def digit_rows(first: int = 0, last: int = 1797) -> ImageRows:
    """scikit-learn's digits, in its order."""
    images = torch.from_numpy((load_digits().images * 255 / 16).astype(np.uint8))[:, None]
    return ImageRows(images, np.arange(first, last))


def unit(images: ImageRows) -> torch.Tensor:
    return images.images.float() / 255


def draws(count: int, epoch: int = 0) -> Draws:
    return Draws(3, epoch, torch.arange(count))


TRAINED = [name for name in VARIANTS if config(name).has_gradients]
CORRUPTED = [name for name in VARIANTS if "corruption" in type(config(name)).model_fields]
