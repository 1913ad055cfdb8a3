"""Randomness as an argument: seeds derived by name, and draws that belong to a sample.

What happens to a sample depends on (seed, purpose, epoch, sample index) and on nothing else: not on
the batch it came in, the device, the number of workers or a resumed run. So there is no generator
state to save.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_WORD = 0xFFFFFFFF  # 32 bits; int64 arithmetic holds the products and `& _WORD` brings them back


def derive_seed(seed: int, *names: str | int) -> int:
    """A seed in 0..2**63 for one purpose, so that a new purpose never shifts the others."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def short_seed(seed: int, *names: str | int) -> int:
    """The same for a library that takes 32 bits."""
    return derive_seed(seed, *names) % 2**32


def generator(seed: int, *names: str | int) -> torch.Generator:
    """A CPU generator for one purpose."""
    return torch.Generator().manual_seed(derive_seed(seed, *names))


@final
@dataclass(frozen=True)
class Draws:
    """Random numbers of the samples of one batch: a counter-based generator keyed by sample.

    Attributes:
        seed: the run's seed.
        epoch: which pass over the data; the same sample draws anew in the next one.
        samples: index of each sample of the batch in the data set, on the device of the images.
    """

    seed: int
    epoch: int
    samples: Int64[Tensor, " b"]

    def uniform(self, purpose: str, count: int) -> Float[Tensor, "b {count}"]:
        """`count` numbers in [0, 1) for each sample, in steps of 2**-24 (the step of float32)."""
        key = derive_seed(self.seed, purpose, self.epoch)
        first, second = key & _WORD, (key >> 31) & _WORD
        # mix is a bijection of 32 bits, so no two samples of a data set share a key.
        sample = _mix((self.samples ^ first) & _WORD)
        place = _mix(torch.arange(count, device=self.samples.device) ^ second)
        bits = _mix(sample[:, None] ^ place[None, :])
        return (bits >> 8).to(torch.float32) * 2.0**-24

    def normal(self, purpose: str, count: int) -> Float[Tensor, "b {count}"]:
        """`count` standard normal numbers for each sample (Box & Muller 1958)."""
        half = (count + 1) // 2
        uniform = self.uniform(purpose, 2 * half)
        # 1 - u lies in (0, 1]: the logarithm of 0 cannot be asked for.
        radius = torch.sqrt(-2.0 * torch.log1p(-uniform[:, :half]))
        angle = 2.0 * math.pi * uniform[:, half:]
        return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :count]


def _mix(bits: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
    # A 32-bit finaliser with full avalanche: hash prospector's "lowbias32"
    # (github.com/skeeto/hash-prospector, multipliers 0x7feb352d and 0x846ca68b).
    bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & _WORD
    bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & _WORD
    return bits ^ (bits >> 16)
