"""How long cells take: by what was measured before they begin, and by those that have finished."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ae_cls.study.cells import Cell
from ae_cls.study.facts import Facts

Measured = Mapping[tuple[str, str], float]
"""Seconds of a cell that has finished, by arm and title of the budget."""

# Seconds, of which one thread on 1,408 features needed so many at least and a label in addition.
_HEADS = {
    "linear": (0.4, 4e-4), "svm": (0.4, 8e-4), "knn": (0.2, 2.5e-4), "mlp": (6.0, 1.8e-3),
    "forest": (0.5, 9e-3),
}  # fmt: skip
_OTHER_HEAD = (1.0, 1e-3)
_AROUND = 0.3  # seconds that a cell takes beside its stages
_SHARED_STAGES = ("pretrain", "encode")  # made by whichever cell comes first


def seconds_of(cells: Sequence[Cell], facts: Facts, measured: Measured) -> float:
    """Of all cells together, one after another; what they share is paid once."""
    own = sum(_own_seconds(cell, facts, measured) for cell in cells)
    return own + _shared_seconds(cells, facts)


def pretrainings_of(cells: Iterable[Cell], facts: Facts) -> tuple[int, int]:
    """How many networks are trained without labels, and how many of them are kept already."""
    trained = {
        (facts.arms[cell.arm.name].pretraining, cell.seed, cell.split): facts.arms[cell.arm.name]
        for cell in cells
        if facts.arms[cell.arm.name].passes
    }
    kept = [key for key, arm in trained.items() if arm.is_kept and _is_first(*key[1:])]
    return len(trained), len(kept)


def own_seconds_in(environment: Mapping[str, Any]) -> float:
    """What a finished cell took for itself, by its environment.json."""
    seconds = environment.get("seconds", {})
    return _AROUND + sum(time for stage, time in seconds.items() if stage not in _SHARED_STAGES)


def _own_seconds(cell: Cell, facts: Facts, measured: Measured) -> float:
    if (known := measured.get((cell.arm.name, cell.budget.title))) is not None:
        return known
    arm, labels = facts.arms[cell.arm.name], cell.budget.count
    if arm.finetune is None:
        fixed, of_label = _HEADS.get(arm.head, _OTHER_HEAD)
        return _AROUND + fixed + of_label * labels
    epochs = (
        arm.longer_epochs(labels, facts.passes) if cell.arm.same_compute else arm.finetune.epochs
    )
    images = epochs * arm.finetune.images_an_epoch(labels)
    of_image = arm.pretrain_seconds / arm.cost_ratio
    return _AROUND + images * of_image + facts.judged * arm.encode_seconds


def _shared_seconds(cells: Sequence[Cell], facts: Facts) -> float:
    """Of pretraining, and of encoding all images for the heads on frozen features."""
    networks: dict[tuple[str, int, tuple[int, int | None]], float] = {}
    tables: dict[tuple[str, int, tuple[int, int | None]], float] = {}
    for cell in cells:
        arm, place = facts.arms[cell.arm.name], (cell.seed, cell.split)
        if arm.passes and not (arm.is_kept and _is_first(*place)):
            networks[arm.pretraining, *place] = arm.passes * arm.pretrain_seconds
        if arm.finetune is None:
            tables[cell.arm.name, *place] = (facts.pretrain + facts.judged) * arm.encode_seconds
    return sum(networks.values()) + sum(tables.values())


def _is_first(seed: int, split: tuple[int, int | None]) -> bool:
    return seed == 0 and split == (0, None)
