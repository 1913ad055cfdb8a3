"""Between the deepest map and the code: one linear map of everything, or one a cell.

A code of cells has the same weights in every cell. A few hundred images teach them enough; a dense
layer learns those images by heart, and rebuilds others worse than principal components do.
"""

import math
from typing import Annotated, Literal, final

import torch.nn.functional as functional
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

_SMALL = 32  # pixels a side

# None is said by models that were saved while images of more than 32 px had four cells a side.
CodeCells = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=1, le=32)] | None,
    Field(
        description="most cells a side among which the code is shared; 1: a dense code; auto: 1 up "
        "to 32 px, else 2; null: 1 up to 32 px, else 4",
    ),
]


def most_cells(asked: CodeCells, image_shape: tuple[int, int, int]) -> int:
    """Most cells a side for images of this shape.

    Small images are often many and centred, and then one map of everything is best: eight
    components of each 8x8 pixels of Fashion-MNIST lose 0.016, 128 of the whole image 0.007. Of 216
    larger photographs, components of quarters rebuild others better than those of the whole or of
    smaller cells: 128 numbers for 64 px lose 0.0040, one cell 0.0053, four cells a side 0.0044.
    """
    if isinstance(asked, int):
        return asked
    if min(image_shape[1:]) <= _SMALL:
        return 1
    return 2 if asked == "auto" else 4


def code_cells(sides: tuple[int, int], *, latent_dim: int, most: int) -> tuple[int, int]:
    """Cells down and across: the most a side, up to `most`, among which the code can be shared."""
    for cells in range(most, 1, -1):
        height, width = (math.ceil(side / math.ceil(side / cells)) for side in sides)
        if latent_dim % (height * width) == 0:
            return height, width
    return 1, 1


def to_code(width: int, sides: tuple[int, int], *, latent_dim: int, most: int) -> nn.Module:
    """From a flat map of `width` channels to the code; linear."""
    cells = code_cells(sides, latent_dim=latent_dim, most=most)
    if cells == (1, 1):
        return nn.Linear(width * math.prod(sides), latent_dim)
    return CellsToCode(width, sides, latent_dim=latent_dim, cells=cells)


def from_code(width: int, sides: tuple[int, int], *, latent_dim: int, most: int) -> nn.Module:
    """From the code to a flat map of `width` channels; linear."""
    cells = code_cells(sides, latent_dim=latent_dim, most=most)
    if cells == (1, 1):
        return nn.Linear(latent_dim, width * math.prod(sides))
    return CodeToCells(width, sides, latent_dim=latent_dim, cells=cells)


@final
class CellsToCode(nn.Module):
    """Each cell of the map becomes latent_dim / cells numbers, with the same weights."""

    def __init__(
        self, width: int, sides: tuple[int, int], *, latent_dim: int, cells: tuple[int, int]
    ) -> None:
        super().__init__()
        self.map_shape, self.cell = (width, *sides), _cell(sides, cells)
        self.linear = nn.Conv2d(width, latent_dim // math.prod(cells), self.cell, self.cell)

    def forward(self, flat: Float[Tensor, "b _"]) -> Float[Tensor, "b d"]:
        (_, height, width), (down, across) = self.map_shape, self.cell
        maps = flat.unflatten(1, self.map_shape)
        maps = functional.pad(maps, (0, -width % across, 0, -height % down))
        return self.linear(maps).flatten(1)


@final
class CodeToCells(nn.Module):
    """The mirror: each cell is painted from its own numbers, with the same weights."""

    def __init__(
        self, width: int, sides: tuple[int, int], *, latent_dim: int, cells: tuple[int, int]
    ) -> None:
        super().__init__()
        self.sides, cell = sides, _cell(sides, cells)
        channels = latent_dim // math.prod(cells)
        self.code_shape, self.cell_shape = (channels, *cells), (width, *cell)
        self.linear = nn.Conv2d(channels, math.prod(self.cell_shape), 1)

    def forward(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b _"]:
        cells = self.linear(latents.unflatten(1, self.code_shape)).unflatten(1, self.cell_shape)
        # b, channel, row and column in the cell, cell down, cell across
        maps = cells.permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)
        return maps[:, :, : self.sides[0], : self.sides[1]].flatten(1)


def _cell(sides: tuple[int, int], cells: tuple[int, int]) -> tuple[int, int]:
    height, width = (math.ceil(side / count) for side, count in zip(sides, cells, strict=True))
    return height, width
