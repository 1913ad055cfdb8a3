"""The convolution of enlarged maps is the one that enlarges them first."""

import pytest
import torch
from torch import nn

from ae_cls.autoencoder.parts.enlarged import convolve_enlarged


@pytest.mark.parametrize(
    ("inputs", "outputs", "height", "width"), [(3, 5, 4, 7), (2, 1, 1, 1), (1, 3, 2, 5)]
)
def test_numbers_and_gradients_are_those_of_enlarging_first(inputs, outputs, height, width):
    torch.manual_seed(0)
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1).double()
    maps = torch.randn(2, inputs, height, width, dtype=torch.double, requires_grad=True)
    wanted = torch.randn(2, outputs, 2 * height, 2 * width, dtype=torch.double)
    reached = [maps, *convolution.parameters()]
    plain = convolution(nn.functional.interpolate(maps, scale_factor=2))
    expected = torch.autograd.grad((plain * wanted).sum(), reached)
    found = convolve_enlarged(maps, convolution)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-12)
    slopes = torch.autograd.grad((found * wanted).sum(), reached)
    torch.testing.assert_close(slopes, expected, rtol=1e-12, atol=1e-12)
