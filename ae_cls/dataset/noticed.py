"""What people should know of the image files that were decoded, one sentence each."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from ae_cls.dataset.decoding import Decoding, Frame
from ae_cls.dataset.facts import ImageFacts
from ae_cls.dataset.range_in_use import number_text
from ae_cls.errors import DataError, some

_MOST_CUT = 0.334  # of the median picture, by fit=crop: 3:2 becomes square without a word
_MOST_FLATTENED = 0.5  # of the training images
_BYTE = 8  # bits


def notes_of(facts: ImageFacts, paths: Sequence[str], frame: Frame) -> tuple[str, ...]:
    """What decoding dropped, and what it may have got wrong.

    Args:
        facts: one row a file.
        paths: likewise.
        frame: what the files were brought to, and how.
    """
    return (
        *_dropped(facts, paths),
        *_depths(facts, paths, frame.decoding),
        *_cut(facts, frame),
        *_one_colour(facts, paths, frame.decoding),
    )


def refuse_flattened(
    facts: ImageFacts,
    paths: Sequence[str],
    trained: Bool[np.ndarray, " n"],
    where: str,
    decoding: Decoding,
) -> None:
    """Refuse a data set of which decoding leaves plain areas; files that are plain may be meant.

    Args:
        facts: one row a file.
        paths: likewise.
        trained: which rows anything learns from.
        where: the data set, for the message.
        decoding: how they were decoded.

    Raises:
        DataError: more than half of the training images are of one colour, but not in the file.
    """
    lost = facts.flattened & trained
    if lost.sum() > _MOST_FLATTENED * trained.sum():
        raise DataError(
            f"{lost.sum()} of {trained.sum()} training images are of one colour after decoding",
            where=where,
            why="\n".join(some(_held(facts, paths, lost))),
            fix=_way_out(facts, lost, decoding),
        )


def _held(facts: ImageFacts, paths: Sequence[str], lost: Bool[np.ndarray, " n"]) -> list[str]:
    """What the files hold of which nothing is left."""
    return [
        f"{paths[row]}: {number_text(facts.lowest[row])} to {number_text(facts.highest[row])}"
        + (" and transparency" if facts.has_alpha[row] else "")
        for row in np.flatnonzero(lost).tolist()
    ]


def _way_out(facts: ImageFacts, lost: Bool[np.ndarray, " n"], decoding: Decoding) -> str:
    if facts.has_alpha[lost].any():
        return f"{_on_itself(decoding)}? {_other_background(decoding)}"
    if decoding.black is not None:
        return "set dataset.black and dataset.white to the two ends of these numbers"
    return "take a larger dataset.image_size, or dataset.fit=pad, which cuts nothing away"


def _on_itself(decoding: Decoding) -> str:
    shades = {(255, 255, 255): "white", (0, 0, 0): "black"}
    shade = shades.get(decoding.background_colour)
    return (
        f"is the figure {shade} on {shade}" if shade else "is the figure of the background's colour"
    )


def _other_background(decoding: Decoding) -> str:
    is_bright = sum(decoding.background_colour) > 3 * 127
    return f"dataset.background={0 if is_bright else 255}"


def _dropped(facts: ImageFacts, paths: Sequence[str]) -> Iterator[str]:
    several = facts.pictures > 1
    if several.any():
        first = int(several.argmax())
        yield (
            f"{_share(several)} image files hold several pictures (first {paths[first]}: "
            f"{facts.pictures[first]}): only the first picture of each is used"
        )
    unused = facts.unused_bands > 0
    if unused.any():
        first = int(unused.argmax())
        yield (
            f"{_share(unused)} image files have bands that are not used (first {paths[first]}: "
            f"{facts.unused_bands[first]} of {facts.bands[first]}); dataset.bands says which are"
        )


def _depths(facts: ImageFacts, paths: Sequence[str], decoding: Decoding) -> Iterator[str]:
    kinds = {
        f"floats of {bits} bits" if is_float else f"{bits} bits": None
        for bits, is_float in zip(facts.bits.tolist(), facts.is_float.tolist(), strict=True)
    }
    deep = (facts.bits > _BYTE) | facts.is_float
    if deep.any() and not deep.all():
        first, other = int(deep.argmax()), int((~deep).argmax())
        yield (
            f"{_share(deep)} image files have more than 8 bits ({paths[first]}, but not "
            f"{paths[other]}; in all: {', '.join(kinds)}): {_one_scale(decoding)}"
        )
    lost = facts.stored_bits > facts.bits
    if lost.any():
        first = int(lost.argmax())
        yield (
            f"{_share(lost)} image files have more than the 8 bits a number that can be read of "
            f"their format (first {paths[first]}: {facts.stored_bits[first]} bits): save them as "
            "PNG or TIFF of 16 bits if fine steps of brightness matter"
        )
    if decoding.black is not None and decoding.white is not None:
        black, white = sorted((decoding.black, decoding.white))
        beyond = (facts.low < black) | (facts.high > white)
        if beyond.any():
            first = int(beyond.argmax())
            yield (
                f"{_share(beyond)} image files reach beyond dataset.black and dataset.white and "
                f"are clipped there (first {paths[first]}: {number_text(facts.lowest[first])} to "
                f"{number_text(facts.highest[first])})"
            )


def _one_scale(decoding: Decoding) -> str:
    if decoding.black is None:
        return "the largest number of each type is white"
    return "dataset.black and dataset.white mean the same numbers in all of them"


def _cut(facts: ImageFacts, frame: Frame) -> Iterator[str]:
    if cuts_too_much(facts, frame):
        cut = float(np.median(_cut_away(facts, frame)))
        yield (
            f"dataset.fit=crop cuts {cut:.0%} of the median picture away to make it "
            f"{frame.height}x{frame.width}: dataset.fit=pad shows all of it, dataset.fit=stretch "
            "distorts it"
        )


def cuts_too_much(facts: ImageFacts, frame: Frame) -> bool:
    """Whether fit=crop cuts more than a third of the median picture away."""
    if frame.decoding.fit != "crop" or not len(facts):
        return False
    return float(np.median(_cut_away(facts, frame))) > _MOST_CUT


def _cut_away(facts: ImageFacts, frame: Frame) -> Float64[np.ndarray, " n"]:
    """The share of each picture that does not fit into the proportions of the frame."""
    ratio = (facts.width / facts.height) / (frame.width / frame.height)
    return 1 - np.minimum(ratio, 1 / ratio)


def _one_colour(facts: ImageFacts, paths: Sequence[str], decoding: Decoding) -> Iterator[str]:
    if not facts.one_colour.any():
        return
    first = int(facts.one_colour.argmax())
    note = (
        f"{_share(facts.one_colour)} images are of one colour after decoding, first {paths[first]}"
    )
    if (facts.flattened & facts.has_alpha).any():
        note += f": {_on_itself(decoding)}? {_other_background(decoding)}"
    yield note


def _share(found: Bool[np.ndarray, " n"]) -> str:
    return f"{found.sum()} of {len(found)}"
