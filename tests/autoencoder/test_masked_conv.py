"""What is hidden changes nothing that is visible, and only what is hidden is predicted."""

import pytest
import torch
from torch import nn

from ae_cls.autoencoder.masked_conv import MaskedConv
from ae_cls.autoencoder.parts.visible import group_normed, visible_cells, visible_maps
from ae_cls.errors import UsageError
from tests.autoencoder.variants import SHAPES, config, draws, table, unit, variant

TARGETS = ["pixels", "normalised", "hog", "both"]
OF_EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES)


def masked(shape=(1, 28, 28), *words: str) -> MaskedConv:
    model = variant("masked_conv", shape, words=words).eval()
    assert isinstance(model, MaskedConv)
    return model


def seen_by(
    model: MaskedConv, images: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images without hidden cells, which cells are visible, and which pixels are hidden."""
    seen = model.corruption.apply(images, draws(len(images)))
    visible = visible_cells(seen.hidden, images, model.trunk.stride)
    return seen.images, visible, seen.hidden


@OF_EACH_SHAPE
def test_hidden_pixels_change_no_map_by_a_bit(shape):
    model, images = masked(shape), unit(table(shape, 4))
    _, visible, hidden = seen_by(model, images)
    assert 0 < visible.mean() < 1
    other = torch.where(hidden.bool(), 1 - images.flip(0), images)
    assert not torch.equal(other, images)
    for one, two in zip(
        visible_maps(model.trunk, images, visible),
        visible_maps(model.trunk, other, visible),
        strict=True,
    ):
        assert one.abs().sum() > 0
        assert torch.equal(one, two)


def test_visible_pixels_do_change_the_maps():
    model, images = masked(), unit(table((1, 28, 28), 4))
    _, visible, hidden = seen_by(model, images)
    other = torch.where(hidden.bool(), images, 1 - images)
    one, two = (visible_maps(model.trunk, some, visible)[-1] for some in (images, other))
    assert not torch.equal(one, two)


@OF_EACH_SHAPE
def test_hidden_cells_are_0_in_every_map(shape):
    model, images = masked(shape), unit(table(shape, 4))
    _, visible, _ = seen_by(model, images)
    for maps in visible_maps(model.trunk, images, visible):
        times = maps.shape[2] // visible.shape[2]
        hidden = 1 - visible.repeat_interleave(times, 2).repeat_interleave(times, 3)
        assert (maps * hidden).count_nonzero() == 0


def test_with_nothing_hidden_the_maps_are_those_of_whole_images():
    model, images = masked().double(), unit(table((1, 28, 28), 4)).double()
    everything = torch.ones(4, 1, 7, 7, dtype=torch.float64)
    for seen, whole in zip(
        visible_maps(model.trunk, images, everything), model.feature_maps(images), strict=True
    ):
        torch.testing.assert_close(seen, whole, rtol=0, atol=1e-9)


def test_a_norm_of_visible_cells_is_torchs_of_those_alone():
    norm = nn.GroupNorm(2, 6).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    maps = torch.randn(1, 6, 4, 6, dtype=torch.float64) * 3 + 2
    visible = torch.ones(1, 1, 2, 3, dtype=torch.float64)
    visible[:, :, :, 1] = 0
    shown = visible.repeat_interleave(2, 2).repeat_interleave(2, 3).bool()
    found = group_normed(norm, maps * shown, visible)
    # The visible columns side by side are a smaller map.
    expected = norm(torch.cat([maps[..., :2], maps[..., 4:]], dim=3))
    torch.testing.assert_close(torch.cat([found[..., :2], found[..., 4:]], dim=3), expected)


def test_visible_cells_have_mean_0_and_variance_1_before_weight_and_bias():
    norm, visible = nn.GroupNorm(2, 6), torch.ones(3, 1, 4, 4)
    visible[:, :, 1:3, :] = 0
    maps = (torch.rand(3, 6, 4, 4) * 5 + 100) * visible
    found = group_normed(norm, maps, visible)
    groups = found[visible.bool().expand_as(found)].view(3, 2, -1)
    torch.testing.assert_close(groups.mean(2), torch.zeros(3, 2), rtol=0, atol=1e-4)
    torch.testing.assert_close(groups.var(2, correction=0), torch.ones(3, 2), rtol=0, atol=1e-4)


@pytest.mark.parametrize("target", TARGETS)
def test_visible_cells_cost_nothing(target, monkeypatch):
    """The slope of the loss at what is predicted of them is 0; of the hidden ones it is not."""
    model, images = masked((1, 28, 28), f"autoencoder.target={target}"), unit(table((1, 28, 28)))
    shown, visible, _ = seen_by(model, images)
    maps = model.filled(shown, visible).detach().requires_grad_()
    monkeypatch.setattr(model, "filled", lambda images, visible: maps)
    model.loss(images, draws(24), 0.0).total.backward()
    assert maps.grad is not None
    by_cell = maps.grad.abs().sum(1, keepdim=True)
    assert by_cell[visible.bool()].count_nonzero() == 0
    assert by_cell[~visible.bool()].min() > 0


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.6])
def test_as_many_cells_are_hidden_as_the_ratio_says_and_cells_are_those_of_the_map(ratio):
    model, images = (
        masked((1, 28, 28), f"autoencoder.corruption.ratio={ratio}"),
        torch.ones(24, 1, 28, 28),
    )
    _, visible, hidden = seen_by(model, images)
    assert visible.shape == (24, 1, 7, 7)
    assert ((1 - visible).sum((1, 2, 3)) == round(49 * ratio)).all()
    assert torch.equal(visible.repeat_interleave(4, 2).repeat_interleave(4, 3), 1 - hidden)


@pytest.mark.parametrize("target", TARGETS)
def test_the_terms_say_what_is_predicted(target):
    terms = (
        masked((1, 8, 8), f"autoencoder.target={target}")
        .loss(unit(table((1, 8, 8))), draws(24), 0.0)
        .terms
    )
    beside = {"hog": {"hog"}, "both": {"cells", "hog"}}.get(target, {"cells"})
    assert set(terms) == {"mse"} | beside


@OF_EACH_SHAPE
@pytest.mark.parametrize("target", TARGETS)
def test_gradients_reach_every_weight_and_the_loss_falls(target, shape):
    model, images = masked(shape, f"autoencoder.target={target}").train(), unit(table(shape, 8))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    totals = []
    for _ in range(12):
        loss = model.loss(images, draws(8), 0.0)
        optimiser.zero_grad()
        loss.total.backward()
        assert not [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        optimiser.step()
        totals.append(loss.total.item())
    assert totals[-1] < 0.9 * totals[0]


def test_the_slope_of_the_hidden_cells_is_that_of_finite_differences():
    model, images = masked((1, 8, 8)).double(), unit(table((1, 8, 8), 4)).double()
    weight = model.trunk.stages[0][0].weight

    def of_cells() -> torch.Tensor:
        loss = model.loss(images, draws(4), 0.0)
        return loss.total - loss.terms["mse"]

    slopes = torch.autograd.grad(of_cells(), weight)[0]
    place = tuple(int(i) for i in (slopes.abs() == slopes.abs().max()).nonzero()[0])
    errors = []
    with torch.no_grad():
        for step in (1e-6, -1e-6):
            weight[place] += step
            errors.append(float(of_cells()))
            weight[place] -= step
    assert (errors[0] - errors[1]) / 2e-6 == pytest.approx(float(slopes[place]), rel=1e-4)


def test_pixels_of_whole_images_teach_the_code_but_not_the_maps():
    model, images = masked().train(), unit(table((1, 28, 28)))
    first = model.trunk.stages[0][0].weight

    def slope() -> torch.Tensor:
        return torch.autograd.grad(model.loss(images, draws(24), 0.0).total, first)[0]

    before = slope()
    nn.init.zeros_(model.to_latent.weight)  # other images are rebuilt now
    torch.testing.assert_close(slope(), before)


def test_cells_that_cut_those_of_the_map_are_refused_with_the_fix():
    with pytest.raises(UsageError) as refusal:
        config("masked_conv", "autoencoder.corruption.cell=6").build((1, 28, 28))
    assert refusal.value.where == "autoencoder.corruption.cell"
    assert "multiple of 4" in refusal.value.fix
    assert isinstance(
        config("masked_conv", "autoencoder.corruption.cell=8").build((1, 28, 28)), MaskedConv
    )
