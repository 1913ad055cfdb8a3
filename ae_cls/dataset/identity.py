"""Which data a run was given: a number for each row, from its pixels, its label and its name."""

import hashlib

import numpy as np
from jaxtyping import UInt64

from ae_cls.dataset.contract import NO_LABEL, Dataset
from ae_cls.errors import DataError

Identity = UInt64[np.ndarray, " _"]
"""Equal for rows of equal pixels, the same name of the class and the same path."""


def identity_of(dataset: Dataset) -> Identity:
    """The number of each row of a data set that `read` has read."""
    assert dataset.copies is not None, "the pixels have not been hashed"
    names = {NO_LABEL: _hash("")} | {i: _hash(f"={n}") for i, n in enumerate(dataset.class_names)}
    labels = np.array([names[label] for label in dataset.labels.tolist()], np.uint64)
    identity = _mixed(dataset.copies.pixels + _mixed(labels))
    if not dataset.paths:
        return identity
    return _mixed(identity + np.array([_hash(path) for path in dataset.paths], np.uint64))


def identity_sha256(identity: Identity) -> str:
    """One hash of all rows in their order."""
    return hashlib.sha256(identity.astype("<u8").tobytes()).hexdigest()


def refuse_other_rows(before: Identity, dataset: Dataset, where: str, fix: str) -> None:
    """Stop where a data set is not what it was.

    Args:
        before: what `identity_of` gave.
        dataset: as it is now.
        where: what was given the data before, for the message.
        fix: what can be done.

    Raises:
        DataError: how many images changed, came or went, and the first of them.
    """
    now = identity_of(dataset)
    if np.array_equal(before, now):
        return
    raise DataError(
        f"the data set is not what this run was given: {_difference(before, now, dataset)}",
        where=where,
        why="names, labels and pixels of all images are compared",
        fix=fix,
    )


def _difference(before: Identity, now: Identity, dataset: Dataset) -> str:
    new = np.flatnonzero(~np.isin(now, before))
    gone = int((~np.isin(before, now)).sum())
    changed = min(len(new), gone)
    counts = {"changed": changed, "added": len(new) - changed, "missing": gone - changed}
    said = [f"{_images(count)} {word}" for word, count in counts.items() if count]
    if not said:
        return "its images have another order"
    return ", ".join(said) + (f", first {dataset.name_of(int(new[0]))}" if len(new) else "")


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _hash(text: str) -> int:
    content = text.encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _mixed(values: Identity) -> Identity:
    """Every bit depends on every bit (the finaliser of splitmix64: Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
