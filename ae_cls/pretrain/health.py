"""How healthy a network is, measured on the same validation images after each epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows, to_unit
from ae_cls.evaluate.codes import active_units, dead_units, perplexity, saturated
from ae_cls.evaluate.reconstruction import SquaredError
from ae_cls.evaluate.variety import effective_rank
from ae_cls.evaluate.yardsticks import Yardsticks, enough_images
from ae_cls.train.record import Measures
from ae_cls.train.task import TrainTask

_IMAGES = 1024  # few enough to cost next to nothing beside an epoch


@final
@dataclass(frozen=True)
class HealthCheck:
    """Looks at intact images, as encoding does.

    Attributes:
        images: some of validation.
        floors: mean squared errors on these images of answers that need no network, by name.
        compute: device and precision.
    """

    images: ImageRows
    floors: Mapping[str, float]
    compute: Compute

    @classmethod
    def of(cls, model: Autoencoder, task: TrainTask) -> "HealthCheck":
        """On some of the validation images of a training."""
        images = task.valid.sample(_IMAGES)
        yardsticks = fitted_yardsticks(model, task.train, task.seed, task.compute)
        return cls(images, _floors(yardsticks, images), task.compute)

    @torch.inference_mode()
    def measure(self, model: Autoencoder) -> Measures:
        """By name; none where codes or rebuilt images are not finite."""
        model.eval()
        looks = [self._look(model, batch) for batch in self.images.batches(self.images.at_a_time)]
        rows = {name: np.concatenate([look.rows[name] for look in looks]) for name in looks[0].rows}
        if not all(np.isfinite(row).all() for row in rows.values()):
            return {}
        codes = rows["codes"]
        return {
            "size": codes.shape[1],
            "rank": effective_rank(codes),
            "dead": dead_units(codes),
            "dead_channels": dead_units(rows["channels"]),
            **_of_distributions(rows),
            **_of_codebook([look.uses for look in looks if look.uses is not None]),
            "saturated": float(rows["saturated"].mean()),
            "mse": float(rows["error"].mean()),
            **self.floors,
        }

    def _look(self, model: Autoencoder, batch: UInt8[Tensor, "b c h w"]) -> "_Look":
        clean = to_unit(batch, self.compute.device)
        with self.compute.autocast():
            channels = model.deepest_map(clean).mean((2, 3))
            posterior = model.posterior(clean)
            codes = posterior.mean if posterior else model.encode(clean)
            uses, outputs = model.code_uses(codes), _numbers(model.decode(codes))
        pixels = _numbers(clean)
        rows = {
            "codes": _numbers(codes),
            "channels": _numbers(channels),
            "saturated": saturated(outputs, pixels),
            "error": np.square(outputs - pixels).mean(axis=(1, 2, 3), dtype=np.float64),
        }
        if posterior:
            rows["kl"] = _numbers(model.divergence(posterior))
        return _Look(rows, None if uses is None else uses.cpu().numpy())


@final
@dataclass(frozen=True)
class _Look:
    """At a batch: what there is of each image, and how often each entry of a codebook is chosen."""

    rows: Mapping[str, Float[np.ndarray, "b ..."]]
    uses: Int64[np.ndarray, " k"] | None


def fitted_yardsticks(
    model: Autoencoder, train: ImageRows, seed: int, compute: Compute
) -> Yardsticks:
    """Simple answers with a code as long as the network's, learnt from a sample of its images."""
    sample = train.sample(enough_images(model.image_shape))
    images = to_unit(sample.take(torch.arange(len(sample))), torch.device("cpu"))
    with torch.inference_mode():
        code = model.eval().encode(images[:1].to(compute.device))
    return Yardsticks.fit(images.numpy(), code_size=code.shape[1], seed=seed)


def _floors(yardsticks: Yardsticks, images: ImageRows) -> dict[str, float]:
    """The error of the mean image, and that of PCA unless its code loses nothing."""
    names = ("mean_image", "pca")[: 1 if yardsticks.axes is None else 2]
    errors = dict.fromkeys(names, SquaredError())
    for batch in images.batches(images.at_a_time):
        pixels = to_unit(batch, torch.device("cpu")).numpy()
        rebuilt = yardsticks.rebuilt(pixels)
        errors = {name: errors[name].add(rebuilt[name], pixels) for name in names}
    return {f"{name}_mse": error.mse for name, error in errors.items()}


def _of_distributions(rows: Mapping[str, Float[np.ndarray, "n ..."]]) -> Measures:
    if "kl" not in rows:
        return {}
    return {"active": active_units(rows["codes"]), "kl": float(rows["kl"].mean(dtype=np.float64))}


def _of_codebook(uses: list[Int64[np.ndarray, " k"]]) -> Measures:
    if not uses:
        return {}
    total = np.sum(uses, axis=0)
    return {"entries": len(total), "used": int((total > 0).sum()), "perplexity": perplexity(total)}


def _numbers(tensor: Float[Tensor, "b ..."]) -> Float32[np.ndarray, "b ..."]:
    return tensor.float().cpu().numpy()
