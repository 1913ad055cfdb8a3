"""Principal components in a network, and what the network adds to them."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from ae_cls.autoencoder.contract import build
from ae_cls.autoencoder.parts.principal import PrincipalPath
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.train.task import TrainTask
from tests.autoencoder.variants import digit_rows, table, unit
from tests.composed import described

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> tuple[ImageRows, ImageRows]:
    """Of 600 to learn from, and of 300 others."""
    return digit_rows(0, 600), digit_rows(600, 900)


def flat_unit(rows: ImageRows) -> np.ndarray:
    return to_unit(rows.take(torch.arange(len(rows))), CPU).flatten(1).numpy()


def error(outputs: torch.Tensor, images: torch.Tensor) -> float:
    return float((outputs - images).square().mean())


def test_by_default_conv_rebuilds_better_than_pca_with_a_code_of_its_size(digits):
    train, valid = digits
    description = described("pretrain", "autoencoder=conv", "autoencoder.latent_dim=16")
    assert isinstance(description, Pretraining)
    model = build(description.autoencoder, (1, 8, 8), seed=0)
    description.pretrain.fit(model, TrainTask(train, valid, False, 0, Compute(CPU, "fp32")))
    images = to_unit(valid.take(torch.arange(300)), CPU)
    with torch.inference_mode():
        own = error(model.decode(model.encode(images)), images)
    pca = PCA(16, random_state=0).fit(flat_unit(train))
    flat = images.flatten(1).numpy()
    by_pca = error(torch.from_numpy(pca.inverse_transform(pca.transform(flat))), images.flatten(1))
    assert own < 0.9 * by_pca


def test_one_cell_is_scikit_learns_pca(digits):
    train, valid = digits
    path = PrincipalPath((1, 8, 8), latent_dim=10, cells=(1, 1), cell=(8, 8))
    path.fit(train, seed=0)
    images = to_unit(valid.take(torch.arange(300)), CPU)
    flat = images.flatten(1).numpy()
    pca = PCA(10, random_state=0).fit(flat_unit(train))
    expected = torch.from_numpy(pca.inverse_transform(pca.transform(flat))).view_as(images)
    torch.testing.assert_close(path.decode(path.encode(images)), expected, rtol=0, atol=1e-4)


def test_cells_with_an_axis_for_each_pixel_give_the_image_back():
    rows = table((3, 10, 7), 60)
    path = PrincipalPath((3, 10, 7), latent_dim=6 * 48, cells=(3, 2), cell=(4, 4))
    path.fit(rows, seed=0)
    images = unit(rows)
    assert path.encode(images).shape == (60, 6 * 48)
    torch.testing.assert_close(path.decode(path.encode(images)), images, rtol=0, atol=1e-4)


def test_fewer_images_than_numbers_leave_the_last_numbers_to_the_network():
    path = PrincipalPath((1, 8, 8), latent_dim=32, cells=(1, 1), cell=(8, 8))
    path.fit(table((1, 8, 8), 5), seed=0)
    codes = path.encode(unit(table((1, 8, 8), 9)))
    assert codes[:, :4].abs().amin(0).min() > 0
    assert not codes[:, 5:].any()


def test_an_image_counts_less_the_more_of_it_is_hidden(digits):
    train, valid = digits
    path = PrincipalPath((1, 8, 8), latent_dim=10, cells=(1, 1), cell=(8, 8))
    path.fit(train, seed=0)
    images = to_unit(valid.take(torch.arange(20)), CPU)
    little, much = images.clone(), images.clone()
    little[:, :, 2:4, 2:4], much[:, :, 2:6, 2:6] = 0, 0

    def trust(seen: torch.Tensor) -> torch.Tensor:
        return path.trust(path.encode(seen), images).mean()

    assert torch.equal(path.trust(path.encode(images), images), torch.ones(20, 1, 1, 1))
    assert 0 < trust(much) < trust(little) < 1
