"""A linear decoder of what each cell of a map says, found by least squares."""

from typing import final

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Float64
from torch import Tensor, nn

from ae_cls.autoencoder.parts.blocks import pad_to_multiple
from ae_cls.autoencoder.parts.upward import enlargement
from ae_cls.dataset.contract import ImageShape
from ae_cls.machine.threads import eigenvectors

_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # on weights of channels of variance 1
_CELLS_OF_WEIGHT = 8  # to fit on; neighbours in an image are alike, so few would be too few
_HELD = 4  # one image in so many is held back: the best penalty has the least error there


@final
class Readout(nn.Module):
    """Maps to images, the same in every cell; black until it is fitted.

    Args:
        map_shape: of the maps.
        image_shape: of the images.
    """

    mean: Float[Tensor, "d 1 1"]
    deviation: Float[Tensor, "d 1 1"]

    def __init__(self, map_shape: tuple[int, int, int], image_shape: ImageShape) -> None:
        super().__init__()
        self.image_shape, self.side = image_shape, enlargement(map_shape, image_shape)
        channels, *self.cells = map_shape
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("deviation", torch.ones(channels, 1, 1))
        # A step of Adam moves each weight as far: with many channels the sum would leap.
        self.gain = 1 / channels
        self.paint = nn.Conv2d(channels, image_shape[0] * self.side**2, 1)
        for parameter in self.paint.parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: Float[Tensor, "b _ _ _"]) -> Float[Tensor, "b c h w"]:
        images = functional.pixel_shuffle(self.paint(self._standardised(maps)), self.side)
        return images[:, :, : self.image_shape[1], : self.image_shape[2]]

    @property
    def enough_images(self) -> int:
        """How many images to fit it on."""
        cells = self.cells[0] * self.cells[1]
        return max(2 * _HELD, -(-_CELLS_OF_WEIGHT * len(self.mean) // cells))

    @torch.no_grad()
    def fit(self, maps: Float[Tensor, "b _ _ _"], images: Float[Tensor, "b c h w"]) -> None:
        """Least squares with a penalty on the weights, which images held back choose.

        Args:
            maps: of at least two images.
            images: in [0, 1].
        """
        self.mean.copy_(maps.mean((0, 2, 3))[:, None, None])
        spread = maps.std((0, 2, 3), correction=0)[:, None, None]
        self.deviation.copy_(torch.where(spread > 0, spread, 1.0))
        seen = self._standardised(maps)
        inputs = (seen / self.gain).double().cpu().movedim(1, 3).flatten(1, 2)
        targets = self._in_cells(images).double().cpu().movedim(1, 3).flatten(1, 2)
        weight, bias = _least_squares(inputs, targets)
        self.paint.weight.copy_((weight.T / self.gain)[:, :, None, None])
        assert self.paint.bias is not None
        self.paint.bias.copy_(bias)

    def _standardised(self, maps: Float[Tensor, "b _ _ _"]) -> Float[Tensor, "b _ _ _"]:
        """With the cells that an image has beyond those of the map, where it is rounded down."""
        down, across = (-(-side // self.side) for side in self.image_shape[1:])
        missing = (0, max(0, across - maps.shape[3]), 0, max(0, down - maps.shape[2]))
        padded = functional.pad(maps, missing, mode="replicate")
        return (padded - self.mean) * (self.gain / self.deviation)

    def _in_cells(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        padded = pad_to_multiple(images, self.side)
        down, across = (max(cells, padded.shape[axis] // self.side) for axis, cells in (
            (2, self.cells[0]), (3, self.cells[1])))  # fmt: skip
        beyond = (0, across * self.side - padded.shape[3], 0, down * self.side - padded.shape[2])
        return functional.pixel_unshuffle(
            functional.pad(padded, beyond, mode="replicate"), self.side
        )


def _least_squares(
    inputs: Float64[Tensor, "n cells d"], targets: Float64[Tensor, "n cells pixels"]
) -> tuple[Float64[Tensor, "d pixels"], Float64[Tensor, " pixels"]]:
    """Weight and bias, with the penalty that is best for images held back."""
    held = torch.arange(len(inputs)) % _HELD == _HELD - 1
    best = _PENALTIES[-1]
    if held.any():
        fits = _fits(inputs[~held], targets[~held], _PENALTIES)
        errors = [
            float((inputs[held] @ weight + bias - targets[held]).square().mean())
            for weight, bias in fits
        ]
        best = _PENALTIES[errors.index(min(errors))]
    ((weight, bias),) = _fits(inputs, targets, (best,))
    return weight, bias


def _fits(
    inputs: Float64[Tensor, "n cells d"],
    targets: Float64[Tensor, "n cells pixels"],
    penalties: tuple[float, ...],
) -> list[tuple[Float64[Tensor, "d pixels"], Float64[Tensor, " pixels"]]]:
    rows, wanted = inputs.flatten(0, 1), targets.flatten(0, 1)
    middle, bias = rows.mean(0), wanted.mean(0)
    rows, wanted = rows - middle, wanted - bias
    values, vectors = eigenvectors(rows.T @ rows / len(rows))
    turned = vectors.T @ (rows.T @ wanted) / len(rows)
    weights = [vectors @ (turned / (values.clamp(min=0) + one)[:, None]) for one in penalties]
    return [(weight, bias - middle @ weight) for weight in weights]
