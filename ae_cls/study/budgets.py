"""Label budgets: as they are given, or fitted to the data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from ae_cls.errors import UsageError

_A_CLASS = (2, 5, 10, 30, 100, 600, 3000)
_SHARES = (1, 3, 10, 30)  # per cent, where the rarest class is too rare for steps by class
_MOST = 4  # beside all labels


@final
@dataclass(frozen=True)
class Budget:
    """How many labels a job reads before the test.

    Attributes:
        word: what a run is told; empty for all labels.
        title: for people.
        count: labels in all.
    """

    word: str
    title: str
    count: int

    @property
    def is_all(self) -> bool:
        """Then there is nothing to draw."""
        return not self.word


def budgets_of(
    given: Sequence[int | str] | None, *, labels: int, rarest: int, classes: int
) -> list[Budget]:
    """The budgets that are given, or such as the data allow, each once, the smallest first.

    Args:
        given: labels of each class, shares such as "10%", "all"; None: fitted.
        labels: that there are for training.
        rarest: of them those of the rarest class.
        classes: number of classes.

    Raises:
        UsageError: a budget cannot be read, or there are fewer labels.
    """
    values = _fitted(rarest, labels, classes) if given is None else given
    read = [_budget(value, labels, rarest, classes) for value in values]
    once = {budget.word: budget for budget in read}
    return sorted(once.values(), key=lambda budget: (budget.is_all, budget.count))


def _fitted(rarest: int, labels: int, classes: int) -> list[int | str]:
    """The four largest steps that leave at least half of the rarest class unread, and all."""
    steps: list[int | str] = [step for step in _A_CLASS if 2 * step <= rarest]
    if len(steps) < 2:
        # Each class needs a label, and a budget of all but a few says nothing that `all` does not.
        steps = [f"{share}%" for share in _SHARES if share * labels // 100 >= 2 * classes]
    return [*steps[-_MOST:], "all"]


def _budget(value: int | str, labels: int, rarest: int, classes: int) -> Budget:
    text = str(value).strip()
    if text == "all":
        return Budget("", title_of(""), labels)
    if share := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text):
        return _share(float(share[1]), labels, classes)
    if not text.isdecimal() or int(text) < 1:
        raise _wrong(value, "it is no number of labels")
    if int(text) > rarest:
        raise _wrong(value, f"the rarest class has {rarest} training labels")
    word = f"labels.per_class={int(text)}"
    return Budget(word, title_of(word), int(text) * classes)


def _share(percent: float, labels: int, classes: int) -> Budget:
    count = round(percent / 100 * labels)
    if not classes <= count <= labels:
        raise _wrong(f"{percent:g}%", f"of {labels} labels that is {count}, for {classes} classes")
    word = f"labels.fraction={percent / 100:g}"
    return Budget(word, title_of(word), count)


def title_of(word: str) -> str:
    """What people call the labels that a word of a run asks for; empty: all labels."""
    key, _, value = word.partition("=")
    if not word:
        return "all"
    if key == "labels.per_class":
        return f"{value} a class"
    return f"{100 * float(value):g} %"


def _wrong(value: int | str, why: str) -> UsageError:
    return UsageError(
        f"{value} is not a budget", where="study.budgets", why=why,
        fix="labels of each class, shares, or all: 'study.budgets=[10,30%,all]'",
    )  # fmt: skip
