"""Exact batch norm against torch's."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ae_cls.processes.norm import exact_norms

NORMS = {
    "affine": (nn.BatchNorm2d(6), (5, 6, 4, 3)),
    "plain": (nn.BatchNorm2d(6, affine=False), (5, 6, 4, 3)),
    "vectors": (nn.BatchNorm1d(6), (5, 6)),
    "sequences": (nn.BatchNorm1d(6), (5, 6, 7)),
    "mean of all": (nn.BatchNorm2d(6, momentum=None), (5, 6, 4, 3)),
    "untracked": (nn.BatchNorm2d(6, track_running_stats=False), (5, 6, 4, 3)),
}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("is_training", (True, False))
def test_the_numbers_are_torchs_in_double_precision(name, is_training):
    norm, shape = NORMS[name]
    torch.manual_seed(0)
    norm = copy.deepcopy(norm).double().train(is_training)
    batches = [torch.randn(shape).double() * 3 + 40 for _ in range(2)]
    expected = _passed(copy.deepcopy(norm), batches)
    with exact_norms(norm):
        found = _passed(norm, batches)
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, rtol=1e-9, atol=1e-9, msg=key)


def test_float32_maps_lose_no_digits():
    """Those of torch 2.14, channels last, are wrong by 6e-6 here."""
    torch.manual_seed(0)
    maps = (torch.randn(256, 64, 7, 7) * 0.3 + 1).contiguous(memory_format=torch.channels_last)
    norm = nn.BatchNorm2d(64)
    expected = _passed(copy.deepcopy(norm).double(), [maps.double()])
    with exact_norms(norm):
        found = _passed(norm, [maps])
    for key in ("output 0", "slope 0", "weight"):
        error = (found[key].double() - expected[key]).norm() / expected[key].norm()
        assert error < 2e-6, key


def test_what_follows_may_change_the_output_in_place():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(inplace=True)).double()
    images = torch.randn(4, 3, 5, 5).double()
    apart = nn.Sequential(copy.deepcopy(network[0]), nn.ReLU())
    expected = _passed(apart, [images])
    with exact_norms(network):
        found = _passed(network, [images])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def _passed(network: nn.Module, batches: list[Tensor]) -> dict[str, Any]:
    """Outputs, slopes of the batches, gradients of the weights, and buffers."""
    found: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        batch = batch.clone(memory_format=torch.preserve_format).requires_grad_()
        output = network(batch)
        (output.square() * output.sigmoid()).sum().backward()
        found |= {f"output {number}": output.detach(), f"slope {number}": batch.grad}
    found |= {name: p.grad for name, p in network.named_parameters()}
    return found | dict(network.named_buffers())
