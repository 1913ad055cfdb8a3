"""Typical patches beside a convolutional network's maps."""

import pytest
import torch

from ae_cls.autoencoder.conv import Conv
from ae_cls.autoencoder.kmeans import KmeansConfig
from tests.autoencoder.variants import table, unit, variant

SHAPE = (1, 28, 28)


@pytest.fixture(scope="module")
def model() -> Conv:
    model = variant("conv_kmeans", SHAPE).eval()
    assert isinstance(model, Conv)
    model.fit_closed_form(table(SHAPE, 30), seed=3)
    return model


def test_its_features_are_those_of_kmeans_and_then_those_of_conv(model):
    images = unit(table(SHAPE))
    described = KmeansConfig(name="kmeans", centres=16, patch=None, grid=3, patches=4000)
    kmeans = described.build(SHAPE).eval()
    kmeans.fit_closed_form(table(SHAPE, 30), seed=3)
    nearness, *maps = model.feature_maps(images)
    torch.testing.assert_close(nearness, kmeans.feature_maps(images)[0], rtol=0, atol=1e-6)
    plain = variant("conv", SHAPE).eval().feature_maps(images)
    assert len(maps) == len(plain)
    assert all(torch.equal(own, other) for own, other in zip(maps, plain, strict=True))


def test_nearness_is_exact_where_the_network_computes_in_bf16(model):
    images = unit(table(SHAPE))
    nearness = model.feature_maps(images)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.feature_maps(images)[0], nearness)


def test_the_deepest_map_is_the_networks(model):
    images = unit(table(SHAPE))
    assert torch.equal(model.feature_maps(images)[-1], model.trunk(images)[-1])


def test_the_deepest_map_alone_asks_for_no_nearness(model, monkeypatch):
    images = unit(table(SHAPE))
    deepest = model.feature_maps(images)[-1]
    monkeypatch.setattr(model.patches, "feature_maps", None)
    assert torch.equal(model.deepest_map(images), deepest)
