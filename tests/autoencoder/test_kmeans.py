"""Patches and centres against plain loops, closed forms and scikit-learn."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.cluster import KMeans

from ae_cls.autoencoder import kmeans
from ae_cls.autoencoder.kmeans import Kmeans, KmeansConfig, whitening_of, windows_of
from ae_cls.autoencoder.parts.lloyd import PASSES, lloyd
from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.errors import UsageError
from tests.autoencoder.variants import digit_rows, table, unit


def built(shape: ImageShape, **settings: int) -> Kmeans:
    given = {"centres": 12, "patch": None, "grid": 2, "patches": 2000, **settings}
    model = KmeansConfig.model_validate({"name": "kmeans", **given}).build(shape)
    assert isinstance(model, Kmeans)
    return model.eval()


@pytest.fixture(scope="module")
def digits() -> ImageRows:
    return digit_rows()


@pytest.fixture(scope="module")
def fitted(digits: ImageRows) -> Kmeans:
    model = built((1, 8, 8))
    model.fit_closed_form(digits, seed=0)
    return model


def test_there_is_a_window_for_each_place_in_which_a_patch_fits():
    images = torch.rand(2, 3, 7, 9)
    windows = windows_of(images, 4)
    assert windows.shape == (2, 4, 6, 3, 4, 4)
    assert torch.equal(windows[1, 2, 5], images[1, :, 2:6, 5:9])


def test_the_covariance_of_whitened_patches_is_that_of_regularised_zca():
    """V L / (L + 0.1) V' of the covariance V L V'."""
    mixing = torch.rand(9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    patches = torch.randn(500, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    patches = patches @ mixing + 3
    mean, whitening = whitening_of(patches)
    whitened = ((patches - mean) @ whitening).numpy()
    values, axes = np.linalg.eigh(np.cov(patches.numpy().T, bias=True))
    expected = axes * (values / (values + 0.1)) @ axes.T
    assert np.cov(whitened.T, bias=True) == pytest.approx(expected, abs=1e-12)
    assert whitened.mean(0) == pytest.approx(np.zeros(9), abs=1e-12)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 11, 10)])
def test_codes_are_those_of_a_plain_loop_over_patches(shape, monkeypatch):
    model, rows = built(shape), table(shape, 5)
    model.fit_closed_form(rows, seed=0)
    model = model.double()
    monkeypatch.setattr(kmeans, "AT_ONCE", 1000)  # an image or two at a time
    images, mean = unit(rows).double().numpy(), model.mean.numpy()
    side, (height, width) = model.patch, shape[1:]
    for image, code in zip(images, model.encode(torch.from_numpy(images)), strict=True):
        nearness = np.zeros((height - side + 1, width - side + 1, 12))
        for down, across in np.ndindex(nearness.shape[:2]):
            patch = image[:, down : down + side, across : across + side].ravel()
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + 10 / 255**2)
            whitened = (patch - mean) @ model.whitening.numpy()
            distances = np.linalg.norm(whitened - model.centres.numpy(), axis=1)
            nearness[down, across] = np.maximum(0, distances.mean() - distances)
        halves = [
            [slice(0, -(-places // 2)), slice(places // 2, places)] for places in nearness.shape[:2]
        ]
        cells = [nearness[down, across].mean((0, 1)) for down in halves[0] for across in halves[1]]
        expected = np.sqrt(np.stack(cells, axis=1)).ravel()
        assert code.numpy() == pytest.approx(expected, abs=1e-7)


def test_about_half_of_the_centres_are_farther_than_the_mean(digits, fitted):
    nearness = fitted._triangles(unit(digits)[:200])
    assert nearness.min() == 0
    assert 0.4 < (nearness == 0).float().mean() < 0.6


def test_lloyds_algorithm_is_that_of_scikit_learn():
    points = torch.randn(3000, 5, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(3000, generator=torch.Generator().manual_seed(7))
    reference = KMeans(8, init=points[order[:8]].numpy(), n_init=1, max_iter=PASSES, tol=0).fit(
        points.numpy()
    )
    assert reference.n_iter_ == PASSES  # neither had ended before
    centres = lloyd(points, 8, torch.Generator().manual_seed(7))
    assert centres.numpy() == pytest.approx(reference.cluster_centers_, abs=1e-4)


def test_a_centre_that_nobody_is_nearest_to_moves_to_a_patch():
    places = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]])
    points = torch.cat([places[:1].expand(30, 2), places.repeat(30, 1)])
    centres = lloyd(points, 4, torch.Generator().manual_seed(0))
    assert sorted(map(tuple, centres.tolist())) == sorted(map(tuple, places.tolist()))


def test_what_is_learnt_follows_from_the_seed_and_leaves_torchs_generator_alone(digits):
    before = torch.get_rng_state()
    models = [built((1, 8, 8)) for _ in range(3)]
    torch.set_rng_state(before)
    for model, seed in zip(models, (0, 0, 1), strict=True):
        model.fit_closed_form(digits, seed)
    assert torch.equal(torch.get_rng_state(), before)
    first, again, other = (model.centres for model in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_images_without_contrast_give_finite_codes():
    rows = ImageRows(torch.full((3, 1, 8, 8), 77, dtype=torch.uint8), np.arange(3))
    model = built((1, 8, 8))
    model.fit_closed_form(rows, seed=0)
    assert torch.isfinite(model.encode(unit(rows))).all()


@pytest.mark.parametrize(("side", "patch"), [(8, 3), (28, 6), (32, 6), (64, 8), (96, 8)])
def test_the_patch_follows_the_image(side, patch):
    assert built((1, side, side)).patch == patch


def test_a_patch_that_is_larger_than_the_image_is_refused():
    with pytest.raises(UsageError, match="patches of 9 pixels") as refused:
        built((1, 8, 8), patch=9)
    assert "autoencoder.patch=8 or less" in refused.value.fix


def test_fewer_patches_than_centres_are_refused():
    with pytest.raises(ValidationError, match="at least as many as centres"):
        built((1, 8, 8), patches=11)
