"""The training loop that tutorials print, kept as they print it: what users would otherwise run.

A torchvision data set, one image at a time through ToTensor, a DataLoader with two workers, float32
and Adam. Nothing here is used outside of `ae-cls bench`.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import final

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import VisionDataset
from torchvision.transforms import ToTensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.textbook import Textbook
from ae_cls.dataset.rows import ImageRows
from ae_cls.head.fitted import Features, Labels

_WORKERS = 2
_AT_A_TIME = 1024  # images that are copied


@final
class TorchvisionImages(VisionDataset):
    """An item costs what one of torchvision's MNIST or CIFAR10 costs: a picture, then ToTensor."""

    def __init__(self, images: UInt8[np.ndarray, "n h w c"], labels: Labels) -> None:
        super().__init__("", transform=ToTensor())
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        array = self.images[index]
        picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
        assert self.transform is not None
        return self.transform(picture), int(self.labels[index])


def pictures_of(images: ImageRows, labels: Labels) -> TorchvisionImages:
    """The same images as tutorials hold them."""
    parts = [part.numpy() for part in images.batches(_AT_A_TIME)]
    return TorchvisionImages(
        np.ascontiguousarray(np.concatenate(parts).transpose(0, 2, 3, 1)), labels
    )


def tutorial_network(model: Textbook) -> nn.Sequential:
    """The same network as tutorials write it, encoder and decoder, with weights of its own."""
    down, up = list[nn.Module](), list[nn.Module]()
    for inputs, outputs in pairwise(model.channels):
        down += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    for inputs, outputs in pairwise(reversed(model.channels)):
        up += [nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1)]
    code, flat = model.to_latent.out_features, model.to_latent.in_features
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, code))
    decoder = nn.Sequential(nn.Linear(code, flat), nn.Unflatten(1, model.map_shape), *up)
    return nn.Sequential(encoder, decoder)


def copy_weights(network: nn.Sequential, model: Autoencoder) -> None:
    """The weights of the tutorial's network into ours: the layers come in the same order."""
    values = network.state_dict().values()
    model.load_state_dict(dict(zip(model.state_dict(), values, strict=True)))


def adam(network: nn.Sequential, lr: float) -> torch.optim.Optimizer:
    """The optimiser of all passes."""
    return torch.optim.Adam(network.parameters(), lr=lr)


def train(
    network: nn.Sequential,
    pictures: TorchvisionImages,
    optimiser: torch.optim.Optimizer,
    *,
    batch_size: int,
    device: torch.device,
) -> Iterator[float]:
    """Train for one pass; gives the seconds since the start of the pass after every step."""
    loader = DataLoader(pictures, batch_size=batch_size, shuffle=True, num_workers=_WORKERS)
    started = time.perf_counter()
    for batch, _ in loader:
        batch = batch.to(device)
        loss = nn.functional.mse_loss(network(batch), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()
        yield time.perf_counter() - started


@torch.no_grad()
def codes(
    network: nn.Sequential, pictures: TorchvisionImages, *, batch_size: int, device: torch.device
) -> tuple[Features, Labels]:
    """What the encoder makes of the pictures, and their labels."""
    loader = DataLoader(pictures, batch_size=batch_size, num_workers=_WORKERS)
    encoder = network[0]
    parts = [encoder(batch.to(device)).cpu() for batch, _ in loader]
    return torch.cat(parts).numpy(), pictures.labels
