"""Features of every option in configs/encode, on every kind of encoder."""

import numpy as np
import pytest
import torch
import torch.nn.functional as functional

from ae_cls.autoencoder.gmvae import GmVae
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows
from ae_cls.encode import EncodeConfig, Encoder
from ae_cls.encode.multiscale import signed_square_root
from ae_cls.encode.pooling import averages, pool
from ae_cls.errors import UsageError
from ae_cls.experiment.descriptions import Classification
from tests.autoencoder.variants import VARIANTS, config, table, unit, variant
from tests.composed import described, options

WAYS = options("encode")
CPU = Compute(torch.device("cpu"), "fp32")


def way(name: str) -> EncodeConfig:
    found = described("classify", "encoder=somewhere", f"encode={name}")
    assert isinstance(found, Classification)
    return found.encode


def with_clusters(name: str) -> str:
    """A variant that it can read."""
    return "gmvae" if way(name).reads_clusters else "conv"


READABLE = [
    (autoencoder, name)
    for autoencoder in VARIANTS
    for name in WAYS
    if config(autoencoder).has_clusters or not way(name).reads_clusters
]


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
@pytest.mark.parametrize(("autoencoder", "name"), READABLE)
def test_features_are_one_row_an_image_and_the_same_each_time(autoencoder, name, shape):
    encoder = Encoder(variant(autoencoder, shape), way(name), CPU)
    images = table(shape, 6)
    features = encoder.features(images)
    assert features.shape[0] == 6
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert np.array_equal(features, encoder.features(images))


@pytest.mark.parametrize("name", WAYS)
def test_features_of_a_row_do_not_depend_on_its_neighbours(name):
    encoder = Encoder(variant(with_clusters(name), (1, 28, 28)), way(name), CPU)
    images = table((1, 28, 28), 6)
    alone = encoder.features(ImageRows(images.images, np.array([4])))
    assert alone[0] == pytest.approx(encoder.features(images)[4], abs=1e-5)


def test_clusters_of_a_variant_that_finds_none_are_refused():
    with pytest.raises(UsageError, match="finds none") as refusal:
        Encoder(variant("conv", (1, 8, 8)), way("assignments"), CPU).features(table((1, 8, 8)))
    assert "autoencoder=gmvae" in refusal.value.fix


def test_encoding_leaves_weights_and_buffers_as_they_were():
    model = variant("conv", (1, 28, 28)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    Encoder(model, way("multiscale"), CPU).features(table((1, 28, 28)))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_latent_features_are_the_code():
    model, images = variant("conv", (1, 28, 28)).eval(), table((1, 28, 28), 4)
    features = Encoder(model, way("latent"), CPU).features(images)
    assert features == pytest.approx(model.encode(unit(images)).detach().numpy(), abs=1e-6)


def test_multiscale_reads_every_stage():
    model = variant("conv", (1, 28, 28))  # widths 16, 32
    features = Encoder(model, way("multiscale"), CPU).features(table((1, 28, 28), 2))
    assert features.shape[1] == (16 + 32) * (9 + 2)


@pytest.mark.parametrize("side", [1, 2, 3, 7, 14])
@pytest.mark.parametrize("grid", [1, 2, 3])
def test_pooling_gives_the_numbers_of_adaptive_average_pooling(side, grid):
    maps = torch.rand(2, 3, side, side + 1)
    cells = (min(grid, side), min(grid, side + 1))
    expected = functional.adaptive_avg_pool2d(maps, cells).flatten(1)
    torch.testing.assert_close(pool(maps, grid), expected)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", ["pooled", "multiscale"])
def test_pooling_of_bf16_maps_rounds_nothing(name, layout, monkeypatch):
    model, images = variant("conv", (1, 28, 28)), torch.zeros(2, 1, 28, 28)
    maps = [torch.rand(2, 4, 7, 6), torch.rand(2, 3, 1, 1)][: 1 + (name == "multiscale")]
    maps = [stage.to(torch.bfloat16, memory_format=layout) for stage in maps]
    monkeypatch.setattr(model, "feature_maps", lambda images: maps)
    with torch.autocast("cpu", torch.bfloat16):
        found = way(name).features(model, images)
    maps = [stage.float() for stage in maps]
    torch.testing.assert_close(found, way(name).features(model, images))


def test_each_cell_is_a_mean():
    assert averages(7, 3).sum(1).tolist() == pytest.approx([1, 1, 1])


def test_the_signed_square_root_keeps_signs_and_has_a_finite_slope_at_0():
    values = torch.tensor([-400.0, -4.0, 0.0, 4.0, 900.0], requires_grad=True)
    roots = signed_square_root(values)
    assert roots.tolist() == pytest.approx([-20, -2, 0, 2, 30], abs=0.1)
    assert roots[1] == -roots[3]
    roots.sum().backward()
    assert torch.isfinite(values.grad).all()
    near_zero = torch.tensor([1e-6], dtype=torch.float64, requires_grad=True)
    signed_square_root(near_zero).sum().backward()
    assert near_zero.grad.item() == pytest.approx(5, rel=1e-3)


@pytest.mark.parametrize("name", WAYS)
def test_features_have_gradients_for_fine_tuning(name):
    model, images = variant(with_clusters(name), (1, 28, 28)), unit(table((1, 28, 28), 4))
    if isinstance(model, GmVae):
        model.mixture.means.normal_()  # at first all clouds are one
    way(name).features(model, images).square().sum().backward()
    first_layer = next(model.encoder_layers()[0].parameters())
    assert first_layer.grad is not None
    assert torch.isfinite(first_layer.grad).all()
    assert first_layer.grad.abs().sum() > 0
