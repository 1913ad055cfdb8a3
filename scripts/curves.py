"""What the default network costs, as the figures in the README: `scripts/curves.py`.

Images are noise: what they show changes no cost. Every row is measured in a process of its own.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ae_cls.autoencoder.contract import build
from ae_cls.autoencoder.conv import ConvConfig
from ae_cls.autoencoder.parts.corruption import PatchMask
from ae_cls.compute import keep_pages, resolve
from ae_cls.dataset.contract import ImageShape, ImageTable
from ae_cls.dataset.rows import ImageRows
from ae_cls.dataset.stored import StoredImages
from ae_cls.encode import Encoder, LatentConfig
from ae_cls.encode.feature_table import write_table
from ae_cls.pretrain.gradient import GradientPretraining
from ae_cls.run.environment import peak_memory_mib
from ae_cls.store.arrays import write_array
from ae_cls.train.augment import Augment
from ae_cls.train.task import TrainTask

_BATCH, _STEPS = 256, 60
_GREY, _COLOUR = (1, 28, 28), (3, 32, 32)
_SHAPES: tuple[ImageShape, ...] = (_GREY, _COLOUR, (3, 64, 64), (3, 96, 96), (3, 224, 224))
# As configs/autoencoder/conv.yaml and configs/pretrain/standard.yaml; a test compares them.
NETWORK = ConvConfig(
    name="conv",
    widths=(32, 64),
    depth="auto",
    latent_dim=128,
    code_cells="auto",
    decoder_width=32,
    patch="auto",
    target="both",
    hog_weight=10.0,
    principal_path=True,
    centres=0,
    corruption=PatchMask(
        name="patch_mask", share=0.5, ratio=0.4, cell=None, corrupted_weight=1.0, intact_weight=1.0
    ),
)
SCHEDULE = GradientPretraining(
    name="gradient",
    epochs=5,
    batch_size=None,
    min_steps=200,
    optimiser="adamw",
    lr=0.002,
    warm_up=0.1,
    weight_decay=0.05,
    clip=1.0,
    patience=3,
    augment=Augment(flip=False, shift=0.0, scale=0.0, brightness=0.0, erase=0.0),
)


def batch_sizes() -> None:
    """Images/s against images a step, 28x28x1."""
    print("| images a step | images/s |\n|--:|--:|")
    for batch in (16, 64, 256, 1024):
        _row("rate", batch, *_GREY)


def image_sizes() -> None:
    """Images/s against the size of the images, at 256 a step (64 for the largest)."""
    print("| image | images/s |\n|---|--:|")
    for shape in _SHAPES:
        _row("rate", _BATCH if shape[1] < 200 else 64, *shape)


def image_counts() -> None:
    """One epoch and one pass of the encoder, from file to file, over images of 32x32x3."""
    print("| images | MiB | epoch, s | images/s | encode, s | peak memory, MiB |")
    print("|--:|--:|--:|--:|--:|--:|")
    for count in (1_000, 10_000, 100_000, 1_000_000):
        _row("stored", count)


CURVES: dict[str, Callable[[], None]] = {
    "batch": batch_sizes,
    "size": image_sizes,
    "count": image_counts,
}


def _row(kind: str, *numbers: int) -> None:
    command = [sys.executable, __file__, kind, *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(done.stdout.strip(), flush=True)


def rate(batch: int, *shape: int) -> str:
    """A row: images/s of the second of two epochs."""
    noise = torch.randint(0, 256, (batch * 4, *shape), dtype=torch.uint8)
    images = ImageRows(noise, np.resize(np.arange(len(noise)), batch * _STEPS))
    _, images_per_second = _trained(images, batch, epochs=2)
    channels, height, width = shape
    return f"| {batch} a step, {height}x{width}x{channels} | {images_per_second:,.0f} |"


def stored(count: int) -> str:
    """A row: time and memory of one epoch and of encoding, over a file of so many images."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.npy"
        _write_noise(path, count)
        images = ImageRows(StoredImages(path), np.arange(count))
        epoch, images_per_second = _trained(images, _BATCH, epochs=1)
        started = time.perf_counter()
        compute = resolve("auto", "auto")
        model = build(NETWORK, _COLOUR, 0).to(compute.device)
        parts = Encoder(model, LatentConfig(name="latent"), compute).parts(images)
        write_table(Path(folder) / "features.npy", count, parts)  # as the store does
        seconds = time.perf_counter() - started
        size = path.stat().st_size // 2**20
    return (
        f"| {count:,} | {size:,} | {epoch:.1f} | {images_per_second:,.0f} | {seconds:.1f} "
        f"| {peak_memory_mib():,} |"
    )


def _trained(images: ImageRows, batch: int, *, epochs: int) -> tuple[float, float]:
    """Seconds and images/s of the last epoch."""
    keep_pages()
    compute = resolve("auto", "auto")
    schedule = SCHEDULE.model_copy(
        update={"epochs": epochs, "batch_size": batch, "min_steps": 1, "patience": None}
    )
    few = ImageRows(images.images, images.rows[:64])
    model = build(NETWORK, _shape_of(images.images), 0).to(compute.device)
    task = TrainTask(train=images, valid=few, mirrored_is_same=False, seed=0, compute=compute)
    history = schedule.fit(model, task)
    return history[-1].seconds, history[-1].images_per_second


def _shape_of(images: ImageTable) -> ImageShape:
    _, channels, height, width = images.shape
    return channels, height, width


def _write_noise(path: Path, count: int) -> None:
    """Written, not mapped: what is mapped would count as this process's memory."""
    random = np.random.default_rng(0)
    sizes = (min(1_000, count - start) for start in range(0, count, 1_000))
    write_array(path, (random.integers(0, 256, (size, *_COLOUR), np.uint8) for size in sizes))


def main() -> None:
    """All curves, or the one that is named; or one row, for the processes that measure."""
    match sys.argv[1:]:
        case ["rate", *numbers]:
            print(rate(*map(int, numbers)))
        case ["stored", count]:
            print(stored(int(count)))
        case names:
            for name in names or CURVES:
                CURVES[name]()


if __name__ == "__main__":
    main()
