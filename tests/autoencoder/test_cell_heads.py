"""What masked training predicts besides pixels: against a plain loop, and where it looks."""

import math

import numpy as np
import pytest
import torch

from ae_cls.autoencoder.conv import Conv, ConvConfig
from ae_cls.autoencoder.parts.cell_heads import PixelHead
from ae_cls.autoencoder.parts.cells import hog_of_cells, normalised, pixels_of_cells
from ae_cls.autoencoder.parts.directions import histograms
from tests.autoencoder.variants import SHAPES, config, draws, table, unit, variant

TARGETS = ["pixels", "normalised", "hog", "both"]


def conv(target: str, shape: tuple[int, int, int] = (1, 28, 28), *words: str) -> Conv:
    model = variant("conv", shape, words=[f"autoencoder.target={target}", *words])
    assert isinstance(model, Conv)
    return model


def gradient(image: np.ndarray, row: int, column: int) -> tuple[float, float]:
    """Down and across, of the channel where it is longest; none over the edge."""
    down, across = np.gradient(2 * image, axis=1), np.gradient(2 * image, axis=2)
    down[:, [0, -1]] = across[:, :, [0, -1]] = 0
    pairs = zip(down[:, row, column], across[:, row, column], strict=True)
    return max(pairs, key=lambda pair: math.hypot(*pair))


def by_hand(image: np.ndarray, cell: int) -> np.ndarray:
    """Nine directions; a gradient between the centres of two bins counts in both."""
    _, height, width = image.shape
    cells = np.zeros((9, height // cell, width // cell))
    for row in range(height // cell * cell):
        for column in range(width // cell * cell):
            down, across = gradient(image, row, column)
            degrees = math.degrees(math.atan2(down, across)) % 180
            for number in range(9):
                apart = abs(degrees - (20 * number + 10))
                apart = min(apart, 180 - apart) / 20
                share = max(0.0, 1 - apart) * math.hypot(down, across) / cell**2
                cells[number, row // cell, column // cell] += share
    return cells / np.sqrt((cells**2).sum(0) + 0.01**2)


@pytest.mark.parametrize(("shape", "cell"), [((1, 12, 12), 4), ((3, 16, 8), 4), ((2, 12, 6), 2)])
def test_hog_of_cells_is_what_a_plain_loop_counts(shape, cell):
    images = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for image, found in zip(images, hog_of_cells(images, cell), strict=True):
        assert found.numpy() == pytest.approx(by_hand(image.numpy(), cell), abs=1e-12)


def test_float32_images_give_the_same_to_rounding():
    # Not bytes, which would give channels of equal strength.
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    exact = hog_of_cells(images.double(), 4)
    torch.testing.assert_close(hog_of_cells(images, 4).double(), exact, rtol=0, atol=1e-4)


def test_directions_between_two_bins_count_as_much_in_all_as_in_one():
    images = unit(table((3, 32, 32)))
    one, both = (histograms(images, bins=9, cell=4, shared=shared) for shared in (False, True))
    torch.testing.assert_close(one.sum(1), both.sum(1))
    assert not torch.allclose(one, both)


def test_a_flat_cell_has_no_direction():
    assert hog_of_cells(torch.full((1, 3, 8, 8), 0.7), 4).count_nonzero() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_normalised_cells_have_mean_0_and_variance_1(shape):
    images = unit(table(shape, 3))
    cells = pixels_of_cells(images, 4)
    assert torch.equal(cells[:, :, 0, 0], images[:, :, :4, :4].flatten(1))
    found = normalised(cells, dim=1)
    assert found.mean(1).abs().max() < 1e-4
    assert (found.var(1) - cells.var(1) / (cells.var(1) + 1e-6)).abs().max() < 1e-4
    mean, deviation = cells[1, :, 0, 1].mean(), cells[1, :, 0, 1].var().add(1e-6).sqrt()
    torch.testing.assert_close(found[1, :, 0, 1], (cells[1, :, 0, 1] - mean) / deviation)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8)])
def test_a_cell_of_one_colour_is_normalised_to_nothing(shape):
    flat = pixels_of_cells(torch.full((2, *shape), 0.7), 1 if shape[0] == 1 else 4)
    assert normalised(flat, dim=1).abs().max() < 1e-3


@pytest.mark.parametrize("is_normalised", [False, True])
def test_the_pixels_of_a_cell_cost_what_they_differ(is_normalised):
    head, images = (
        PixelHead(5, cell=4, channels=3, normalised=is_normalised),
        unit(table((3, 8, 8))),
    )
    maps, weight = torch.rand(24, 5, 2, 2), torch.zeros(24, 1, 8, 8)
    weight[:, :, :4, 4:] = 0.5
    cell = images[:, :, :4, 4:].flatten(1)
    if is_normalised:
        cell = (cell - cell.mean(1, True)) / (cell.var(1, keepdim=True) + 1e-6).sqrt()
    expected = (head(maps)[:, :, 0, 1] - cell).square().mean()
    torch.testing.assert_close(head.error(maps, images, weight), expected)


@pytest.mark.parametrize("target", TARGETS)
def test_the_terms_say_what_is_predicted(target):
    terms = conv(target).loss(unit(table((1, 28, 28))), draws(24), 1.0).terms
    beside = {"pixels": set(), "normalised": {"cells"}, "hog": {"hog"}, "both": {"hog"}}
    assert set(terms) == {"mse"} | beside[target]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("target", TARGETS)
def test_gradients_reach_every_weight_and_the_loss_falls(target, shape):
    model, images = conv(target, shape).train(), unit(table(shape, 8))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    totals = []
    for step in range(12):
        loss = model.loss(images, draws(8), step / 12)
        optimiser.zero_grad()
        loss.total.backward()
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert not without
        optimiser.step()
        totals.append(loss.total.item())
    assert totals[-1] < 0.9 * totals[0]


@pytest.mark.parametrize("target", ["normalised", "hog"])
def test_with_cells_alone_pixels_teach_the_code_but_not_the_maps(target):
    model, images = conv(target).eval(), unit(table((1, 28, 28)))
    first = model.trunk.stages[0][0].weight

    def slope() -> torch.Tensor:
        return torch.autograd.grad(model.loss(images, draws(24), 1.0).total, first)[0]

    before = slope()
    torch.nn.init.zeros_(model.to_latent.weight)  # other images are rebuilt now
    torch.testing.assert_close(slope(), before)


@pytest.mark.parametrize("target", TARGETS)
def test_codes_are_deterministic_whatever_is_predicted(target):
    model, images = conv(target).eval(), unit(table((1, 28, 28)))
    codes = model.encode(images)
    model.loss(images, draws(24), 1.0)
    assert torch.equal(model.encode(images), codes)


@pytest.mark.parametrize("target", TARGETS)
def test_weights_and_config_come_back(target):
    saved = config("conv", f"autoencoder.target={target}").small()
    again = ConvConfig.model_validate_json(saved.model_dump_json()).build((1, 28, 28)).eval()
    model, images = conv(target).eval(), unit(table((1, 28, 28)))
    again.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(again.encode(images), model.encode(images))


def test_a_model_that_was_saved_without_a_target_had_learnt_pixels():
    old = config("conv").model_dump()
    del old["target"]
    model = ConvConfig.model_validate(old).build((1, 28, 28))
    assert not [name for name in model.state_dict() if name.startswith("hog_head")]


def test_cells_without_weight_cost_nothing():
    """Another picture where the weight is 0 moves no loss; where it is not, it does."""
    model, images = conv("both").eval(), unit(table((1, 28, 28), 4))
    head = model.hog_head
    assert head is not None
    deepest = model.trunk(images)[-1]
    weight = torch.zeros(4, 1, 28, 28)
    weight[:, :, 8:12, 16:20] = 1
    before = head.error(deepest, images, weight)
    # A gradient reads one pixel beyond its cell, so those stay.
    near = torch.zeros(28, 28, dtype=torch.bool)
    near[7:13, 15:21] = True
    assert head.error(deepest, torch.where(near, images, 1 - images.flip(3)), weight) == before
    assert head.error(deepest, torch.where(near, images.flip(1).flip(2), images), weight) != before


def test_with_full_emphasis_hidden_cells_alone_are_predicted():
    words = ("autoencoder.corruption.intact_weight=0", "autoencoder.corruption.share=0.5")
    model, images = conv("both", (1, 28, 28), *words).eval(), unit(table((1, 28, 28)))
    seen = model.corrupted(images, draws(24))
    hidden = torch.nn.functional.avg_pool2d((seen != images).float(), 4).ceil()
    assert model.hog_head is not None
    error = (model.hog_head(model.trunk(seen)[-1]) - hog_of_cells(images, 4)).square().mean(1, True)
    found = model.loss(images, draws(24), 1.0).terms["hog"]
    torch.testing.assert_close(found, ((error * hidden).sum() / hidden.sum()).detach())


@pytest.mark.parametrize("corruption", ["none", "gaussian", "patch_mask"])
def test_with_equal_weights_all_cells_are_predicted(corruption):
    words = (f"autoencoder/corruption={corruption}",)
    model, images = conv("both", (1, 28, 28), *words).eval(), unit(table((1, 28, 28)))
    deepest = model.trunk(model.corrupted(images, draws(24)))[-1]
    assert model.hog_head is not None
    expected = (model.hog_head(deepest) - hog_of_cells(images, 4)).square().mean()
    loss = model.loss(images, draws(24), 1.0)
    torch.testing.assert_close(loss.terms["hog"], expected.detach())
    torch.testing.assert_close(loss.total, loss.terms["mse"] + 10 * expected)
