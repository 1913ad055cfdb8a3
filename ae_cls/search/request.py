"""What a search is asked for, and what it must not choose or read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from ae_cls.errors import UsageError
from ae_cls.search.space import Space
from ae_cls.words.compose import compose

_UNFAIR = {
    "seed": "the best of several seeds is the luckiest one",
    "split": "trials must be compared on the same images",
    "dataset": "trials must be compared on the same images",
    "labels": "trials must be compared with the same labels",
    "test": "a search leaves the test part closed",
    "outputs": "a search has one place",
    "folder": "a search names the folders of its jobs",
    "launch": "a search has one place",
    "search": "it says how the others are searched",
}


@final
@dataclass(frozen=True)
class Request:
    """A search as it was asked for.

    Attributes:
        command: a word that Hydra composes.
        space: what may be chosen.
        shared: words that all trials share, as they were typed.
        folders: the user's option folders.
    """

    command: str
    space: Space
    shared: tuple[str, ...]
    folders: tuple[Path, ...]

    def __post_init__(self) -> None:
        """Refuse trials that could not be compared, and the test part.

        Raises:
            UsageError: so it is.
        """
        for key in self.space.dimensions:
            group, _, inner = key.partition(".")
            # Another size of the images is fair, other images are not.
            if group in _UNFAIR and not (group == "dataset" and inner):
                raise UsageError(
                    f"{key} cannot be searched", why=_UNFAIR[group],
                    fix=f"one value of {key}, or a sweep over all: ae-cls {self.command} -m",
                )  # fmt: skip
        for word in self.shared:
            key, _, value = word.lstrip("+").partition("=")
            if key == "test" and value.lower() == "true":
                raise UsageError(
                    "a search leaves the test part closed", where=word,
                    why="what is chosen on test images cannot be tested on them",
                    fix=f"leave {word} out; the search ends with the command that tests its winner",
                )  # fmt: skip

    @property
    def flags(self) -> tuple[str, ...]:
        """Those that the command of the winner needs, too."""
        return tuple(word for folder in self.folders for word in ("--config-dir", str(folder)))

    @property
    def of_trials(self) -> tuple[str, ...]:
        """The shared words that say what a trial does."""
        return tuple(word for word in self.shared if not _is_about_search(word))

    def refuse_names(self) -> None:
        """Stop at those that do not exist, before the models are imported, which takes seconds.

        Raises:
            UsageError: so it is.
        """
        words = (*self.shared, *self.space.probes()[0])
        self.compose([word for word in words if not word.startswith("search.")])

    def compose(self, words: Sequence[str]) -> dict[str, Any]:
        """What words compose to; the key `search` has the settings of the search."""
        return compose(self.command, words, self.folders)


def _is_about_search(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return key.partition(".")[0] in {"search", "launch"}
