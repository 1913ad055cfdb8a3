"""What is said of pictures that are unlike those of training: of each, and of all together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32, UInt8
from torch import Tensor

from ae_cls.saved.likeness import UNLIKE, Likeness
from ae_cls.saved.looks import looks_of, measured

WITHOUT = (
    "this model was saved by a version that kept nothing of its training images, so it is not said "
    "which images are unlike them"
)
_FAR = "far from all training images"
_FEWEST_TOGETHER = 20
_CLEAR, _MATTERS = 5.0, 0.25
"""Of a shift of the mean: in standard errors, and in standard deviations of single pictures."""


@final
@dataclass(frozen=True)
class Seen:
    """A picture, measured.

    Attributes:
        looks: as `measured` has them.
        far: as `Likeness.far` has them.
        label: the predicted class; None where nothing was predicted.
    """

    looks: Float32[np.ndarray, " s"]
    far: Float32[np.ndarray, " t"]
    label: int | None = None


def seen(
    likeness: Likeness,
    images: UInt8[Tensor, "b c h w"],
    features: Float32[np.ndarray, "b d"] | None,
    labels: Sequence[int] = (),
) -> list[Seen]:
    """Pictures measured, by their looks alone where there are no features."""
    looks = measured(images).numpy()
    far = likeness.far(looks, features)
    return [Seen(*each) for each in zip(looks, far, labels or [None] * len(looks), strict=True)]


def reasons(likeness: Likeness, picture: Seen) -> str:
    """Why a picture is unlike those of training, the main reason first; empty if it is not."""
    if picture.far.max() <= likeness.limit[0]:
        return ""  # at once, as this is said of nearly all
    order = np.argsort(-picture.far, kind="stable")
    too_far = [int(place) for place in order if picture.far[place] > likeness.limit[0]]
    return "; ".join(_reason(likeness, picture, place) for place in too_far)


def summary(likeness: Likeness, pictures: Sequence[Seen]) -> list[str]:
    """What is said of all pictures: at most one sentence."""
    marked = [picture for picture in pictures if picture.far.max() > likeness.limit[0]]
    moved = _moved(likeness, pictures) if 2 * len(marked) < len(pictures) else ""
    if moved and len(marked) <= _by_chance(len(pictures)):
        return [moved]
    return [_counted(likeness, marked, len(pictures))] if marked else []


def _reason(likeness: Likeness, picture: Seen, place: int) -> str:
    word = _word(likeness, picture, place)
    if word == _FAR:
        return word
    values, value = likeness.values[:, place], picture.looks[place]
    is_more = value > likeness.range[1, place]
    beyond = float((values < value).mean() if is_more else (values > value).mean())
    share = "all" if beyond == 1 else f"{int(1000 * beyond) / 10:g} % of the"
    return f"{word} than {share} training images"


def _word(likeness: Likeness, picture: Seen, place: int) -> str:
    looks = list(looks_of(len(likeness.border)).values())
    if place == len(looks):
        return _FAR
    more = picture.looks[place] > likeness.range[1, place]
    return looks[place].more if more else looks[place].less


def _counted(likeness: Likeness, marked: Sequence[Seen], count: int) -> str:
    mains = [(int(each.far.argmax()), each) for each in marked]
    words = Counter((place, _word(likeness, each, place)) for place, each in mains)
    (place, word), often = words.most_common(1)[0]
    who, numbers = _who(often, len(marked)), ""
    if word != _FAR:
        such = [each for p, each in mains if (p, _word(likeness, each, p)) == (place, word)]
        here = float(np.mean([each.looks[place] for each in such]))
        numbers = _numbers(float(likeness.range[1, place]), here)
    end = "the labels may be wrong"
    if len(marked) <= _by_chance(count):
        end = f"of images like those of training, {100 * UNLIKE:g} % are called so, too"
    verb = "is" if len(marked) == 1 else "are"
    images = "image" if count == 1 else "images"
    what = f"{len(marked)} of {count} {images} {verb} unlike the training images"
    return f"{what}: {who} {word}{numbers}; {end}"


def _who(often: int, count: int) -> str:
    if count == 1:
        return "it is"
    if often == count:
        return "all are"
    return "most are" if 2 * often > count else f"{often} are"


def _numbers(there: float, here: float) -> str:
    return f" ({there:.2f} there, {here:.2f} here)"


def _by_chance(count: int) -> float:
    """As many of `count` pictures like those of training may well be called unlike.

    Twice the share, as the limit was set on a thousand images at most, and what chance adds.
    """
    return 2 * (count * UNLIKE + (count * UNLIKE) ** 0.5)


def _moved(likeness: Likeness, pictures: Sequence[Seen]) -> str:
    """The look whose mean is clearly not that of training images of the same classes, if any is."""
    labels = [picture.label for picture in pictures if picture.label is not None]
    if len(labels) < _FEWEST_TOGETHER or max(labels) >= len(likeness.means):
        return ""
    here = np.mean([picture.looks for picture in pictures], axis=0)
    there, spread = likeness.means[labels].mean(axis=0), likeness.deviations
    errors = spread * (1 / len(labels) + 1 / len(likeness.values)) ** 0.5
    looks = list(looks_of(len(likeness.border)).values())
    least = np.maximum(_MATTERS * spread, [look.least for look in looks])
    clear = np.where(np.abs(here - there) > least, np.abs(here - there) / (errors + 1e-9), 0)
    place = int(clear.argmax())
    if clear[place] <= _CLEAR:
        return ""
    word = looks[place].more if here[place] > there[place] else looks[place].less
    numbers = _numbers(float(there[place]), float(here[place]))
    return (
        f"the {len(labels)} images taken together are {word} than training images of the same "
        f"classes{numbers}; the labels may be wrong"
    )
