"""Settings that do not go with the images are refused with the fix."""

import pytest

from ae_cls.errors import UsageError
from tests.autoencoder.variants import config


@pytest.mark.parametrize("name", ["conv", "vae", "textbook"])
def test_more_stages_than_the_image_can_be_halved(name):
    with pytest.raises(UsageError, match="too small") as refused:
        config(name, "autoencoder.widths=[8,8,8,8]").build((1, 8, 8))
    assert refused.value.code == 2
    assert "fewer widths" in refused.value.fix


def test_more_axes_than_the_image_has_numbers():
    with pytest.raises(UsageError, match="cannot keep 100 axes") as refused:
        config("pca", "autoencoder.latent_dim=100").build((1, 8, 8))
    assert refused.value.fix == "autoencoder.latent_dim=64 or less"


def test_cells_of_which_two_do_not_fit():
    with pytest.raises(UsageError, match="needs 2 cells of 5 pixels") as refused:
        config("hog", "autoencoder.cell=5").build((1, 8, 8))
    assert "autoencoder.cell=4 or less" in refused.value.fix
