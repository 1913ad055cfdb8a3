"""Of which version the plan of several runs is: sweep.json and study.json say it."""

from pathlib import Path
from typing import Any

from ae_cls.errors import ModelFileError
from ae_cls.machine.versions import version
from ae_cls.store.manifest import refuse_other_format
from ae_cls.store.received import Typed, checked, json_object, read_bytes, read_json

FORMATS = range(1, 3)
"""Those that are read. 1: said neither its own number nor the version of ae-cls."""


def stamp() -> dict[str, Any]:
    """What such a file begins with: the version of its form, and of ae-cls."""
    return {"format": FORMATS[-1], "ae_cls": version("ae-cls")}


def read_plan(path: Path, kind: type[Typed], *, most: int) -> Typed:
    """The value in such a file.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: a later version wrote it, or it is damaged.
        StorageError: it cannot be read.
    """
    plain = json_object(read_bytes(path, most=most), str(path))
    refuse_other_format(plain, str(path), FORMATS)
    return checked(plain, kind, str(path))


def refuse_later(path: Path, *, most: int) -> None:
    """Stop before such a file of a later version is overwritten; a damaged one may be.

    Raises:
        ModelFileError: it is of a later version.
        StorageError: it cannot be read.
    """
    try:
        plain = read_json(path, most=most)
    except ModelFileError:
        return
    refuse_other_format(plain, str(path), FORMATS)
