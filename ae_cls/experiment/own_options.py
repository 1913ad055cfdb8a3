"""Files of options that users write: read in bounded time, or refused with the line."""

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ae_cls.errors import UsageError

_MOST_BYTES = 2**20
_DEEPEST = 32  # parts within parts; ours have five
_MOST_VALUES = 10_000  # with those that aliases stand for


def refuse_unreadable(path: Path) -> None:
    """Stop where a file is no YAML, or more than any option can be.

    Raises:
        UsageError: with the line, where there is one.
    """
    try:
        text = _text(path)
        for line in _lines_of_excess(text):
            raise ValueError(f"line {line + 1}: more than {_DEEPEST} parts within each other, or "
                             f"more than {_MOST_VALUES:,} values")  # fmt: skip
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path.name} cannot be read as an option", where=str(path),
            why=str(error), fix="an option is a YAML file in UTF-8: name, then key: value",
        ) from error  # fmt: skip


def _text(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would be to wait for its writer
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: not UTF-8") from error


def _lines_of_excess(text: str) -> Iterator[int]:
    """The lines at which it becomes too deep or too large, counted from 0.

    A few aliases of aliases stand for billions of values, so that these are counted as written out.
    """
    import yaml  # here, as few commands need it

    sizes: dict[str, int] = {}
    open_parts: list[tuple[str | None, int]] = [(None, 0)]
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            name = getattr(event, "anchor", None)
            _refuse_what_is_no_text(event, name, [outer for outer, _ in open_parts])
            if isinstance(event, yaml.CollectionStartEvent):
                open_parts.append((name, 1))
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, size = open_parts.pop()
                _add(open_parts, sizes, anchor, size)
            elif isinstance(event, yaml.AliasEvent):
                _add(open_parts, sizes, None, sizes.get(name or "", 1))
            elif isinstance(event, yaml.ScalarEvent):
                _add(open_parts, sizes, name, 1)
            if len(open_parts) > _DEEPEST or sum(size for _, size in open_parts) > _MOST_VALUES:
                yield event.start_mark.line
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _refuse_what_is_no_text(event: Any, name: str | None, outer: Sequence[str | None]) -> None:
    """What no text of values says: a type of YAML's own, or a part that holds itself."""
    import yaml

    line = event.start_mark.line + 1
    if tag := getattr(event, "tag", None):
        raise ValueError(f"line {line}: {tag} is a type, and an option has values alone")
    if isinstance(event, yaml.AliasEvent) and name in outer:
        raise ValueError(f"line {line}: *{name} is a part of itself")


def _add(
    open_parts: list[tuple[str | None, int]], sizes: dict[str, int], anchor: str | None, size: int
) -> None:
    """Count values in the part that they lie in, and under their own name."""
    if anchor is not None:
        sizes[anchor] = size
    outer, before = open_parts.pop()
    open_parts.append((outer, before + size))
