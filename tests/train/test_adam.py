"""Our optimiser is torch's own, to the bit, and leaves torch's compiler where it is."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ae_cls.train.adam import Adam

THEIRS = {True: torch.optim.AdamW, False: torch.optim.Adam}


def parameters(seed: int) -> list[nn.Parameter]:
    """A matrix, one whose memory has another order, a vector, and one that gets no gradient."""
    draws = torch.Generator().manual_seed(seed)
    shapes = [(5, 7), (3, 2, 4, 4), (6,), (4,)]
    tensors = [torch.randn(shape, generator=draws) for shape in shapes]
    tensors[1] = tensors[1].contiguous(memory_format=torch.channels_last)
    return [nn.Parameter(tensor) for tensor in tensors]


@pytest.mark.parametrize("is_decoupled", [True, False], ids=["adamw", "adam"])
def test_steps_are_those_of_torch(is_decoupled: bool) -> None:
    ours, theirs = parameters(0), parameters(0)
    mine = Adam(grouped(ours), lr=0.01, weight_decay=0.1, is_decoupled=is_decoupled)
    others = THEIRS[is_decoupled](grouped(theirs), lr=0.01, weight_decay=0.1, fused=True)
    for step in range(5):
        for optimiser in (mine, others):
            optimiser.zero_grad()
            optimiser.param_groups[0]["lr"] = 0.01 / (1 + step)
        for one in (ours, theirs):
            sum(p.sin().square().sum() for p in one[:3]).backward()
        mine.step()
        others.step()
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)
        kept, same = mine.state.get(a, {}), others.state.get(b, {})
        assert kept.keys() == same.keys()
        assert all(torch.equal(kept[name], same[name]) for name in kept)
        assert all(kept[name].stride() == same[name].stride() for name in kept)
    assert ours[3] not in mine.state and torch.equal(ours[3], parameters(0)[3])


def grouped(own: list[nn.Parameter]) -> list[dict]:
    return [{"params": own[:2]}, {"params": own[2:], "weight_decay": 0.0}]


def test_a_step_does_not_import_the_compiler() -> None:
    program = """
import sys, torch
from ae_cls.train.adam import Adam
layer = torch.nn.Linear(3, 2)
optimiser = Adam([{"params": [*layer.parameters()]}], lr=.1, weight_decay=0., is_decoupled=True)
layer(torch.ones(1, 3)).sum().backward()
optimiser.step()
optimiser.zero_grad()
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
