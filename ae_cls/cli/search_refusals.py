"""What a search must not choose, for its trials must be comparable, and must not read."""

from ae_cls.cli.flags import SEARCH_WORD as WORD
from ae_cls.cli.flags import Words
from ae_cls.cli.search_goal import GOALS
from ae_cls.cli.search_space import Space
from ae_cls.errors import UsageError

_UNFAIR = {
    "seed": "the best of several seeds is the luckiest one",
    "split": "trials must be compared on the same images",
    "labels": "trials must be compared with the same labels",
    "test": "a search leaves the test part closed",
    "outputs": "a search has one place",
    "folder": "a search names the folders of its jobs",
}


def refuse_words(command: str, words: Words) -> None:
    """Stop a search of what cannot be searched, or one that opens the test part.

    Raises:
        UsageError: so it is.
    """
    if command not in GOALS:
        raise UsageError(
            f"{command} cannot be searched", where=WORD, fix="ae-cls " + ", ".join(GOALS)
        )
    for word in words.overrides:
        key, _, value = word.lstrip("+").partition("=")
        if key == "test" and value.lower() == "true":
            raise UsageError(
                "a search leaves the test part closed", where=word,
                why="what is chosen on test images cannot be tested on them",
                fix=f"leave {word} out; the search ends with the command that tests its winner",
            )  # fmt: skip


def refuse_unfair(space: Space) -> None:
    """Stop a search whose trials could not be compared.

    Raises:
        UsageError: so it is.
    """
    for key in space.dimensions:
        # Another size of the images is fair, other images are not.
        why = _UNFAIR["split"] if key == "dataset" else _UNFAIR.get(key.partition(".")[0])
        if why:
            raise UsageError(
                f"{key} cannot be searched", why=why,
                fix=f"one value of {key}, or a sweep over all of them: -m without {WORD}",
            )  # fmt: skip
