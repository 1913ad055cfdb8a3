"""Words whose values are paths: text as it was typed, whatever Hydra's grammar would make of it."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString, RangeSweep
from hydra.errors import OverrideParseException

from ae_cls.errors import UsageError
from ae_cls.experiment.configs import is_path_key
from ae_cls.store.places import at_home

_PIECE = re.compile(
    r"""(?: \s*'(?:\\.|[^'\\])*'\s*(?=,|$) | \s*"(?:\\.|[^"\\])*"\s*(?=,|$)
        | (?: \\. | \([^()]*\) | \[[^][]*\] | \{[^{}]*\} | [^,] )+ )""",
    re.VERBOSE | re.DOTALL,
)
"""What stands between the commas of a choice."""


def readable(word: str, words: Sequence[str]) -> str:
    """The word so that Hydra reads a path as text; the word itself if it gives no path.

    A value that is there, in this folder or below a `dataset.root` of the words, is one path. Of
    any other one commas, quotes, `null` and `${...}` keep their meaning, and the rest is text.

    Raises:
        UsageError: the path is not UTF-8, so no config can hold it.
    """
    start, equals, value = word.partition("=")
    if not equals or not is_path_key(start.lstrip("+")):
        return word
    if not value.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UsageError(
            f"{word} cannot be kept as text", why="it is not UTF-8",
            fix=f"{start}=LINK, after: ln -s FOLDER LINK",
        )  # fmt: skip
    roots = [other.partition("=")[2] for other in words if other.startswith("dataset.root=")]
    if value and any(os.path.lexists(Path(at_home(root), at_home(value))) for root in ("", *roots)):
        return f"{start}={_as_text(value)}"
    choice = re.fullmatch(r"choice\((.*)\)", value, re.DOTALL)
    pieces = _PIECE.findall(choice[1] if choice else value)
    return f"{start}=" + ",".join(text for piece in pieces for text in _texts(piece))


def moved_root(words: Sequence[str]) -> str | None:
    """What `dataset.root=` says, the only word that may stand here; None without it.

    Raises:
        UsageError: there is another word.
    """
    root = None
    for word in words:
        key, _, value = word.partition("=")
        if key != "dataset.root" or not value:
            raise UsageError(
                f"{word} cannot be given here", fix="dataset.root=WHERE_THE_DATA_ARE_NOW"
            )
        root = at_home(value)
    return root


def _texts(piece: str) -> Iterator[str]:
    """Each value of one piece, in quotes where it would not be read as text."""
    read = _read(piece)
    if read is None or not isinstance(value := read.value(), str | None | ChoiceSweep | RangeSweep):
        yield _as_text(piece.strip())
    elif isinstance(value, str | None):
        yield _as_text(value) if value and value[0] == "~" and "${" not in value else piece
    else:
        for each in read.sweep_string_iterator():
            yield from _texts(str(each))


def _as_text(text: str) -> str:
    """A value that Hydra and OmegaConf read as this text, a home folder filled in."""
    text = "./???" if text == "???" else at_home(text)  # OmegaConf's sign for a missing value
    read = _read(text)
    if read is not None and read.value() == text and "${" not in text:
        return text
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)  # no interpolation
    return QuotedString(literal, Quote.single).with_quotes()


def _read(value: str) -> Override | None:
    """As Hydra reads the value; None if it cannot."""
    try:
        (override,) = OverridesParser.create().parse_overrides([f"path={value}"])
    except OverrideParseException:
        return None
    return override
