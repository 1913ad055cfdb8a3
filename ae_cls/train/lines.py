"""What a training says of itself, one line at a time."""

import math
from collections.abc import Mapping

from ae_cls.terminal.duration import roughly
from ae_cls.train.record import EpochRecord, Measures
from ae_cls.train.schedule import Schedule

_COST_OF_VALIDATION = 1 / 3  # of what an image costs in training: there is no way back


def forecast(
    stage: str, schedule: Schedule, *, done: int, images: int, validated: int, rate: float
) -> str:
    """How long the training will take.

    Args:
        stage: its name.
        schedule: of the training.
        done: steps.
        images: to learn from.
        validated: images of each validation.
        rate: images a second.
    """
    steps = schedule.length.steps(images)
    validation = schedule.epochs * validated * _COST_OF_VALIDATION
    seconds = (schedule.length.images(images) + validation) / rate
    up_to = "about" if schedule.patience is None else "up to about"
    more = " more" if done else ""
    duration = roughly(seconds * (steps - done) / steps)
    return f"{stage}: {up_to} {duration}{more}: {_work(schedule, images, rate, seconds)}"


def _work(schedule: Schedule, images: int, rate: float, seconds: float) -> str:
    """What fills the time: epochs of all images, or steps of some."""
    at = f"at {float(f'{rate:.2g}'):,.10g} images/s"  # as exactly as a trial of a few deserves
    if not schedule.length.goes_by_epochs(images):
        steps, batch = schedule.length.steps(images), min(schedule.length.batch_of(images), images)
        passes = f"{steps / schedule.length.steps_in_pass(images):.0f} passes over {images:,}"
        return f"{steps} steps (min_steps) of {batch} images {at}, {passes}"
    if schedule.epochs == 1:
        return f"1 epoch of {images:,} images {at}"
    each = roughly(seconds / schedule.epochs)
    return f"{schedule.epochs} epochs of {images:,} images {at}, {each} each"


def under_way(
    stage: str, schedule: Schedule, *, step: int, images: int, train: Mapping[str, float]
) -> str:
    """Where the training is within a stretch, and its loss so far in that."""
    return f"{stage}  {_place(schedule, step, images)}  {_losses('training loss', train)}"


def of_stretch(record: EpochRecord, schedule: Schedule, images: int) -> str:
    """How a stretch of steps went: where the training is, losses, speed."""
    named = [_losses("training loss", record.train), _losses("validation", record.valid)]
    losses = ", ".join(filter(None, [*named, *_health(record.health), *_probe(record.probe)]))
    place = _place(schedule, record.step, images)
    return f"{record.stage}  {place}  {losses}  {record.images_per_second:,.0f} images/s"


def _place(schedule: Schedule, step: int, images: int) -> str:
    steps = f"step {step}/{schedule.length.steps(images)}"
    if not schedule.length.goes_by_epochs(images):
        return steps
    in_pass = schedule.length.steps_in_pass(images)
    epoch = f"epoch {math.ceil(step / in_pass)}/{schedule.epochs}"
    return f"{epoch}  {steps}" if step % in_pass else epoch


def _losses(title: str, terms: Mapping[str, float | None]) -> str:
    """The loss, and its terms in brackets unless it is all there is."""
    loss = terms.get("loss")
    others = ", ".join(
        f"{name} {loss_in_words(value)}"
        for name, value in terms.items()
        if name != "loss" and (value != loss or len(terms) > 2)
    )
    if "loss" not in terms:
        return f"{title} {others}" if others else ""
    return f"{title} {loss_in_words(loss)}" + (f" ({others})" if others else "")


def _health(health: Measures) -> list[str]:
    """The shortest that tells a network that is well from one that is not."""
    if not health:
        return []
    code = f"code: rank {health['rank']:.3g} of {health['size']}"
    if "active" in health:
        code += f", {health['active']} active"
    if "entries" in health:
        code += f", {health['used']} of {health['entries']} entries in use"
    if health.get("pca_mse"):
        code += f", {health['mse'] / health['pca_mse']:.2g} x PCA's error"
    return [code]


def _probe(accuracy: float | None) -> list[str]:
    return [] if accuracy is None else [f"probe {100 * accuracy:.1f} %"]


def loss_in_words(value: float | None) -> str:
    """A loss or a term of it; None stands for one that was not finite."""
    return "not finite" if value is None else f"{value:z.4g}"
