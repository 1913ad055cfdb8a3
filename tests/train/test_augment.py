"""Augmentation: per image, in place, and nothing where nothing is asked."""

import pytest
import torch

from ae_cls.draws import Draws
from ae_cls.train.augment import Augment

OFF = {"flip": False, "shift": 0.0, "scale": 0.0, "brightness": 0.0, "erase": 0.0}
CHANGES = [
    {"flip": True}, {"shift": 0.2}, {"scale": 0.3}, {"brightness": 0.3}, {"erase": 1.0},
    {"rotate": 30.0}, {"shear": 0.3},
]  # fmt: skip


def draws(count: int, epoch: int = 0) -> Draws:
    return Draws(2, epoch, torch.arange(count))


def images(count: int = 64, shape=(3, 16, 12)) -> torch.Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(0))


def test_nothing_asked_is_nothing_done():
    batch = images()
    assert Augment(**OFF).apply(batch, draws(64)) is batch


@pytest.mark.parametrize("change", CHANGES)
def test_each_image_changes_by_its_own_draws_in_any_batch(change):
    batch, augment = images(), Augment(**{**OFF, **change})
    whole = augment.apply(batch, draws(64))
    assert whole.shape == batch.shape
    assert whole.min() >= 0
    assert whole.max() <= 1
    part = augment.apply(batch[5:9], Draws(2, 0, torch.arange(5, 9)))
    torch.testing.assert_close(part, whole[5:9])
    assert not torch.equal(whole, augment.apply(batch, draws(64, epoch=1)))
    assert not torch.equal(whole, batch)


def test_a_copy_of_one_image_comes_out_in_many_ways():
    batch = images(1).expand(64, 3, 16, 12)
    moved = Augment(**{**OFF, "flip": True, "shift": 0.2, "scale": 0.1}).apply(batch, draws(64))
    assert len({image.numpy().tobytes() for image in moved}) > 60


def test_a_flip_mirrors_about_half_of_the_images_and_leaves_the_rest():
    batch = images(400)
    flipped = Augment(**{**OFF, "flip": True}).apply(batch, draws(400))
    mirrored = (flipped == batch.flip(3)).flatten(1).all(1)
    same = (flipped == batch).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 150 < int(mirrored.sum()) < 250


def test_a_shift_moves_whole_pixels():
    batch = torch.zeros(200, 1, 20, 20)
    batch[:, :, 10, 10] = 1
    shifted = Augment(**{**OFF, "shift": 0.1}).apply(batch, draws(200))
    torch.testing.assert_close(shifted.amax((1, 2, 3)), torch.ones(200))
    places = {tuple((image[0] > 0.5).nonzero()[0].tolist()) for image in shifted}
    assert places == {(10 + down, 10 + right) for down in range(-2, 3) for right in range(-2, 3)}


def dot(count: int, height: int, width: int, *, up: int) -> torch.Tensor:
    """A soft dot so many pixels above the middle, where bilinear weights find its centre."""
    down, across = torch.arange(height)[:, None], torch.arange(width)[None, :]
    squares = (down - (height - 1) / 2 + up) ** 2 + (across - (width - 1) / 2) ** 2
    return (-squares / 8).exp().expand(count, 1, height, width)


def centres(batch: torch.Tensor) -> torch.Tensor:
    """Of the dots, in pixels up and right of the middle."""
    height, width = batch.shape[2:]
    shares = batch[:, 0] / batch.sum((1, 2, 3))[:, None, None]
    up = (shares.sum(2) * ((height - 1) / 2 - torch.arange(height))).sum(1)
    return torch.stack([up, (shares.sum(1) * (torch.arange(width) - (width - 1) / 2)).sum(1)], 1)


@pytest.mark.parametrize("sides", [(64, 64), (64, 96), (96, 64)])
def test_a_turn_keeps_distances_and_reaches_its_angle_to_both_sides(sides: tuple[int, int]):
    turned = Augment(**{**OFF, "rotate": 40.0}).apply(dot(200, *sides, up=12), draws(200))
    up, right = centres(turned).T
    torch.testing.assert_close(torch.hypot(up, right), torch.full((200,), 12.0), atol=0.1, rtol=0)
    angles = torch.atan2(right, up).rad2deg()
    assert -40.5 < angles.min() < -37 and 37 < angles.max() < 40.5


@pytest.mark.parametrize("sides", [(64, 64), (64, 96), (96, 64)])
def test_a_slant_moves_rows_aside_by_their_height(sides: tuple[int, int]):
    slanted = Augment(**{**OFF, "shear": 0.5}).apply(dot(200, *sides, up=12), draws(200))
    up, right = centres(slanted).T
    torch.testing.assert_close(up, torch.full((200,), 12.0), atol=0.1, rtol=0)
    assert -6.1 < right.min() < -5.6 and 5.6 < right.max() < 6.1


def test_the_data_set_decides_whether_to_flip_where_the_user_does_not():
    undecided = Augment(**{**OFF, "flip": None})
    assert undecided.for_dataset(mirrored_is_same=True).flip is True
    assert undecided.for_dataset(mirrored_is_same=False).flip is False
    assert Augment(**OFF).for_dataset(mirrored_is_same=True).flip is False


def test_erasing_paints_one_rectangle_of_up_to_a_third_of_the_image():
    batch = images(200, (1, 30, 30))
    erased = Augment(**{**OFF, "erase": 0.5}).apply(batch, draws(200))
    changed = (erased != batch)[:, 0]
    untouched = ~changed.flatten(1).any(1)
    assert 70 < int(untouched.sum()) < 130
    for mask in changed[~untouched]:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])
        assert mask.float().mean() < 0.4
