"""The one door for what is read back: files of runs and sweeps, of models, of the store.

Any of these may come from a stranger, or be damaged. Only regular files are opened, links are never
followed, nothing is read that is larger than such a file can be, and JSON is parsed strictly.
"""

import json
import math
import os
import re
import stat
from collections import Counter
from io import BufferedReader
from pathlib import Path
from typing import Any, Never, TypeVar

from pydantic import BaseModel, ValidationError

from ae_cls.errors import ModelFileError, StorageError, printable
from ae_cls.machine.memory import of_machine

MOST = 2**24
"""Bytes of a file whose size does not depend on the data, with room to spare."""
MOST_PER_CLASS = 2**28
"""Bytes of a file that holds something for each pair of classes, or for each image."""
MOST_PER_JOB = 2**32
"""Bytes of a file that holds the numbers of each job of a sweep."""

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DEEPEST = 64  # our own files nest 8 levels
_MANY = 10**6
_BYTES_EACH = 50  # of each list or object beyond so many: an empty one takes thirty times its text
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""They may hold brackets. Also one without its end matches: else it would be looked at again and
again, from each quote in it."""

Typed = TypeVar("Typed", bound=BaseModel)


def most_in_memory() -> int:
    """Bytes of a file whose size depends on the data: half of the memory that the machine has."""
    return of_machine() // 2


def opened(path: Path, *, most: int | None = None) -> BufferedReader:
    """The regular file of that name, open for reading.

    Args:
        path: of the file; the folders above it may be links, itself it may not.
        most: bytes that it may have.

    Raises:
        FileNotFoundError: there is nothing of that name.
        ModelFileError: it is a link, a folder, a pipe, a device; or it is too large.
        StorageError: it cannot be opened.
    """
    try:
        # Before it is opened, as opening some devices does something; and after, for it may change.
        _refuse_irregular(path.lstat(), path)
        file = os.fdopen(os.open(path, _FLAGS), "rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(error.errno, "there is no such file", str(path)) from None
    except OSError as error:
        raise cannot_read(path, error) from error
    try:
        facts = os.fstat(file.fileno())
        _refuse_irregular(facts, path)
        if most is not None and facts.st_size > most:
            raise ModelFileError(
                "a file is larger than such a file can be", where=str(path),
                why=f"it has {facts.st_size:,} bytes; at most {most:,} are read",
            )  # fmt: skip
    except BaseException:
        file.close()
        raise
    return file


def read_bytes(path: Path, *, most: int = MOST) -> bytes:
    """The content of a regular file.

    Raises:
        FileNotFoundError: there is nothing of that name.
        ModelFileError: it is no regular file, or too large.
        StorageError: it cannot be read.
    """
    with opened(path, most=most) as file:
        try:
            # One more than it may have: it may grow while it is read.
            content = file.read(most + 1)
        except OSError as error:
            raise cannot_read(path, error) from error
    if len(content) > most:
        raise ModelFileError("a file grew while it was read", where=str(path))
    return content


def read_json(path: Path, *, most: int = MOST) -> dict[str, Any]:
    """The object in a JSON file; empty if there is no file.

    Raises:
        ModelFileError: it is no regular file, too large, or not such JSON as ae-cls writes.
        StorageError: it cannot be read.
    """
    try:
        content = read_bytes(path, most=most)
    except FileNotFoundError:
        return {}
    return json_object(content, str(path))


def read_typed(path: Path, kind: type[Typed], *, most: int = MOST) -> Typed:
    """The value in a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: as for `read_json`, or a key or value is not of that kind.
        StorageError: it cannot be read.
    """
    return checked(json_object(read_bytes(path, most=most), str(path)), kind, str(path))


def checked(plain: Any, kind: type[Typed], where: str) -> Typed:
    """A parsed value as what it should be.

    Raises:
        ModelFileError: it is not; the first mistakes are named.
    """
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        mistakes = [
            f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}"
            for mistake in error.errors(include_url=False, include_input=False)[:3]
        ]
    raise not_ours(where, "\n".join(mistakes))


def json_object(content: bytes, where: str, *, finite: bool = True) -> dict[str, Any]:
    """The object that strict JSON holds: UTF-8, each key once, not nested deeply.

    Args:
        content: of the file.
        where: its path, for messages.
        finite: whether all numbers must be.

    Raises:
        ModelFileError: it is something else.
    """
    try:
        _refuse_depth(content)
        constant, number = (_not_finite, _finite) if finite else (None, None)
        value = json.loads(
            content.decode(),
            object_pairs_hook=_each_once,
            parse_constant=constant,
            parse_float=number,
        )
    except ValueError as error:
        raise not_ours(where, str(error)) from error
    if not isinstance(value, dict):
        raise not_ours(where, "it holds no object")
    return value


def not_ours(where: str, why: str) -> ModelFileError:
    """The error for a file that is not as ae-cls writes it."""
    return ModelFileError("this file is not as ae-cls writes it", where=where, why=why)


def cannot_read(path: Path, error: OSError) -> StorageError:
    """The error for a file that is there and cannot be read."""
    return StorageError("cannot read", where=str(path), why=error.strerror or str(error))


def _refuse_irregular(facts: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise ModelFileError("this is not a regular file", where=str(path), why=_kind(facts))


def _kind(facts: os.stat_result) -> str:
    kinds = {
        stat.S_IFLNK: "it is a link, which is not followed",
        stat.S_IFDIR: "it is a folder",
        stat.S_IFIFO: "it is a pipe",
        stat.S_IFSOCK: "it is a socket",
    }
    return kinds.get(stat.S_IFMT(facts.st_mode), "it is a device")


def _refuse_depth(content: bytes) -> None:
    """Before parsing, which would end in a RecursionError or without memory."""
    brackets = _TEXTS.sub(b"", content).translate(None, delete=_NO_BRACKETS)
    if brackets.count(b"[") + brackets.count(b"{") > _MANY + len(content) // _BYTES_EACH:
        raise ValueError("it holds too many lists and objects")
    for _ in range(_DEEPEST):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")  # the innermost ones
    if brackets:
        raise ValueError("it is nested too deeply, or cut off")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {printable(twice[:80])} stands in it twice")
    return value


def _not_finite(word: str) -> Never:
    raise ValueError(f"{word} is not a number")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word[:80]} is too large for a number")
    return number
