"""What a study is asked for, and what it must decide itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from ae_cls.errors import UsageError
from ae_cls.words.compose import compose

_DECIDED = {
    "labels.per_class": "study.budgets=[10,100,all]",
    "labels.fraction": "study.budgets=[10%,all]",
    "labels.count": "study.budgets=[10%,all]",
    "labels.draw": "study.draws=5",
    "split.folds": "study.folds=5",
    "split.fold": "study.folds=5",
    "folder": "study.folder=FOLDER",
    "test": "a study reads the test part, once for each run",
    "devices": "launch.jobs=2",
}
"""Keys that a study sets itself, and what is said to it instead."""


@final
@dataclass(frozen=True)
class Request:
    """A study as it was asked for.

    Attributes:
        words: as they were typed, apart from arms of the user's own.
        arms: those, by name.
        folders: the user's option folders.
    """

    words: tuple[str, ...]
    arms: Mapping[str, tuple[str, ...]]
    folders: tuple[Path, ...]

    def __post_init__(self) -> None:
        """Refuse keys that a study sets itself.

        Raises:
            UsageError: so it is.
        """
        for word in self.words:
            key = word.lstrip("+~").partition("=")[0]
            if key in _DECIDED:
                raise UsageError(f"a study sets {key} itself", where=word, fix=_DECIDED[key])

    @property
    def of_runs(self) -> tuple[str, ...]:
        """The words that say what a run does."""
        return tuple(word for word in self.words if group_of(word) != "study")

    @property
    def chooses_arms(self) -> bool:
        """Whether the user has named the arms, in place of a preset."""
        return any(word.lstrip("+").startswith("study.arms=") for word in self.words)

    def config(self, words: Sequence[str]) -> dict[str, Any]:
        """The composed config of a run with these words; with the key `launch`."""
        composed = self.compose(["figures=false", *words])
        return {key: value for key, value in composed.items() if key != "study"}

    def compose(self, words: Sequence[str]) -> dict[str, Any]:
        """What words of a study compose to."""
        return compose("study", words, self.folders)


def words_for_study(words: Sequence[str]) -> list[str]:
    """Those words of a run that a study takes; the others it sets itself."""
    return [word for word in words if word.lstrip("+~").partition("=")[0] not in _DECIDED]


def own_arms(words: Sequence[str]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The other words, and the arms that some of them describe: `arm.NAME='WORD WORD ...'`.

    Raises:
        UsageError: an arm has no name, or its words are none.
    """
    others, arms = list[str](), dict[str, tuple[str, ...]]()
    for word in words:
        key, _, value = word.partition("=")
        if not key.startswith("arm."):
            others.append(word)
            continue
        name, inner = key.removeprefix("arm."), tuple(value.split())
        if not name.isidentifier() or not inner or not all("=" in one for one in inner):
            raise UsageError(
                "an arm needs a name and words",
                where=word,
                fix="arm.mine='autoencoder=vae head=svm'",
            )
        arms[name] = inner
    return tuple(others), arms


def group_of(word: str) -> str:
    """What a word chooses an option of, or sets a key of."""
    return word.lstrip("+~").partition("=")[0].replace("/", ".").partition(".")[0]
