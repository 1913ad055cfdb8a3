"""Which rows train, validate and test, and which of the training rows show their label."""

import hashlib
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from jaxtyping import Int64
from pydantic import Field, model_validator

from ae_cls.dataset.contract import Dataset, Rows
from ae_cls.dataset.draw_together import drawn_together
from ae_cls.dataset.folds import stratified_folds
from ae_cls.dataset.labels import LabelsConfig, draw_labelled, shuffled
from ae_cls.errors import DataError, UsageError
from ae_cls.settings import Settings

Part = Literal["train", "valid", "test"]
Encoded = Part | Literal["pool"]
"""The parts of a split that heads read, and all that there is to learn from."""


@final
class SplitConfig(Settings):
    """How much is held out if the data set does not say so itself."""

    valid_fraction: float = Field(
        gt=0, lt=1, description="of the training rows; where there is no official validation part"
    )
    test_fraction: float = Field(
        ge=0,
        lt=1,
        description="of all labelled rows; where there is no official test part; 0: none",
    )
    seed: int | None = Field(ge=0, lt=2**32, description="null: the run's seed")
    folds: int | None = Field(
        ge=2,
        description="test parts into which the labelled rows are divided, in place of "
        "test_fraction; null: one draw",
    )
    fold: int = Field(ge=0, description="which of the folds is the test part; the first is 0")
    pretrain_on: Literal["all", "unlabelled"] | None = Field(
        default=None,
        description="images that pretraining sees: all, with labels or without, or unlabelled: "
        "only those that have no label, which are the same in every fold; null: all, but "
        "unlabelled in a study of folds where at least three in four have no label",
    )

    @model_validator(mode="after")
    def _there_is_such_a_fold(self) -> "SplitConfig":
        if self.fold and self.fold >= (self.folds or 1):
            raise ValueError(f"fold={self.fold} needs folds={self.fold + 1} or more")
        return self


@final
class SplitWords(Settings):
    """Those of the keys of a split that are to be others than in an earlier run."""

    valid_fraction: float | None = Field(
        gt=0,
        lt=1,
        description="of the training rows, where there is no official validation part; "
        "null: as the encoder's run",
    )
    test_fraction: float | None = Field(
        ge=0,
        lt=1,
        description="of all labelled rows, where there is no official test part; 0: none; "
        "null: as the encoder's run",
    )
    seed: int | None = Field(ge=0, lt=2**32, description="null: that of the encoder's run")


@final
@dataclass(frozen=True)
class Split:
    """Rows of `Dataset.images`, each array in ascending order.

    Attributes:
        pretrain: what the encoder sees: training without validation, and the unlabelled rows.
        watched: what its pretraining is judged on, without labels.
        train: rows whose labels could be shown.
        labelled: those of `train` whose labels are shown.
        valid: for choosing heads; without labels if the data set has none.
        test: only for the last step; empty without labels or if `test_fraction` is 0.
    """

    pretrain: Rows
    watched: Rows
    train: Rows
    labelled: Rows
    valid: Rows
    test: Rows

    @property
    def pool(self) -> Rows:
        """All that there is to learn from, with a label or without."""
        return np.union1d(self.train, self.pretrain)

    def digest(self) -> str:
        """SHA-256 of all rows, in hexadecimal."""
        hasher = hashlib.sha256()
        for name in ("pretrain", "train", "labelled", "valid", "test"):
            rows: Rows = getattr(self, name)
            hasher.update(f"{name}:{len(rows)}:".encode() + rows.astype("<i8").tobytes())
        return hasher.hexdigest()

    def parts_sha256(self) -> str:
        """Hash of the parts, the same for every label budget."""
        return replace(self, labelled=self.labelled[:0]).digest()


def make_split(dataset: Dataset, split: SplitConfig, labels: LabelsConfig, seed: int) -> Split:
    """Official parts if there are any, otherwise stratified draws from training.

    Validation never comes from test rows, and the draw of labels changes no part. Rows that belong
    together (`Dataset.bonds`) come into one part where the parts are ours; an unlabelled image
    that belongs to a held-out one is left out of pretraining.

    Args:
        dataset: its labels decide the strata.
        split: how much is held out.
        labels: how many labels are shown.
        seed: of the run, in place of seeds that are null.

    Raises:
        UsageError: a fraction leaves a part empty, more labels are asked for than there are, or
            folds of what has an official test part or too few rows, or too few images have no
            label for pretraining on these alone.
        DataError: a class has no training row.
    """
    split_seed = seed if split.seed is None else split.seed
    if not len(dataset.train):
        return _without_labels(dataset, split.valid_fraction, split_seed)
    bonds = dataset.bonds
    if split.folds is None:
        test, rest = _held_out(
            dataset, bonds, dataset.test, dataset.train, split.test_fraction, split_seed, "test"
        )
    else:
        test = folds_to_test(dataset, split.folds, split_seed)[split.fold]
        rest = np.setdiff1d(dataset.train, test)
    valid, train = _held_out(
        dataset, bonds, dataset.valid, rest, split.valid_fraction, split_seed, "valid"
    )
    _refuse_untrained_classes(dataset, train)
    draw_seed = seed if labels.draw is None else labels.draw
    labelled = draw_labelled(
        train, dataset.labels_of(train), dataset.class_names, labels, draw_seed
    )
    if split.pretrain_on == "unlabelled":
        pretrain, watched = _of_unlabelled(dataset, split.valid_fraction, seed)
    else:
        pretrain, watched = _of_all(dataset, train, valid, test), valid
    return Split(
        pretrain=pretrain, watched=watched, train=train, labelled=labelled, valid=valid, test=test
    )


def _of_all(dataset: Dataset, train: Rows, valid: Rows, test: Rows) -> Rows:
    """Training and unlabelled rows, without those that belong to what is held out by us."""
    parts = ((test, dataset.test), (valid, dataset.valid))
    ours = [part for part, official in parts if not len(official)]
    return np.sort(np.concatenate([train, _apart(dataset, _joined(ours))]))


def _of_unlabelled(dataset: Dataset, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """What is pretrained on, and what is held out of it, the same in every fold.

    So the seed is that of the run: that of the split draws other folds.
    """
    labelled = _joined([dataset.train, dataset.valid, dataset.test])
    rows = _apart(dataset, labelled)
    pretrain, watched = _parted(rows, fraction, seed, "watched")
    if not (len(pretrain) and len(watched)):
        raise UsageError(
            f"too few images have no label: {len(rows):,}, of which a part is held out",
            where="split.pretrain_on=unlabelled", fix="split.pretrain_on=all",
        )  # fmt: skip
    return pretrain, watched


def _parted(rows: Rows, fraction: float, seed: int, part: str) -> tuple[Rows, Rows]:
    """Of rows without a label those that stay, and a share of them that is held out."""
    order, count = shuffled(rows, seed, "split", part), _share(len(rows), fraction)
    return np.sort(order[count:]), np.sort(order[:count])


def _apart(dataset: Dataset, rows: Rows) -> Rows:
    """Unlabelled rows that belong to none of these."""
    bonds = dataset.bonds
    return dataset.unlabelled[~np.isin(bonds[dataset.unlabelled], bonds[rows])]


def folds_to_test(dataset: Dataset, folds: int, seed: int) -> list[Rows]:
    """The test part of each fold: together all labelled rows whose class has others to learn from.

    Raises:
        UsageError: there is an official test part, or there are too few rows for so many folds.
    """
    if len(dataset.test):
        raise UsageError(
            "there is an official test part, which folds would mix with training",
            where=f"split.folds={folds}", fix="split.folds=null",
        )  # fmt: skip
    rows = dataset.train
    labels, bonds = dataset.labels_of(rows), dataset.bonds[rows]
    held = stratified_folds(labels, bonds, most=folds, seed=seed, purpose="test")
    if len(held) < folds:
        raise UsageError(
            f"the labelled images do not make {folds} folds", where=f"split.folds={folds}",
            why=f"copies and groups stay together, which leaves {len(held)} folds",
            fix=f"split.folds={len(held)}" if len(held) > 1 else "more labelled images",
        )  # fmt: skip
    return [rows[positions] for positions in held]


def _without_labels(dataset: Dataset, fraction: float, seed: int) -> Split:
    """For pretraining alone: some unlabelled rows are held out to see when it has converged."""
    pretrain, watched = _parted(dataset.unlabelled, fraction, seed, "valid")
    if not (len(pretrain) and len(watched)):
        raise _empty("valid", fraction, dataset, dataset.unlabelled, dataset.bonds)
    none = np.zeros(0, dtype=np.int64)
    return Split(
        pretrain=pretrain,
        watched=watched,
        train=none,
        labelled=none,
        valid=watched,
        test=dataset.test,
    )


def _held_out(
    dataset: Dataset,
    bonds: Rows,
    official: Rows,
    rows: Rows,
    fraction: float,
    seed: int,
    part: str,
) -> tuple[Rows, Rows]:
    """The part, official or a stratified draw, and what is left of `rows`.

    Nothing is drawn at a fraction of 0.
    """
    if len(official):
        return official, rows
    classes = dataset.labels_of(rows)
    counts = np.bincount(classes, minlength=len(dataset.class_names))
    orders = [
        shuffled(np.flatnonzero(classes == index), seed, "split", part, index)
        for index in range(len(counts))
    ]
    drawn = drawn_together(orders, classes, bonds[rows], _quotas(counts, fraction))
    if not len(drawn) and fraction > 0:
        raise _empty(part, fraction, dataset, rows, bonds)
    held = rows[drawn]
    return held, np.setdiff1d(rows, held)


def _joined(parts: list[Rows]) -> Rows:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _quotas(counts: Int64[np.ndarray, " k"], fraction: float) -> Int64[np.ndarray, " k"]:
    """Rows to hold out of each class: largest remainder, but one row of each class stays."""
    exact = counts * fraction
    quotas = np.floor(exact).astype(np.int64)
    seats = _share(int(counts.sum()), fraction) - int(quotas.sum())
    # Stable: of equal remainders the lower class index comes first.
    for index in np.argsort(quotas - exact, kind="stable"):
        if seats > 0 and quotas[index] + 1 < counts[index]:
            quotas[index] += 1
            seats -= 1
    return quotas


def _share(count: int, fraction: float) -> int:
    return int(np.floor(count * fraction + 0.5))


def _empty(part: str, fraction: float, dataset: Dataset, rows: Rows, bonds: Rows) -> UsageError:
    units, images = len(np.unique(bonds[rows])), len(rows)
    why = f"there are {images} rows of {len(dataset.class_names)} classes to divide"
    if units < images:
        why += f", in {units} groups or sets of copies that must stay together"
    return UsageError(
        f"the {part} part, or what is left for training, would be empty",
        where=f"split.{part}_fraction={fraction:g}",
        why=why,
        fix=f"another split.{part}_fraction, or more images" + (" or groups" * (units < images)),
    )


def _refuse_untrained_classes(dataset: Dataset, train: Rows) -> None:
    counts = np.bincount(dataset.labels_of(train), minlength=len(dataset.class_names))
    for name, count in zip(dataset.class_names, counts.tolist(), strict=True):
        if count == 0:
            raise DataError(
                f"the class {name} has no training image",
                where=f"dataset={dataset.name}",
                fix="give it images, or remove the class from the labels",
            )
