"""Local binary patterns against scikit-image, and what they do not depend on."""

import numpy as np
import pytest
import torch
from skimage.feature import local_binary_pattern

from ae_cls.autoencoder.lbp import Lbp, LbpConfig, _kinds
from ae_cls.dataset.contract import ImageShape
from ae_cls.errors import UsageError
from tests.autoencoder.variants import table, unit


def built(shape: ImageShape, *radii: int, grid: int = 2) -> Lbp:
    model = LbpConfig(name="lbp", radii=radii, grid=grid).build(shape)
    assert isinstance(model, Lbp)
    return model.eval()


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_pixels_are_of_one_kind_when_scikit_image_says_so(radius):
    image = torch.randint(0, 256, (60, 50), generator=torch.Generator().manual_seed(radius))
    ours = _kinds(image[None].float() / 255, radius)[0].numpy()
    inner = slice(radius, -radius)
    theirs = local_binary_pattern(image.numpy(), 8, radius, "nri_uniform")[inner, inner]
    pairs = set(zip(ours.ravel(), theirs.ravel(), strict=True))
    assert len(pairs) == len(set(ours.ravel())) == len(set(theirs.ravel())) > 40


def test_codes_are_roots_of_shares_of_each_cell_and_of_the_image():
    images = unit(table((3, 19, 17)))
    model = built((3, 19, 17), 1, 2, grid=3)
    cells, whole = model.feature_maps(images)
    assert cells.shape == (24, 3 * 2 * 59, 3, 3) and whole.shape == (24, 3 * 2 * 59, 1, 1)
    for shares in (cells, whole):
        sums = shares.unflatten(1, (6, 59)).sum(2)
        torch.testing.assert_close(sums, torch.ones_like(sums))
    codes = model.encode(images)
    assert torch.equal(codes, torch.cat([cells.flatten(1), whole.flatten(1)], 1).sqrt())


def test_counts_are_those_of_numpy_in_each_cell():
    images = unit(table((1, 13, 12), 3))
    kinds = _kinds(images[:, 0], 1).numpy()  # 11 x 10
    cells, _ = built((1, 13, 12), 1).feature_maps(images)
    for number, (rows, columns) in enumerate(np.ndindex(2, 2)):
        part = kinds[:, [slice(0, 6), slice(6, 11)][rows], [slice(0, 5), slice(5, 10)][columns]]
        for image, expected in zip(part, cells.flatten(2)[:, :, number], strict=True):
            shares = np.bincount(image.ravel(), minlength=59) / image.size
            assert expected.numpy() == pytest.approx(shares, abs=1e-6)


def test_patterns_do_not_depend_on_exposure():
    # Few levels, so that no difference lies near the one that is taken for rounding.
    images = (16 * unit(table((3, 32, 32)))).floor() / 16
    model = built((3, 32, 32), 1, 2)
    assert torch.equal(model.encode(images), model.encode(0.5 * images + 0.25))


def test_a_flat_image_has_one_kind_of_pattern():
    (kind,) = _kinds(torch.full((1, 9, 9), 0.3), 2).unique().tolist()
    assert kind == 57  # all neighbours as bright: the last of the uniform ones


def test_circles_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="8 pixels are too few") as refused:
        built((1, 8, 8), 4)
    assert "autoencoder.radii=[1] autoencoder.grid=1" in refused.value.fix
