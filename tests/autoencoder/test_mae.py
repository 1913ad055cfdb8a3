"""What is hidden stays hidden, what is shuffled comes back, and the target is what it says."""

import pytest
import torch

from ae_cls.autoencoder.mae import Mae
from ae_cls.autoencoder.parts.cells import normalised
from ae_cls.autoencoder.parts.patches import patchify, unpatchify
from tests.autoencoder.variants import SHAPES, config, draws, table, unit, variant


def mae(shape=(1, 28, 28), *words: str) -> Mae:
    model = variant("mae", shape, words=words).eval()
    assert isinstance(model, Mae)
    return model


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [2, 4, 5])
def test_patches_become_the_image_again(shape, side):
    images = unit(table(shape, 3))
    patches = patchify(images, side)
    assert torch.equal(patches[:, 0], images[:, :, :side, :side].flatten(1))
    assert torch.equal(unpatchify(patches, shape, side), images)


@pytest.mark.parametrize(
    ("shape", "patch", "count"),
    [((1, 8, 8), 2, 16), ((1, 28, 28), 4, 49), ((3, 32, 32), 4, 64), ((3, 96, 96), 8, 144)],
)
def test_patches_follow_the_size_of_the_image(shape, patch, count):
    model = mae(shape)
    assert model.patch == patch
    assert model.encoder_positions.shape[0] == count == model.sides[0] * model.sides[1]


@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.75, 0.9])
def test_exactly_as_many_patches_are_visible_as_the_ratio_says(ratio):
    model = config("mae", f"autoencoder.ratio={ratio}").build((1, 28, 28))
    assert isinstance(model, Mae)
    visible, hidden = model.split(draws(24))
    assert visible.shape == (24, int(49 * (1 - ratio)))
    everything = torch.cat([visible, hidden], dim=1).sort(dim=1).values
    assert torch.equal(everything, torch.arange(49).expand(24, -1))
    assert len({tuple(row) for row in visible.tolist()}) == 24
    assert not torch.equal(visible, model.split(draws(24, epoch=1))[0])


def test_hidden_pixels_do_not_change_a_bit_of_the_tokens():
    model, images = mae(), unit(table((1, 28, 28)))
    visible, hidden = model.split(draws(24))
    patches, other = patchify(images, 4), patchify(images, 4)
    other.scatter_(1, hidden[:, :, None].expand(-1, -1, 16), 0.7)
    assert not torch.equal(patches, other)
    assert torch.equal(model.tokens(patches, visible), model.tokens(other, visible))
    seen = patchify(model.corrupted(images, draws(24)), 4)
    assert torch.equal(model.tokens(seen, visible), model.tokens(patches, visible))


def test_with_nothing_hidden_the_order_of_the_patches_does_not_matter():
    model, images = mae(), unit(table((1, 28, 28), 4))
    patches, order = patchify(images, 4), torch.randperm(49).expand(4, -1)
    shuffled = model.tokens(patches, order)
    restored = torch.empty_like(shuffled).scatter(1, order[:, :, None].expand(-1, -1, 64), shuffled)
    plain = model.feature_maps(images)[-1].flatten(2).transpose(1, 2)
    torch.testing.assert_close(restored, plain, rtol=0, atol=1e-5)
    torch.testing.assert_close(model.encode(images), plain.mean(1), rtol=0, atol=1e-6)
    in_order = torch.arange(49).expand(4, -1)
    torch.testing.assert_close(
        model.predicted(shuffled, order), model.predicted(plain, in_order), rtol=0, atol=1e-4
    )


def test_a_prediction_that_is_the_target_costs_nothing(monkeypatch):
    model, images = mae((3, 32, 32)), unit(table((3, 32, 32)))
    patches = patchify(images, 4)
    targets = normalised(patches, dim=2)
    monkeypatch.setattr(model, "predicted", lambda tokens, visible: targets)
    assert float(model.error_of_hidden(images, draws(24))) == 0
    # All patches moved by 1 cost 1, the visible ones alone nothing.
    monkeypatch.setattr(model, "predicted", lambda tokens, visible: targets + 1)
    assert float(model.error_of_hidden(images, draws(24))) == pytest.approx(1)
    visible, _ = model.split(draws(24))
    moved = targets.scatter_add(1, visible[:, :, None].expand(-1, -1, 48), torch.ones_like(targets))
    monkeypatch.setattr(model, "predicted", lambda tokens, visible: moved)
    assert float(model.error_of_hidden(images, draws(24))) == 0


def test_where_nothing_is_hidden_the_pixels_alone_cost_something():
    model = mae((1, 28, 28), "autoencoder.ratio=0.0")
    loss = model.loss(unit(table((1, 28, 28))), draws(24), 0.0)
    assert float(loss.terms["hidden"]) == 0
    assert float(loss.total.detach()) == float(loss.terms["mse"]) > 0


def test_the_slope_of_the_hidden_patches_is_that_of_finite_differences():
    model, images = mae((1, 8, 8)).double(), unit(table((1, 8, 8), 4)).double()
    weight = model.blocks[0].to_queries_keys_values.weight
    slopes = torch.autograd.grad(model.loss(images, draws(4), 0.0).total, weight)[0]
    place = tuple(int(i) for i in (slopes.abs() == slopes.abs().max()).nonzero()[0])
    errors = []
    for step in (1e-5, -1e-5):
        moved = weight.detach().clone()
        moved[place] += step
        with torch.no_grad():
            weight.copy_(moved)
            errors.append(float(model.error_of_hidden(images, draws(4))))
            moved[place] -= step
            weight.copy_(moved)
    assert (errors[0] - errors[1]) / 2e-5 == pytest.approx(float(slopes[place]), rel=1e-5)


def test_the_pixels_teach_the_painter_alone():
    model, images = mae().train(), unit(table((1, 28, 28)))
    model.ratio = 0.0
    model.loss(images, draws(24), 0.0).total.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.painter.parameters())
    layers = torch.nn.ModuleList(model.encoder_layers())
    assert not any(p.grad is not None and p.grad.any() for p in layers.parameters())


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_reach_every_weight_and_the_loss_falls(shape):
    model, images = mae(shape).train(), unit(table(shape, 8))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    errors = []
    for _ in range(12):
        loss = model.loss(images, draws(8), 0.0)
        optimiser.zero_grad()
        loss.total.backward()
        assert not [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        optimiser.step()
        errors.append(float(loss.terms["hidden"]))
    assert errors[-1] < 0.95 * errors[0]


def test_tokens_of_the_same_patch_differ_by_where_it_stands():
    model = mae()
    flat = model.encoder_positions
    assert torch.cdist(flat, flat).fill_diagonal_(9).min() > 0.1


def test_a_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(Exception, match="multiple of 4 and of heads=5"):
        config("mae", "autoencoder.heads=5")
