"""How good the answers are: metrics with intervals, in pure NumPy and as plain JSON values."""

from ae_cls.evaluate.health import (
    code_warnings,
    feature_warnings,
    head_warnings,
    image_warnings,
    label_warnings,
    listed,
    network_warnings,
    warnings,
)
from ae_cls.evaluate.interval import wilson_interval
from ae_cls.evaluate.metrics import MEASURE_NAMES, ClassMetrics, Measure, Metrics, evaluate
from ae_cls.evaluate.reconstruction import (
    Reconstruction,
    SquaredError,
    psnr,
)
from ae_cls.evaluate.resampled import corrected_interval
from ae_cls.evaluate.variety import effective_rank
from ae_cls.evaluate.yardsticks import Yardsticks, enough_images

__all__ = [
    "MEASURE_NAMES",
    "ClassMetrics",
    "Measure",
    "Metrics",
    "Reconstruction",
    "SquaredError",
    "Yardsticks",
    "code_warnings",
    "corrected_interval",
    "effective_rank",
    "enough_images",
    "evaluate",
    "feature_warnings",
    "head_warnings",
    "image_warnings",
    "label_warnings",
    "listed",
    "network_warnings",
    "psnr",
    "warnings",
    "wilson_interval",
]
