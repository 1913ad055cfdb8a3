"""Measures of codes and rebuilt images, on cases that can be counted by hand."""

import numpy as np
import pytest

from ae_cls.evaluate.codes import active_units, dead_units, perplexity, saturated


def test_units_that_do_not_differ_between_images_are_dead():
    answers = np.random.default_rng(0).normal(size=(50, 8))
    assert dead_units(answers) == 0
    answers[:, :3] = (0.0, 7.0, -2.0)
    answers[:, 3] *= 1e-3
    assert dead_units(answers) == 0.5
    assert dead_units(np.full((50, 8), 0.3)) == 1


def test_a_unit_is_active_whose_mean_varies_by_more_than_a_hundredth():
    line = np.linspace(-1, 1, 101)[:, None] / np.linspace(-1, 1, 101).std()
    assert active_units(line * np.sqrt([0.0, 0.0099, 0.0101, 1.0])) == 2


def test_perplexity_counts_entries_that_are_chosen_alike():
    assert perplexity(np.array([0, 9, 0])) == pytest.approx(1)
    assert perplexity(np.array([5, 5, 0, 5, 5])) == pytest.approx(4)
    assert 1 < perplexity(np.array([99, 1])) < 1.1


@pytest.mark.parametrize(
    ("output", "image", "counts"),
    [
        (0.0, 0.0, False), (-0.05, 0.0, False), (-0.2, 0.0, True), (0.0, 0.5, True),
        (0.05, 0.5, False), (1.0, 1.0, False), (1.05, 0.95, False), (1.2, 1.0, True),
        (1.0, 0.5, True), (0.5, 0.0, False),
    ],
)  # fmt: skip
def test_a_pixel_is_saturated_beyond_the_range_or_at_a_border_it_is_not_near(output, image, counts):
    outputs, images = (np.full((1, 1, 1, 2), value) for value in (output, image))
    outputs[..., 1] = images[..., 1] = 0.5
    assert saturated(outputs, images).tolist() == [0.5 * counts]
