"""Two processes on the CPU do what one does."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from ae_cls.processes.world import ALONE
from tests.processes.pair import JOBS, STEPS, in_two

TRAININGS = (
    "conv", "salt and pepper", "vae", "vqvae", "winners", "rae", "wae", "aae", "gmvae",
    "conditional_vae", "mae", "masked_conv", "one sample left", "digits", "digits, vae", "finetune",
    "joint", "ladder", "ladder, all rungs", "m2",
)  # fmt: skip


@pytest.fixture(scope="module")
def two() -> dict[str, Any]:
    """All jobs in one pair of processes: to start one takes seconds."""
    return in_two([*TRAININGS, "losses", "norms", "encoding", "resuming", "talking"])


@cache
def alone(name: str) -> dict[str, Any]:
    """What one process makes of a training."""
    return JOBS[name](ALONE)


@pytest.mark.parametrize("name", TRAININGS)
def test_ten_steps_cost_what_they_cost_one_process(two, name):
    one = alone(name)
    assert len(one["losses"]) == STEPS
    assert two[name]["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert two[name]["valid"] == pytest.approx(one["valid"], rel=1e-5)


@pytest.mark.parametrize("name", TRAININGS)
def test_ten_steps_lead_to_the_same_weights(two, name):
    one = alone(name)["weights"]
    assert list(two[name]["weights"]) == list(one)
    for key, tensor in one.items():
        torch.testing.assert_close(two[name]["weights"][key], tensor, rtol=1e-4, atol=1e-5)


def test_every_variant_has_the_loss_and_gradient_of_the_whole_batch(two):
    one = JOBS["losses"](ALONE)
    assert one.keys() == two["losses"].keys()
    for name, expected in one.items():
        assert two["losses"][name] == pytest.approx(expected, rel=1e-9), name


def test_batch_norm_sees_the_whole_batch(two):
    one, found = JOBS["norms"](ALONE), two["norms"]
    # The first process has four of the seven images, of each of two batches.
    own = [0, 1, 2, 3, 7, 8, 9, 10]
    torch.testing.assert_close(found["outputs"], one["outputs"][own], rtol=1e-9, atol=1e-9)
    # Its slopes are of the sum over the processes, which each weighs as the loop does.
    torch.testing.assert_close(found["slopes"] / 2, one["slopes"][own], rtol=1e-9, atol=1e-9)
    for both, alone in zip(found["gradients"], one["gradients"], strict=True):
        torch.testing.assert_close(both / 2, alone, rtol=1e-9, atol=1e-9)
    assert found["buffers"].keys() == one["buffers"].keys()
    for name, tensor in one["buffers"].items():
        torch.testing.assert_close(found["buffers"][name], tensor, rtol=1e-9, atol=1e-9)


def test_batch_norms_are_the_modules_they_were(two):
    assert two["norms"]["plain"]
    assert two["norms"]["names"] == JOBS["norms"](ALONE)["names"]


def test_features_are_the_same_bits_in_the_same_order(two):
    one = JOBS["encoding"](ALONE)["features"]
    assert one.shape == (1100, 16)
    assert np.array_equal(two["encoding"]["features"], one)


def test_resuming_in_two_processes_gives_the_same_bits(two):
    found = two["resuming"]
    for name, tensor in found["whole"].items():
        assert torch.equal(found["resumed"][name], tensor), name


def test_what_is_said_arrives(two):
    found = two["talking"]
    assert torch.equal(found["summed"], torch.full((2, 3), 3.0))
    assert found["shared"] == {"text": "ä", "number": 0.1}
    assert torch.equal(found["echo"], 2 * torch.arange(6.0).view(2, 3).t())
