"""How long cells take: by what was measured before they begin, and by those that have finished."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ae_cls.study.cells import Cell
from ae_cls.study.facts import ArmFacts, Facts
from ae_cls.train.length import Length

Measured = Mapping[tuple[str, str], float]
"""Seconds of a cell that has finished, by arm and title of the budget."""

# Seconds: what two threads (AVX2) needed at least, and of a label in addition, with 1,000 features
# and settings chosen by folds of the labels: Fashion-MNIST, 100 to 6,000 labels, an idle machine.
# Those of lda and boosting are guesses from digits.
_HEADS = {
    "linear": (0.3, 1.6e-3), "lda": (0.2, 1e-4), "svm": (0.5, 9e-3), "knn": (0.2, 1.8e-4),
    "mlp": (6.0, 2e-3), "forest": (9.0, 6.7e-3), "boosting": (30.0, 1e-2),
}  # fmt: skip
_OTHER_HEAD = (1.0, 1e-3)
# A forest grows all its trees for each setting then, not a third of them; deep ones take longer.
_FITS_OF_ALL = {"forest": 1.3}
_OF_PAIR = 5e-8  # of images in the graph of head=spread: 54,000 took 150 s
_FOLDS = 5  # of the labels; with all labels the validation part is chosen on, by one fit a setting
_AROUND = 1.0  # seconds that a cell takes beside its stages
_SHARED_STAGES = ("pretrain", "encode")  # made by whichever cell comes first


def seconds_of(cells: Sequence[Cell], facts: Facts, measured: Measured) -> float:
    """Of all cells together, one after another; what they share is paid once."""
    own = math.fsum(own_seconds(cell, facts, measured) for cell in cells)
    return own + _shared_seconds(cells, facts)


def pretrainings_of(cells: Iterable[Cell], facts: Facts) -> tuple[int, int]:
    """How many networks are trained without labels, and how many of them are kept already."""
    trained = {
        (facts.arms[cell.arm.name].pretraining, *_network(cell, facts)): facts.arms[cell.arm.name]
        for cell in cells
        if facts.arms[cell.arm.name].passes
    }
    kept = [key for key, arm in trained.items() if arm.is_kept and _is_first(*key[1:])]
    return len(trained), len(kept)


def own_seconds(cell: Cell, facts: Facts, measured: Measured) -> float:
    """Of one cell, without what it shares with others."""
    if (known := measured.get((cell.arm.name, cell.budget.title))) is not None:
        return known
    arm = facts.arms[cell.arm.name]
    if arm.finetune is not None:
        return _AROUND + _finetuning_seconds(cell, arm, arm.finetune, facts)
    fixed, of_label = _HEADS.get(arm.head, _OTHER_HEAD)
    fits = _FITS_OF_ALL.get(arm.head, 1 / _FOLDS) if cell.budget.is_all else 1.0
    graph = _OF_PAIR * facts.pretrain**2 if arm.head == "spread" else 0.0
    return _AROUND + fixed + (fits * of_label * cell.budget.count + graph) * arm.width / 1000


def own_seconds_in(environment: Mapping[str, Any]) -> float:
    """What a finished cell took for itself, by its environment.json."""
    seconds = environment.get("seconds", {})
    return _AROUND + sum(time for stage, time in seconds.items() if stage not in _SHARED_STAGES)


def _finetuning_seconds(cell: Cell, arm: ArmFacts, finetune: Length, facts: Facts) -> float:
    # Where images without a label are learnt from, an epoch passes over all of them, and each
    # goes through the autoencoder as in pretraining, too.
    labels = facts.pretrain if arm.on_all else cell.budget.count
    if cell.arm.same_compute:
        finetune = replace(finetune, epochs=arm.longer_epochs(labels, facts.passes))
    of_steps = arm.step_seconds * finetune.steps(labels)
    of_image = arm.pretrain_seconds * (1 / arm.cost_ratio + arm.on_all)
    of_images = of_image * finetune.images(labels)
    # Within a budget no validation image is looked at while the encoder trains.
    watched = finetune.epochs * facts.valid if cell.budget.is_all else 0
    return of_steps + of_images + (watched + facts.judged) * arm.encode_seconds


def _shared_seconds(cells: Sequence[Cell], facts: Facts) -> float:
    """Of pretraining, and of encoding all images for the heads on frozen features."""
    networks: dict[tuple[str, int, tuple[int, int | None]], float] = {}
    tables: dict[tuple[str, int, tuple[int, int | None]], float] = {}
    for cell in cells:
        arm, place = facts.arms[cell.arm.name], (cell.seed, cell.split)
        network = _network(cell, facts)
        if arm.passes and not (arm.is_kept and _is_first(*network)):
            seconds = arm.passes * arm.pretrain_seconds + arm.steps * arm.step_seconds
            networks[arm.pretraining, *network] = seconds
        if arm.finetune is None:
            tables[cell.arm.name, *place] = (facts.pretrain + facts.judged) * arm.encode_seconds
    return math.fsum((*networks.values(), *tables.values()))


def _network(cell: Cell, facts: Facts) -> tuple[int, tuple[int, int | None]]:
    """Equal for cells that share a pretraining, where their arms do."""
    return cell.seed, (0, None) if facts.shares_pretraining else cell.split


def _is_first(seed: int, split: tuple[int, int | None]) -> bool:
    return seed == 0 and split == (0, None)
