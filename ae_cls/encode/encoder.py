"""A trained network and the way its features are read."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.encode.contract import EncodeConfig
from ae_cls.encode.feature_table import joined
from ae_cls.terminal.progress import progressing
from ae_cls.train.threads import take_fastest

_WORTH_A_TRIAL = 50  # batches, of which a trial encodes six


@final
@dataclass(frozen=True)
class Encoder:
    """Images to features.

    Attributes:
        model: the network; encoding leaves its weights and buffers as they are.
        encode: which of its layers are read, and how they are pooled.
        compute: device and precision.
    """

    model: Autoencoder
    encode: EncodeConfig
    compute: Compute

    def features(self, images: ImageRows) -> Float32[np.ndarray, "n d"]:
        """Features of clean images, in order; the network is put into evaluation mode.

        Raises:
            StorageError: they are many, and there is no room for the file that holds them.
        """
        return joined(len(images), self.parts(images))

    def parts(self, images: ImageRows) -> Iterator[Float32[np.ndarray, "_ d"]]:
        """The same, a batch at a time.

        Batches are dealt out to the processes of `compute`. The first one gets them all, in order;
        the others get none, and have done their work when they have asked for them.
        """
        self.model.eval()
        world, batches = self.compute.world, torch.arange(len(images)).split(images.at_a_time)
        if self.compute.most_threads is not None and len(batches) >= _WORTH_A_TRIAL:
            first = images.take(batches[0])
            take_fastest(self.compute.most_threads, lambda: self._seconds(first))
        own = (self._of_batch(images.take(batch)) for batch in world.dealt(batches))
        parts = progressing(
            world.in_order(own, [len(batch) for batch in batches]), "encode",
            total=len(batches), unit="batches", shown=world.is_first,
        )  # fmt: skip
        return (part.numpy() for part in parts)

    def _seconds(self, batch: UInt8[Tensor, "b c h w"]) -> float:
        started = time.perf_counter()
        self._of_batch(batch)
        return time.perf_counter() - started

    @torch.inference_mode()
    def _of_batch(self, batch: UInt8[Tensor, "b c h w"]) -> Float32[Tensor, "b d"]:
        with self.compute.autocast():
            unit = to_unit(batch, self.compute.device)
            return self.encode.features(self.model, unit).float().cpu()
