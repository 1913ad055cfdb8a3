"""Codes of cells."""

import pytest
import torch

from ae_cls.autoencoder.parts.code import (
    CellsToCode,
    CodeToCells,
    code_cells,
    from_code,
    most_cells,
    to_code,
)
from tests.autoencoder.variants import variant


@pytest.mark.parametrize(
    ("sides", "latent_dim", "cells"),
    [
        ((7, 7), 128, (4, 4)),
        ((16, 16), 128, (4, 4)),
        ((2, 2), 128, (2, 2)),
        ((16, 16), 100, (2, 2)),
        ((9, 9), 18, (3, 3)),
        ((7, 7), 10, (1, 1)),
        ((8, 40), 16, (4, 4)),
    ],
)
def test_a_code_is_shared_among_as_many_cells_as_divide_it(sides, latent_dim, cells):
    assert code_cells(sides, latent_dim=latent_dim, most=4) == cells


@pytest.mark.parametrize(
    ("asked", "side", "cells"),
    [("auto", 32, 1), ("auto", 33, 2), ("auto", 224, 2), (None, 32, 1), (None, 33, 4), (3, 28, 3)],
)
def test_large_images_have_two_cells_a_side_and_had_four_in_earlier_models(asked, side, cells):
    assert most_cells(asked, (3, side, side + 5)) == cells


def test_one_cell_is_the_dense_layer_of_models_that_were_saved_before():
    encoder = to_code(8, (7, 7), latent_dim=16, most=1)
    decoder = from_code(8, (7, 7), latent_dim=16, most=1)
    assert isinstance(encoder, torch.nn.Linear) and isinstance(decoder, torch.nn.Linear)


@pytest.mark.parametrize("sides", [(2, 2), (7, 7), (8, 8), (10, 7), (5, 16)])
def test_a_cell_is_rebuilt_where_it_was(sides):
    encoder = to_code(3, sides, latent_dim=3 * 400, most=4)
    decoder = from_code(3, sides, latent_dim=3 * 400, most=4)
    assert isinstance(encoder, CellsToCode) and isinstance(decoder, CodeToCells)
    maps = torch.rand(2, 3, *sides)
    with torch.no_grad():
        # Weights that copy: a number of the code for each place in a cell.
        size = decoder.cell_shape[0] * encoder.cell[0] * encoder.cell[1]
        torch.nn.init.zeros_(encoder.linear.weight)
        torch.nn.init.zeros_(decoder.linear.weight)
        torch.nn.init.zeros_(encoder.linear.bias)
        torch.nn.init.zeros_(decoder.linear.bias)
        encoder.linear.weight[:size] = torch.eye(size).unflatten(1, decoder.cell_shape)
        decoder.linear.weight[:, :size] = torch.eye(size)[:, :, None, None]
    assert torch.equal(decoder(encoder(maps.flatten(1))).unflatten(1, (3, *sides)), maps)


def test_moving_an_image_by_a_cell_moves_its_code():
    model = variant("conv", (3, 64, 64), words=["autoencoder.code_cells=4"]).eval()
    assert isinstance(model.to_latent, CellsToCode)
    images = torch.zeros(1, 3, 64, 64)
    images[:, :, 20:28, 20:28] = 1
    moved = images.roll((16, 16), (2, 3))
    codes, other = (model.encode(x).view(-1, 4, 4) for x in (images, moved))
    torch.testing.assert_close(codes[:, 1, 1], other[:, 2, 2])
