"""How many images a second one contender trains on, of how many the matrix products would allow."""

import statistics
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.textbook import Textbook
from ae_cls.bench.contenders import Contender
from ae_cls.bench.tutorial import adam, pictures_of, train, tutorial_network
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.experiment.benchmark import Benchmark
from ae_cls.pretrain.gradient import GradientPretraining
from ae_cls.run.data import Data, prepare
from ae_cls.run.environment import peak_memory_mib
from ae_cls.train.operations import OperationCounter
from ae_cls.train.task import TrainTask

_SIDE = 2048  # of the matrices that are multiplied to see how fast the hardware is
_PRODUCTS = 9
_VALIDATED = 64  # images; validation is not part of the speed


def speed(benchmark: Benchmark, contender: Contender) -> dict[str, Any]:
    """Images/s over `steps` steps after as many to warm up, FLOP an image, memory, matrix rate."""
    data = prepare(contender.pretraining(benchmark))
    all_images, schedule = data.images(data.split.pretrain), contender.schedule(benchmark)
    batch_size = schedule.length.batch_of(len(all_images))
    images = _as_many(all_images, benchmark.steps * batch_size)
    if contender.loop == "tutorial":
        rate = _tutorial_rate(data, images, benchmark)
    else:
        rate = _our_rate(data, images, schedule, batch_size)
    return {
        "images_per_second": rate,
        "peak_memory_mib": peak_memory_mib(),
        "peak_device_memory_mib": _device_memory_mib(data.compute),
        "precision": data.compute.precision,
        "flop_per_image": flop_per_image(data.network, images),
        "matrix_flop_per_second": matrix_rate(data.compute),
    }


def _as_many(images: ImageRows, count: int) -> ImageRows:
    """So many of the images, again from the first where there are too few."""
    return ImageRows(images.images, np.resize(images.rows, count))


def _our_rate(
    data: Data, images: ImageRows, schedule: GradientPretraining, batch_size: int
) -> float:
    # One epoch to warm up, one to time.
    changes = {"epochs": 2, "min_steps": 1, "batch_size": batch_size, "patience": None}
    twice = schedule.model_copy(update=changes)
    task = TrainTask(
        train=images,
        valid=data.images(data.split.valid[:_VALIDATED]),
        mirrored_is_same=data.dataset.mirrored_is_same,
        seed=0,
        compute=data.compute,
    )
    history = twice.fit(data.network, task)
    return history[-1].images_per_second


def _tutorial_rate(data: Data, images: ImageRows, benchmark: Benchmark) -> float:
    assert isinstance(data.network, Textbook)
    network = tutorial_network(data.network).to(data.compute.device)
    batch_size = len(images) // benchmark.steps
    twice = _as_many(images, 2 * len(images))
    pictures = pictures_of(twice, data.dataset.labels_of(twice.rows))
    optimiser = adam(network, benchmark.yardstick_lr)
    seconds = list(
        train(network, pictures, optimiser, batch_size=batch_size, device=data.compute.device)
    )
    return benchmark.steps * batch_size / (seconds[-1] - seconds[benchmark.steps - 1])


def flop_per_image(model: Autoencoder, images: ImageRows) -> float:
    """Operations of convolutions and matrix products, forward and backward."""
    count = min(8, len(images))
    positions = torch.arange(count)
    device = next(model.parameters()).device
    batch = to_unit(images.take(positions), device)
    with OperationCounter() as counter:
        model.train().loss(batch, Draws(0, 0, positions.to(device)), 0.5).total.backward()
    return counter.total / count


def matrix_rate(compute: Compute) -> float:
    """Operations a second of a large matrix product in this precision: the median of a few."""
    kind = torch.bfloat16 if compute.precision == "bf16" else torch.float32
    matrix = torch.ones(_SIDE, _SIDE, dtype=kind, device=compute.device)
    seconds = [_seconds_of_product(matrix, compute) for _ in range(_PRODUCTS)]
    return 2 * _SIDE**3 / statistics.median(seconds[1:])


def _seconds_of_product(matrix: torch.Tensor, compute: Compute) -> float:
    started = time.perf_counter()
    nn.functional.linear(matrix, matrix)
    if compute.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _device_memory_mib(compute: Compute) -> int | None:
    if compute.device.type != "cuda":
        return None
    return torch.cuda.max_memory_allocated() // 2**20
