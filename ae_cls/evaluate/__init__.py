"""How good the answers are: metrics with intervals, in pure NumPy and as plain JSON values."""

from ae_cls.evaluate.health import label_warnings, listed, warnings
from ae_cls.evaluate.interval import wilson_interval
from ae_cls.evaluate.metrics import MEASURE_NAMES, ClassMetrics, Measure, Metrics, evaluate
from ae_cls.evaluate.reconstruction import (
    Reconstruction,
    SquaredError,
    psnr,
)
from ae_cls.evaluate.resampled import corrected_interval

__all__ = [
    "MEASURE_NAMES",
    "ClassMetrics",
    "Measure",
    "Metrics",
    "Reconstruction",
    "SquaredError",
    "corrected_interval",
    "evaluate",
    "label_warnings",
    "listed",
    "psnr",
    "warnings",
    "wilson_interval",
]
