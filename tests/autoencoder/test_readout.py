"""A linear decoder of cells: what least squares finds, and what it does for a backbone."""

import pytest
import torch
import torch.nn.functional as functional

from ae_cls.autoencoder.backbone import Backbone, BackboneConfig
from ae_cls.autoencoder.parts.readout import Readout
from ae_cls.dataset.rows import to_unit
from tests.autoencoder.variants import config, digit_rows

PLAIN = ("autoencoder.network=vgg11", "autoencoder.stages=2")


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def error(images: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((images - wanted).square().mean().detach())


def test_it_is_black_until_it_is_fitted() -> None:
    assert not Readout((4, 3, 3), (1, 24, 24))(maps(2, 4, 3, 3)).any()


def test_images_that_are_linear_in_the_cells_are_found_again() -> None:
    seen, paint = 3 + 0.1 * maps(40, 4, 3, 3), maps(2 * 64, 4, 1, 1, seed=1)
    images = functional.pixel_shuffle(functional.conv2d(seen, paint) + 0.5, 8)
    readout = Readout((4, 3, 3), (2, 24, 24))
    readout.fit(seen, images)
    others = 3 + 0.1 * maps(9, 4, 3, 3, seed=2)
    wanted = functional.pixel_shuffle(functional.conv2d(others, paint) + 0.5, 8)
    assert error(readout(others), wanted) < 1e-3 * float(images.var())


def test_of_maps_that_say_nothing_little_is_believed() -> None:
    readout, images = Readout((64, 2, 2), (1, 16, 16)), 0.3 * maps(40, 1, 16, 16)
    readout.fit(maps(40, 64, 2, 2, seed=1), images)
    others = 0.3 * maps(200, 1, 16, 16, seed=2)
    # Without a penalty: 1.5 times the variance and more.
    assert error(readout(maps(200, 64, 2, 2, seed=3)), others) < 1.15 * float(others.var())


def test_channels_that_do_not_vary_do_no_harm() -> None:
    seen = maps(20, 4, 2, 2)
    seen[:, 1] = 7
    readout = Readout((4, 2, 2), (1, 16, 16))
    readout.fit(seen, maps(20, 1, 16, 16, seed=1))
    assert torch.isfinite(readout(seen)).all()


@pytest.mark.parametrize(
    ("map_shape", "sides"),
    [((4, 7, 4), (225, 130)), ((4, 1, 1), (31, 30)), ((4, 8, 2), (250, 33)), ((4, 2, 2), (28, 28))],
)
def test_images_whose_sides_are_no_multiple_of_a_cell_are_painted_whole(
    map_shape: tuple[int, int, int], sides: tuple[int, int]
) -> None:
    readout, images = Readout(map_shape, (1, *sides)), maps(8, 1, *sides).sigmoid()
    readout.fit(maps(8, *map_shape), images)
    assert readout(maps(2, *map_shape)).shape == (2, 1, *sides)


def test_a_drawn_backbone_rebuilds_digits_before_its_first_step() -> None:
    torch.manual_seed(0)
    model = config("backbone", *PLAIN).build((1, 8, 8))
    assert isinstance(model, Backbone)
    images = digit_rows()
    model.fit_closed_form(images, seed=0)
    model.eval()
    pixels = to_unit(images.take(torch.arange(1, len(images), 7)), torch.device("cpu"))
    with torch.no_grad():
        rebuilt = model.decode(model.encode(pixels))
    assert error(rebuilt, pixels) < error(pixels.mean(0), pixels) / 3


def rank(codes: torch.Tensor) -> float:
    """How many directions codes differ in: the exponential of the entropy of their variances."""
    shares = torch.linalg.svdvals((codes - codes.mean(0)).double()).square()
    shares = shares / shares.sum()
    return float(torch.exp(-(shares * shares.clamp_min(1e-30).log()).sum()))


@torch.no_grad()
def test_drawn_layers_without_norms_are_scaled_to_the_images() -> None:
    torch.manual_seed(0)
    model = config("backbone", "autoencoder.network=vgg11").build((1, 8, 8)).eval()
    assert isinstance(model, Backbone)
    pixels = to_unit(digit_rows(0, 200).take(torch.arange(200)), torch.device("cpu"))
    before = rank(model.encode(pixels))
    model.fit_scales(digit_rows(0, 200))
    assert rank(model.encode(pixels)) > 2 * before
    outputs = model.trunk.layers[0](model.trunk._normed(pixels))
    assert outputs.mean((0, 2, 3)).abs().max() < 0.1
    assert (outputs.std((0, 2, 3)) - 1).abs().max() < 0.1


@pytest.mark.parametrize("words", [["autoencoder.network=vgg11_bn"], ["autoencoder.readout=false"]])
def test_networks_with_norms_are_not_scaled(words: list[str]) -> None:
    model = config("backbone", *words).build((1, 8, 8))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.fit_scales(digit_rows(0, 20))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("network", ["vgg11", "vgg11_bn", "resnet18"])
@pytest.mark.parametrize("readout", [True, False])
def test_without_batch_norms_the_encoder_learns_slowly(network: str, readout: bool) -> None:
    words = [f"autoencoder.network={network}", f"autoencoder.readout={readout}"]
    model = config("backbone", *words).build((3, 32, 32))
    assert isinstance(model, Backbone)
    rates = {module: rate for modules, rate in model.rates() for module in modules}
    assert rates.get(model.trunk, rates.get(model)) == (0.01 if network == "vgg11" else 1)
    trained = [p for modules, _ in model.rates() for m in modules for p in m.parameters()]
    assert {id(p) for p in trained} == {id(p) for p in model.parameters()}
    assert len(trained) == len(list(model.parameters()))


def test_models_that_were_saved_before_it_existed_have_none() -> None:
    written = config("backbone", *PLAIN).model_dump()
    del written["readout"]
    model = BackboneConfig.model_validate(written).build((1, 8, 8))
    assert not any(name.startswith("readout") for name in model.state_dict())
