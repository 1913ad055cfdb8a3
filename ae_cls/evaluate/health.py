"""What a reader should know before believing the numbers."""

from ae_cls.errors import printable, some
from ae_cls.evaluate.metrics import Metrics

FEW_IMAGES = 30
"""Below this the recall of a class is only worth its interval."""

_NAMED = 5  # of a hundred classes name a few, count the rest


def warnings(metrics: Metrics) -> list[str]:
    """One sentence for each thing that makes the numbers of a split weak; often none."""
    return [*_not_above_majority(metrics), *_never_predicted(metrics), *_few_images(metrics)]


def _not_above_majority(metrics: Metrics) -> list[str]:
    low, majority = metrics["accuracy_ci95"][0], metrics["majority_rate"]
    if low > majority:
        return []
    return [
        f"accuracy {100 * metrics['accuracy']:.1f} % (95 % interval from {100 * low:.1f} %) is not "
        f"shown to be above {100 * majority:.1f} %, the share of the most frequent class"
    ]


def _never_predicted(metrics: Metrics) -> list[str]:
    answered = [sum(column) for column in zip(*metrics["confusion_matrix"], strict=True)]
    classes = zip(metrics["per_class"].items(), answered, strict=True)
    names = [name for (name, one), count in classes if one["n"] > 0 and count == 0]
    return [f"never predicted: {_listed(names)}"] if names else []


def _few_images(metrics: Metrics) -> list[str]:
    few = [(name, one["n"]) for name, one in metrics["per_class"].items() if one["n"] < FEW_IMAGES]
    if not few:
        return []
    return [f"fewer than {FEW_IMAGES} images: {_listed([f'{name} ({n})' for name, n in few])}"]


def _listed(names: list[str]) -> str:
    return ", ".join(printable(name).replace("\n", "\\n") for name in some(names, _NAMED))
