"""The words that people use for the parts of a data set, as names of folders and in tables."""

import re
from collections.abc import Iterable

from ae_cls.dataset.table import PartName

_NOUN = "(?:dataset|sets?|data|images?|imgs?|pictures?|pics?|photos?|samples?|split|part|folder)"
_WORDS: dict[PartName, tuple[str, ...]] = {
    "train": ("train", "training", "trn"),
    "valid": (
        "valid", "val", "validation", "validate", "dev", "development", "publictest",
    ),
    "test": ("test", "testing", "tst", "holdout", "heldout", "privatetest"),
    "unlabelled": (
        "unlabelled", "unlabeled", "notlabelled", "notlabeled", "nolabel", "nolabels",
        "withoutlabel", "withoutlabels", "unannotated", "unsupervised",
    ),
}  # fmt: skip
_PARTS: dict[str, PartName] = {word: part for part, words in _WORDS.items() for word in words}
# Some call their validation part so, some their test part: only the user knows.
_EITHER = ("eval", "evaluation")
# Alone, each of these may be a word of its own, such as the code of a language.
_SHORT = {"tr", "trn", "ts", "te", "tst", "va", "vl", "val", "dev"}
_WHOLE = "|".join([*_WORDS["train"], *_WORDS["valid"], *_WORDS["test"], *_EITHER])
_NEARLY = re.compile(rf"{_NOUN}?(?:{_WHOLE}){_NOUN}?\d*|(?:{_NOUN}|k|cv)?(?:fold|split|subset)\d+")


def part_of(name: str) -> PartName | None:
    """The part that a name stands for, such as Training, train_set or TEST; None for other names.

    Neither case, blanks, dashes and underscores nor words like set and images matter.
    """
    letters = letters_of(name)
    bare = re.sub(rf"^{_NOUN}|{_NOUN}$", "", letters)
    return _PARTS.get(letters) or _PARTS.get(bare)


def like_parts(names: Iterable[str]) -> list[str]:
    """Those of the names of class folders that look like parts, though not as `part_of` reads them.

    train_1 and train_2 do, as do fold1, evaluation, and digits-train beside digits-test.
    """
    ordered = sorted(names)
    nearly = [name for name in ordered if _NEARLY.fullmatch(letters_of(name))]
    short = len(ordered) > 1 and all(letters_of(name) in _SHORT for name in ordered)
    return ordered if short or _differ_by_a_part_alone(ordered) else nearly


def _differ_by_a_part_alone(names: list[str]) -> bool:
    words = [set(map(str.casefold, re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))) for name in names]
    parts = [found & {*_PARTS, *_EITHER} for found in words]
    rests = {frozenset(found - part) for found, part in zip(words, parts, strict=True)}
    return len(names) > 1 and all(parts) and len(rests) == 1


def letters_of(name: str) -> str:
    """What is left of a name if neither case, blanks, dashes nor underscores matter."""
    return re.sub(r"[\W_]+", "", name.casefold())
