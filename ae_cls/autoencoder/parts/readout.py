"""A linear decoder of what each cell of a map says, found by least squares."""

from typing import final

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, Float64
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from ae_cls.autoencoder.parts.upward import enlargement
from ae_cls.dataset.contract import ImageShape

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
        channels, *cells = map_shape
        # Networks round the sides of a map up or down.
        self.cells = [
            max(count, -(-side // self.side))
            for count, side in zip(cells, image_shape[1:], strict=True)
        ]
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
        sides = [cells * self.side for cells in self.cells]
        found = _least_squares(
            _by_cell(self._standardised(maps) / self.gain),
            _by_cell(functional.pixel_unshuffle(_enlarged(images, sides), self.side)),
        )
        weight = torch.from_numpy(found.coef_)[:, :, None, None]
        self.paint.weight.copy_(weight / self.gain)
        assert self.paint.bias is not None
        self.paint.bias.copy_(torch.from_numpy(found.intercept_))

    def _standardised(self, maps: Float[Tensor, "b _ _ _"]) -> Float[Tensor, "b _ _ _"]:
        return (_enlarged(maps, self.cells) - self.mean) * (self.gain / self.deviation)


def _enlarged(maps: Float[Tensor, "b _ _ _"], sides: list[int]) -> Float[Tensor, "b _ _ _"]:
    """The right and lower edge repeated up to these sides."""
    below, right = (side - size for side, size in zip(sides, maps.shape[2:], strict=True))
    return functional.pad(maps, (0, right, 0, below), mode="replicate")


def _by_cell(maps: Float[Tensor, "b _ _ _"]) -> Float64[np.ndarray, "b cells _"]:
    return maps.movedim(1, 3).flatten(1, 2).double().cpu().numpy()


def _least_squares(
    inputs: Float64[np.ndarray, "n cells d"], targets: Float64[np.ndarray, "n cells pixels"]
) -> Ridge:
    """With the penalty that is best for images held back."""
    held = np.arange(len(inputs)) % _HELD == _HELD - 1
    best = _PENALTIES[-1]
    if held.any():
        rows, wanted = _joined(inputs[held]), _joined(targets[held])
        fits = [_fit(inputs[~held], targets[~held], penalty) for penalty in _PENALTIES]
        errors = [np.square(fit.predict(rows) - wanted).mean() for fit in fits]
        best = _PENALTIES[int(np.argmin(errors))]
    return _fit(inputs, targets, best)


def _fit(
    inputs: Float64[np.ndarray, "n cells d"],
    targets: Float64[np.ndarray, "n cells pixels"],
    penalty: float,
) -> Ridge:
    rows = _joined(inputs)
    return Ridge(alpha=penalty * len(rows)).fit(rows, _joined(targets))


def _joined(cells: Float64[np.ndarray, "n cells d"]) -> Float64[np.ndarray, "rows d"]:
    return cells.reshape(-1, cells.shape[-1])
