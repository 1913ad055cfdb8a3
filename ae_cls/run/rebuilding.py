"""How well a network rebuilds images: in training's terms, in use, and beside simple answers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.draws import Draws
from ae_cls.evaluate import SquaredError, Yardsticks, enough_images

SAMPLES = 32
"""Codes of an image whose decoded images are averaged, where codes are distributions."""

_ACTIVE = 0.01  # variance over images of a mean that says something of them (arXiv 1509.00519)


@torch.inference_mode()
def reconstruction_of(
    model: Autoencoder, train: ImageRows, images: ImageRows, seed: int, compute: Compute
) -> dict[str, Any]:
    """What `metrics.json` says of the decoder; all errors are of the same clean images.

    Args:
        model: a trained network.
        train: images that the simple answers are learnt from; a sample of many.
        images: to rebuild.
        seed: of corruption and samples; the corruption is that of validation in training.
        compute: device and precision.
    """
    model = model.eval()
    yardsticks = _yardsticks(model, train, seed, compute)
    errors: defaultdict[str, SquaredError] = defaultdict(SquaredError)
    posteriors: list[Posterior] = []
    for positions in torch.arange(len(images)).split(images.at_a_time):
        clean = to_unit(images.take(positions), compute.device)
        draws = Draws(seed, 0, torch.from_numpy(images.rows)[positions].to(compute.device))
        pixels = clean.cpu().numpy()
        with compute.autocast():
            posterior = model.posterior(clean)
            outputs = _rebuilt(model, clean, posterior, draws) | yardsticks.rebuilt(pixels)
        posteriors += [posterior] if posterior else []
        for name, output in outputs.items():
            errors[name] = errors[name].add(output, pixels)
    mean_image = errors["mean_image"]
    return {
        **{name: error.metrics(mean_image) for name, error in errors.items()},
        **_code(posteriors),
        "images": len(images),
        "pca_axes": yardsticks.axes_kept,
        "pca_fitted_on": yardsticks.fitted_on,
    }


def _rebuilt(
    model: Autoencoder, clean: Float[Tensor, "b c h w"], posterior: Posterior | None, draws: Draws
) -> dict[str, Float32[np.ndarray, "b c h w"]]:
    """From the code of the intact image, of the corrupted one, and from samples, by name."""
    outputs = {"intact": model.decode(model.encode(clean))}
    seen = model.corrupted(clean, draws)
    if not torch.equal(seen, clean):
        outputs["corrupted"] = model.decode(model.encode(seen))
    if posterior:
        outputs["mean_of_samples"] = _mean_of_samples(model, posterior, draws)
    return {name: output.float().cpu().numpy() for name, output in outputs.items()}


def _mean_of_samples(
    model: Autoencoder, posterior: Posterior, draws: Draws
) -> Float[Tensor, "b c h w"]:
    drawn = (Draws(draws.seed, number, draws.samples) for number in range(SAMPLES))
    images = (model.decode(posterior.sample(numbers)).float() for numbers in drawn)
    return torch.stack(list(images)).mean(0)


def _yardsticks(model: Autoencoder, train: ImageRows, seed: int, compute: Compute) -> Yardsticks:
    sample = train.sample(enough_images(model.image_shape))
    images = to_unit(sample.take(torch.arange(len(sample))), torch.device("cpu"))
    code = model.encode(images[:1].to(compute.device))
    return Yardsticks.fit(images.numpy(), code_size=code.shape[1], seed=seed)


def _code(posteriors: Sequence[Posterior]) -> Mapping[str, Any]:
    """How much codes that are distributions say of the images; empty where they are none."""
    if not posteriors:
        return {}
    means = torch.cat([posterior.mean for posterior in posteriors])
    divergence = torch.cat([posterior.divergence().sum(1) for posterior in posteriors])
    active = int((means.var(0, correction=0) > _ACTIVE).sum())
    return {"code": {"size": means.shape[1], "active": active, "kl": divergence.mean().item()}}
