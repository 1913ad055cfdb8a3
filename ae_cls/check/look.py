"""From a data set to what can be said of it."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Shaped

from ae_cls.check.advice import advice_of, command_of
from ae_cls.check.doubts import doubts_of
from ae_cls.check.findings import (
    BadFile,
    Balance,
    ClassCounts,
    CopyFindings,
    CopySet,
    Files,
    Findings,
    Groups,
    Picture,
    Refusal,
    Suspect,
    SuspectFindings,
)
from ae_cls.check.reading import refusal_of
from ae_cls.dataset.contract import NO_LABEL, Dataset, Rows
from ae_cls.dataset.copies import Copies, sets_of
from ae_cls.dataset.facts import ImageFacts
from ae_cls.dataset.split import Split, make_split
from ae_cls.errors import DataError, UsageError
from ae_cls.evaluate.health import RARE, label_warnings
from ae_cls.experiment.check import Check

PartNames = Shaped[np.ndarray, " n"]
"""The name of the part of each row."""

_LEFT_OUT = "left out: "  # begins the note of a file that cannot be decoded
_CHUNK = 1024  # images at a time


def look(check: Check, dataset: Dataset, refusals: tuple[Refusal, ...]) -> Findings:
    """All that can be said of a data set without training.

    Args:
        check: how it would be split, and the seed.
        dataset: as far as it could be read.
        refusals: what was refused on the way.
    """
    parts, unsplit = _parts(check, dataset)
    refusals = (*refusals, *unsplit)
    labels = dataset.labels_of(np.arange(len(dataset.images)))
    copies = dataset.copies
    assert copies is not None, "nobody has looked for copies"
    bad = _bad_files(dataset)
    classes = tuple(_class_counts(dataset, labels, parts))
    balance = _balance(classes)
    advice = advice_of(check.dataset, dataset, bad, balance)
    return Findings(
        dataset=dataset.name,
        refusals=refusals,
        command=command_of(check, advice, refused=bool(refusals), has_classes=balance is not None),
        images=len(labels),
        image_shape=dataset.image_shape,
        classes=classes,
        unlabelled=int((labels == NO_LABEL).sum()),
        files=None if dataset.facts is None else _files(dataset.facts),
        bad=bad,
        notes=tuple(note for note in dataset.notes if not note.startswith(_LEFT_OUT)),
        one_colour=tuple(_picture(dataset, labels, parts, row) for row in _one_colour(dataset)),
        copies=_copies(dataset, labels, parts, copies),
        groups=None if dataset.groups is None else _groups(dataset.groups, parts),
        balance=balance,
        suspects=_suspects(check, dataset, labels, parts) if balance else None,
        advice=advice,
    )


def _parts(check: Check, dataset: Dataset) -> tuple[PartNames, list[Refusal]]:
    """The part of each row as a run would split them; the official one if it would refuse."""
    try:
        return _names(dataset, make_split(dataset, check.split, check.labels, check.seed)), []
    except (DataError, UsageError) as error:
        return _names(dataset, dataset), [refusal_of(error)]


def _names(dataset: Dataset, parts: Split | Dataset) -> PartNames:
    names = np.full(len(dataset.images), "unlabelled", dtype=object)
    names[parts.train] = "train"
    names[parts.valid] = "valid"
    names[parts.test] = "test"
    return names


def _class_counts(dataset: Dataset, labels: Rows, parts: PartNames) -> Iterator[ClassCounts]:
    known = labels != NO_LABEL
    counts = {
        part: np.bincount(labels[known & (parts == part)], minlength=len(dataset.class_names))
        for part in ("train", "valid", "test")
    }
    for index, name in enumerate(dataset.class_names):
        yield ClassCounts(name, *(int(counts[part][index]) for part in counts))


def _files(facts: ImageFacts) -> Files:
    order = np.argsort(facts.height * facts.width, kind="stable")
    sizes = np.stack([facts.height, facts.width], 1)
    kinds = zip(facts.bits.tolist(), facts.is_float.tolist(), strict=True)
    return Files(
        smallest=_size(sizes[order[0]]),
        median=_size(np.median(sizes, axis=0)),
        largest=_size(sizes[order[-1]]),
        sizes=len(np.unique(sizes, axis=0)),
        bands=_counted(str(bands) for bands in facts.bands.tolist()),
        depths=_counted(f"{bits} bits{' (floats)' * floats}" for bits, floats in kinds),
        formats=_counted(str(name) for name in facts.format.tolist()),
    )


def _size(pair: np.ndarray) -> tuple[int, int]:
    return int(pair[0]), int(pair[1])


def _counted(words: Iterator[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _bad_files(dataset: Dataset) -> tuple[BadFile, ...]:
    """Files that cannot be decoded, with the reason that their note gives."""
    starts = {path: f"{_LEFT_OUT}{path}: " for path in dataset.left_out}
    reasons = iter(note for note in dataset.notes if note.startswith(_LEFT_OUT))
    return tuple(
        BadFile(path, next(reasons, "").removeprefix(start)) for path, start in starts.items()
    )


def _one_colour(dataset: Dataset) -> Iterator[int]:
    """Rows that show nothing; of files it was seen while they were decoded."""
    if dataset.facts is not None:
        yield from np.flatnonzero(dataset.facts.one_colour).tolist()
        return
    for rows in torch.arange(len(dataset.images)).split(_CHUNK):
        pixels = dataset.images.index_select(0, rows).flatten(2)
        plain = (pixels.amax(2) == pixels.amin(2)).all(1)
        yield from rows[plain].tolist()


def _picture(dataset: Dataset, labels: Rows, parts: PartNames, row: int) -> Picture:
    label = dataset.class_names[labels[row]] if labels[row] != NO_LABEL else ""
    return Picture(int(row), dataset.name_of(row), label, str(parts[row]))


def _copies(dataset: Dataset, labels: Rows, parts: PartNames, copies: Copies) -> CopyFindings:
    sets = [
        CopySet(
            tuple(_picture(dataset, labels, parts, row) for row in rows.tolist()),
            equal=len(np.unique(copies.pixels[rows])) == 1,
        )
        for rows in sorted(sets_of(copies.alike), key=len, reverse=True)
    ]
    # What makes a result wrong stands first; the order of the sets is kept otherwise.
    worst_first = sorted(sets, key=lambda one: (not one.across, not one.labels_differ))
    return CopyFindings(tuple(worst_first), copies.compared)


def _groups(groups: Rows, parts: PartNames) -> Groups:
    numbers, counts = np.unique(groups[groups >= 0], return_counts=True)
    across = [len(set(parts[rows])) > 1 for rows in sets_of(groups) if groups[rows[0]] >= 0]
    return Groups(
        count=len(numbers),
        largest=int(counts.max(initial=0)),
        alone=int((groups < 0).sum()),
        across=sum(across),
    )


def _balance(classes: Sequence[ClassCounts]) -> Balance | None:
    train = {one.name: one.train for one in classes}
    if sum(count > 0 for count in train.values()) < 2:
        return None
    most, rarest = max(train, key=train.__getitem__), min(train, key=train.__getitem__)
    warnings = label_warnings(
        train,
        {one.name: one.valid for one in classes},
        weighing=("head.class_weight=balanced", "labels.choose_by=balanced_accuracy"),
    )
    total = sum(train.values())
    return Balance(
        most=most,
        share=train[most] / total,
        rarest=rarest,
        rarest_count=train[rarest],
        warnings=tuple(warnings),
        is_unequal=train[rarest] * RARE * len(train) < total,
    )


def _suspects(check: Check, dataset: Dataset, labels: Rows, parts: PartNames) -> SuspectFindings:
    rows = np.flatnonzero(labels != NO_LABEL)
    units = dataset.bonds[rows]
    doubts = doubts_of(
        dataset.images, rows, labels[rows], units, len(dataset.class_names), check.seed
    )
    suspects = [
        Suspect(
            _picture(dataset, labels, parts, row), dataset.class_names[predicted],
            float(probability), float(given),
        )
        for row, predicted, probability, given in zip(
            doubts.rows.tolist(), doubts.predicted.tolist(), doubts.probability, doubts.given,
            strict=True,
        )
    ]  # fmt: skip
    return SuspectFindings(tuple(suspects), doubts.judged, doubts.accuracy, doubts.why_not)
