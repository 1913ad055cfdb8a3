"""No pretraining: the control with random weights."""

from typing import ClassVar, Literal, final

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import generator
from ae_cls.pretrain.contract import PretrainConfig, Probe
from ae_cls.train.record import EpochRecord
from ae_cls.train.task import TrainTask

_IMAGES, _BATCH = 2048, 64


@final
class NoPretraining(PretrainConfig):
    """The network as it was initialised, except that its norms or scales know the images.

    An untrained batch norm takes images to have mean 0 and variance 1. That alone costs features
    of random weights some points, which would be put down to pretraining: on 210 photographs of
    textures, 10 labels a class, 80.2 % without and 85.4 % with (two seeds). Weights that were
    learnt elsewhere come with norms that belong to them, and stay as they are.
    """

    trains: ClassVar[bool] = False
    name: Literal["none"]

    def fit(
        self, model: Autoencoder, task: TrainTask, probe: Probe | None = None
    ) -> list[EpochRecord]:
        if model.is_drawn:
            model.fit_scales(task.train)
            _measure_norms(model, task)
        return []


@torch.no_grad()
def _measure_norms(model: Autoencoder, task: TrainTask) -> None:
    """Mean and variance of each batch norm of the encoder, over drawn training images."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    images = _drawn(task.train, task.seed)
    if not norms or len(images) < 2:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    model.train()
    # Shares of nearly the same size: a batch of one image has no variance.
    for share in torch.arange(len(images)).tensor_split(-(-len(images) // _BATCH)):
        with task.compute.autocast():
            model.deepest_map(to_unit(images.take(share), task.compute.device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def _drawn(images: ImageRows, seed: int) -> ImageRows:
    order = torch.randperm(len(images), generator=generator(seed, "norms"))[:_IMAGES]
    return ImageRows(images.images, images.rows[order.numpy()])
