import numpy as np
import pytest

from ae_cls.evaluate.reconstruction import Reconstruction, SquaredError, psnr


def reconstruction_error(outputs: np.ndarray, images: np.ndarray) -> Reconstruction:
    mean_image = SquaredError().add(np.zeros_like(images), images)
    return SquaredError().add(outputs, images).metrics(mean_image)


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(7, 3, 4, 5)).astype(np.float32)


def test_reconstruction_error_is_the_mean_over_all_values() -> None:
    expected = float(((images(0).astype(np.float64) - images(1)) ** 2).mean())
    found = reconstruction_error(images(0), images(1))
    assert found["mse"] == pytest.approx(expected, rel=1e-12)
    assert found["psnr"] == pytest.approx(10 * np.log10(1 / expected), rel=1e-12)


def test_batches_add_up_to_the_whole() -> None:
    outputs, targets = images(0), images(1)
    summed = SquaredError().add(outputs[:3], targets[:3]).add(outputs[3:], targets[3:])
    assert summed.mse == pytest.approx(reconstruction_error(outputs, targets)["mse"])
    assert summed.values == outputs.size


@pytest.mark.parametrize(("share", "explained"), [(0.0, 0.0), (0.5, 0.75), (1.0, 1.0)])
def test_what_is_explained_is_counted_from_the_mean_image(share: float, explained: float) -> None:
    found = reconstruction_error(images(0) * share, images(0))["explained"]
    assert found == pytest.approx(explained, abs=1e-6)


def test_of_images_that_are_all_alike_nothing_is_left_to_explain() -> None:
    assert (
        reconstruction_error(np.zeros_like(images(0)), np.zeros_like(images(0)))["explained"]
        is None
    )


@pytest.mark.parametrize(("mse", "decibels"), [(1.0, 0.0), (0.1, 10.0), (0.01, 20.0)])
def test_psnr_is_in_decibels_of_a_peak_of_1(mse: float, decibels: float) -> None:
    assert psnr(mse) == pytest.approx(decibels)


def test_a_perfect_copy_has_no_psnr() -> None:
    assert reconstruction_error(images(0), images(0)) == {"mse": 0.0, "psnr": None, "explained": 1}


def test_a_large_split_of_float32_loses_no_digits() -> None:
    outputs = np.full((64, 1, 128, 128), 0.1, dtype=np.float32)
    expected = float(np.float64(np.float32(0.1)) ** 2)
    assert reconstruction_error(outputs, np.zeros_like(outputs))["mse"] == pytest.approx(
        expected, rel=1e-12
    )


def test_no_images_have_no_error() -> None:
    with pytest.raises(AssertionError):
        _ = SquaredError().mse
