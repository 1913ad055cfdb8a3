import numpy as np
import pytest
from sklearn.datasets import load_digits

from ae_cls.evaluate.yardsticks import Yardsticks, enough_images

DIGITS = (load_digits().images[:, None] / 16).astype(np.float32)


def errors(yardsticks: Yardsticks, images: np.ndarray) -> dict[str, float]:
    return {
        name: float(np.square(output - images).mean())
        for name, output in yardsticks.rebuilt(images).items()
    }


def test_each_error_is_that_of_its_definition() -> None:
    train, valid = DIGITS[:1000], DIGITS[1000:]
    found = errors(Yardsticks.fit(train, code_size=10, seed=0), valid)
    assert found["mean_image"] == pytest.approx(np.square(valid - train.mean(0)).mean(), rel=1e-5)
    assert found["mean_colour"] == pytest.approx(valid.var((2, 3)).mean(), rel=1e-5)
    assert found["pca"] < found["mean_image"] / 2


def test_pca_loses_what_the_dropped_axes_hold() -> None:
    flat = DIGITS.reshape(len(DIGITS), -1)
    dropped = np.linalg.eigvalsh(np.cov(flat.T, bias=True))[:-10].sum() / 64
    assert errors(Yardsticks.fit(DIGITS, code_size=10, seed=0), DIGITS)["pca"] == pytest.approx(
        dropped, rel=1e-3
    )


@pytest.mark.parametrize("code_size", [64, 128])
def test_a_code_as_large_as_the_image_loses_nothing(code_size: int) -> None:
    yardsticks = Yardsticks.fit(DIGITS[:100], code_size=code_size, seed=0)
    assert errors(yardsticks, DIGITS[100:])["pca"] == 0
    assert yardsticks.axes_kept == 64


def test_few_images_have_few_axes() -> None:
    yardsticks = Yardsticks.fit(DIGITS[:5], code_size=32, seed=0)
    assert (yardsticks.axes_kept, yardsticks.fitted_on) == (5, 5)
    assert errors(yardsticks, DIGITS[:5])["pca"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "count"), [((1, 8, 8), 8192), ((3, 64, 64), 2730), ((3, 5000, 5000), 2)]
)
def test_large_images_are_sampled_more_thinly(shape: tuple[int, int, int], count: int) -> None:
    assert enough_images(shape) == count
