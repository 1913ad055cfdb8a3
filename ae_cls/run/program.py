"""The program text that a stage runs, so that a changed formula is never hidden by a kept output.

It is the text of the modules in which some classes and functions are defined, and of all modules of
ours that these import, directly or not. The index of a room imports every option of it, but a name
taken from an index counts as taken from the module that defines it: so a new variant changes no key
of the others.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_NAME = _PACKAGE.name
_RUN = f"{_NAME}.run."  # describes, stores and loads: it imports every option, and computes little
_IMPORT = re.compile(rf"^\s*from ({_NAME}[\w.]*) import \(?([^()]+?)\)?\s*(?:#.*)?$", re.MULTILINE)


Computing = type | Callable[..., object]
"""A class or function that computes."""


def program_sha256(*computing: Computing) -> str:
    """SHA-256 of the program text behind these."""
    return _sha256(frozenset(item.__module__ for item in computing))


@cache
def _sha256(modules: frozenset[str]) -> str:
    hasher = hashlib.sha256()
    for module in sorted(closure(modules)):
        hasher.update(module.encode() + _TEXTS[module])
    return hasher.hexdigest()


def closure(modules: Iterable[str]) -> set[str]:
    """These modules of ours and all that they import, directly or not."""
    waiting, seen = [module for module in modules if module in _TEXTS], set[str]()
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += _imported(module)
    return seen


@cache
def _imported(module: str) -> tuple[str, ...]:
    if module.startswith(_RUN):
        return ()
    return tuple(
        defining
        for source, names in _IMPORT.findall(_TEXTS[module].decode())
        for name in re.findall(r"(\w+)(?: as \w+)?", names)
        for defining in _defining(source, name)
    )


def _defining(source: str, name: str) -> Iterator[str]:
    """The module that `from source import name` takes the name from."""
    if f"{source}.{name}" in _TEXTS:
        yield f"{source}.{name}"
    elif source in _INDEXES:
        listed = {
            entry: origin
            for origin, names in _IMPORT.findall(_TEXTS[source].decode())
            for entry in re.findall(r"\w+", names)
        }
        yield from _defining(listed[name], name) if name in listed else [source]
    elif source in _TEXTS:
        yield source


def _module(path: Path) -> str:
    parts = path.relative_to(_PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# Read when this is imported, as the program itself is: text that is changed while a long sweep runs
# is not what the sweep runs.
_TEXTS = {_module(path): path.read_bytes() for path in sorted(_PACKAGE.rglob("*.py"))}
_INDEXES = {_module(path) for path in _PACKAGE.rglob("__init__.py")}
