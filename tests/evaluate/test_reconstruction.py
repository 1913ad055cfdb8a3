import numpy as np
import pytest

from ae_cls.evaluate import Reconstruction, SquaredError, psnr


def reconstruction_error(outputs: np.ndarray, images: np.ndarray) -> Reconstruction:
    return SquaredError().add(outputs, images).metrics()


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
    assert summed.metrics()["mse"] == pytest.approx(reconstruction_error(outputs, targets)["mse"])
    assert summed.values == outputs.size


@pytest.mark.parametrize(("mse", "decibels"), [(1.0, 0.0), (0.1, 10.0), (0.01, 20.0)])
def test_psnr_is_in_decibels_of_a_peak_of_1(mse: float, decibels: float) -> None:
    assert psnr(mse) == pytest.approx(decibels)


def test_a_perfect_copy_has_no_psnr() -> None:
    assert reconstruction_error(images(0), images(0)) == {"mse": 0.0, "psnr": None}


def test_a_large_split_of_float32_loses_no_digits() -> None:
    outputs = np.full((64, 1, 128, 128), 0.1, dtype=np.float32)
    expected = float(np.float64(np.float32(0.1)) ** 2)
    assert reconstruction_error(outputs, np.zeros_like(outputs))["mse"] == pytest.approx(
        expected, rel=1e-12
    )


def test_no_images_have_no_error() -> None:
    with pytest.raises(AssertionError):
        SquaredError().metrics()
