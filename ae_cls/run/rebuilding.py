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
from ae_cls.evaluate.codes import active_units
from ae_cls.evaluate.reconstruction import SquaredError
from ae_cls.pretrain.health import fitted_yardsticks

SAMPLES = 32
"""Codes of an image whose decoded images are averaged, where codes are distributions."""


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
    yardsticks = fitted_yardsticks(model, train, seed, compute)
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
        **_code(model, posteriors),
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


def _code(model: Autoencoder, posteriors: Sequence[Posterior]) -> Mapping[str, Any]:
    """How much codes that are distributions say of the images; empty where they are none."""
    if not posteriors:
        return {}
    means = torch.cat([posterior.mean for posterior in posteriors])
    divergence = torch.cat([model.divergence(posterior) for posterior in posteriors])
    active = active_units(means.cpu().numpy())
    return {"code": {"size": means.shape[1], "active": active, "kl": divergence.mean().item()}}
