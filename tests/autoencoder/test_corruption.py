"""Corruption against its definition and against closed forms."""

import numpy as np
import pytest
import torch

from ae_cls.autoencoder.parts.corruption import Gaussian, NoCorruption, PatchMask, SaltPepper
from ae_cls.autoencoder.parts.losses import weighted_mean_squared_error
from ae_cls.draws import Draws


def draws(count: int, epoch: int = 0) -> Draws:
    return Draws(5, epoch, torch.arange(count))


def patch_mask(ratio: float, **weights: float) -> PatchMask:
    weights = {"corrupted_weight": 1.0, "intact_weight": 1.0, **weights}
    return PatchMask(name="patch_mask", ratio=ratio, cell=4, **weights)


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.4, 0.75])
def test_exactly_the_ratio_of_cells_is_hidden_in_each_image(ratio):
    images = torch.ones(50, 3, 28, 28)
    hidden = patch_mask(ratio).apply(images, draws(50)).images == 0
    cells = hidden.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4)
    assert torch.equal(cells.all(-1), cells.any(-1))  # whole cells
    assert torch.equal(hidden.all(1), hidden.any(1))  # all channels alike
    assert set(cells[:, 0].all(-1).sum((1, 2)).tolist()) == {round(ratio * 49)}


def test_a_share_of_the_images_is_masked_and_the_others_are_as_they_are():
    images = torch.ones(4000, 1, 8, 8)
    half = patch_mask(0.4, share=0.5).apply(images, draws(4000)).images
    masked = (half == 0).flatten(1).any(1)
    assert masked.float().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)
    whole = patch_mask(0.4).apply(images, draws(4000)).images
    assert torch.equal(half[masked], whole[masked])
    assert torch.equal(half[~masked], images[~masked])


def test_a_model_that_was_saved_without_a_share_had_masked_all():
    assert patch_mask(0.4).share == 1


def test_cells_that_stick_out_are_cut_at_the_edge():
    images = torch.ones(3, 1, 30, 31)
    assert patch_mask(0.5).apply(images, draws(3)).images.shape == images.shape


def test_a_sample_is_corrupted_alike_in_any_batch_and_anew_each_epoch():
    images = torch.rand(8, 1, 8, 8)
    for corruption in (
        patch_mask(0.5),
        Gaussian(name="gaussian", deviation=0.3),
        SaltPepper(name="salt_pepper", ratio=0.3, corrupted_weight=1.0, intact_weight=1.0),
    ):
        whole = corruption.apply(images, draws(8)).images
        part = corruption.apply(images[5:6], Draws(5, 0, torch.tensor([5]))).images
        assert torch.equal(whole[5:6], part)
        assert not torch.equal(whole, corruption.apply(images, draws(8, epoch=1)).images)
        # Noise for an image, not for a batch.
        assert not torch.equal(whole[0] - images[0], whole[1] - images[1])


def test_salt_and_pepper_are_half_each():
    images = torch.full((200, 1, 28, 28), 0.5)
    corruption = SaltPepper(name="salt_pepper", ratio=0.2, corrupted_weight=1.0, intact_weight=1.0)
    seen = corruption.apply(images, draws(200)).images
    shares = [(seen == value).float().mean().item() for value in (0.0, 1.0)]
    deviation = (0.1 * 0.9 / seen.numel()) ** 0.5
    assert shares == pytest.approx([0.1, 0.1], abs=4 * deviation)


def test_full_emphasis_looks_at_hidden_pixels_alone():
    images = torch.rand(6, 1, 8, 8)
    seen = patch_mask(0.5, corrupted_weight=1.0, intact_weight=0.0).apply(images, draws(6))
    hidden = seen.weight == 1
    output = torch.where(hidden, images, images + 9)  # wrong only where nobody looks
    assert weighted_mean_squared_error(output, images, seen.weight) == 0


def test_equal_weights_are_the_plain_mean():
    output, target = torch.rand(2, 6, 1, 8, 8)
    seen = patch_mask(0.5).apply(target, draws(6))
    torch.testing.assert_close(
        weighted_mean_squared_error(output, target, seen.weight), (output - target).square().mean()
    )


def test_ratio_0_gives_the_bytes_of_no_corruption():
    images = torch.rand(6, 1, 8, 8)
    plain = NoCorruption(name="none").apply(images, draws(6))
    assert torch.equal(patch_mask(0.0).apply(images, draws(6)).images, plain.images)


def test_gaussian_noise_costs_a_linear_map_its_squared_norm():
    """E|x - A(x + n)|^2 = |x - Ax|^2 + s^2 |A|_F^2 (Bishop 1995)."""
    count, deviation = 20_000, 0.3
    generator = torch.Generator().manual_seed(0)
    matrix = torch.rand(16, 16, generator=generator) / 4
    image = torch.rand(1, 1, 4, 4, generator=generator)
    noisy = Gaussian(name="gaussian", deviation=deviation).apply(
        image.expand(count, 1, 4, 4), draws(count)
    )
    flat = image.flatten()
    costs = (flat - noisy.images.flatten(1) @ matrix.T).square().sum(1)
    expected = (flat - matrix @ flat).square().sum() + deviation**2 * matrix.square().sum()
    standard_error = costs.std().item() / np.sqrt(count)
    assert costs.mean().item() == pytest.approx(expected.item(), abs=4 * standard_error)
