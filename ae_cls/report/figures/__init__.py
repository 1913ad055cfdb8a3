"""The figures of a run folder: pure functions from arrays to a figure; `render` gives the bytes."""

from ae_cls.report.figures.canvas import render
from ae_cls.report.figures.confusion import confusion_matrix
from ae_cls.report.figures.contact import contact_rows, contact_sheet
from ae_cls.report.figures.health import health_curves
from ae_cls.report.figures.latents import latent_map
from ae_cls.report.figures.losses import loss_curves
from ae_cls.report.figures.mistakes import confident_mistakes, mistake_rows
from ae_cls.report.figures.rebuilt import reconstructions
from ae_cls.report.figures.samples import samples

__all__ = [
    "confident_mistakes",
    "confusion_matrix",
    "contact_rows",
    "contact_sheet",
    "health_curves",
    "latent_map",
    "loss_curves",
    "mistake_rows",
    "reconstructions",
    "render",
    "samples",
]
