"""Where answers may be written: never over what they come from, nor into a run or the store."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ae_cls.errors import UsageError
from ae_cls.saved.names import CONFIG, MODEL, REPORT, REPORT_PAGE, STATUS
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.ours import is_file
from ae_cls.store.places import shared_store


def refuse_as_output(output: Path, *, model: Path | None = None, inputs: Iterable[Path]) -> None:
    """Stop before any work where something cannot be what is to be written.

    Files are compared by what they are, not by their names: another spelling is seen, and so is a
    hard link.

    Args:
        output: what is to be written.
        model: what is read: a run folder or its model/.
        inputs: files that are read.

    Raises:
        UsageError: it is a link or no file, lies in a run folder or the store, or is an input.
    """
    if output.is_symlink() or (output.exists() and not (output.is_file() or output.is_dir())):
        what = "it is a link" if output.is_symlink() else "it is neither a file nor a folder"
        raise _refused(output, f"{what}, and is not written to")
    for above in _above(output):
        if is_run_folder(above) or (model is not None and _is_same(above, model)):
            raise _refused(output, f"it lies in the folder of a run: {above}")
        if _is_same(above, shared_store()):
            raise _refused(output, f"it lies where ae-cls keeps what it can make again: {above}")
    if output.is_file() and any(_is_same(output, one) for one in (*inputs, *_files_of(model))):
        raise _refused(output, "it is one of the files that are read")


def refuse_as_report(place: Path, folders: Iterable[Path]) -> None:
    """Stop where a report cannot be written into a folder.

    It may lie in the folder of a run by the name that it has there, and by no other.

    Args:
        place: for the files of the report.
        folders: of what it is of.

    Raises:
        UsageError: it is a link or no folder, one of these folders, lies in that of a run, or has
            a list of files that is not a report's.
    """
    if place.is_file() or any(_is_same(place, folder) for folder in folders):
        raise _refused(place, "it is a file, or one of the folders that are read")
    if os.path.lexists(place / MANIFEST) and not is_file(place / REPORT_PAGE):
        raise _refused(place, f"its {MANIFEST} is not that of a report")
    if place.is_symlink() or place.name != REPORT or not is_run_folder(place.parent):
        refuse_as_output(place, inputs=())


def lies_in(path: Path, folder: Path) -> bool:
    """Whether it is that folder or file, or lies in it, however both are spelt."""
    return any(_is_same(one, folder) for one in (path, *path.resolve().parents))


def is_run_folder(folder: Path) -> bool:
    """Whether a run lies in it, or its model."""
    if folder.name == MODEL and is_run_folder(folder.parent):
        return True
    return (folder / CONFIG).is_file() and (folder / STATUS).is_file()


def _above(path: Path) -> Iterator[Path]:
    """The path as it is on the disk, and all folders above it."""
    real = path.resolve()
    return (one for one in (real, *real.parents) if one.is_dir())


def _files_of(model: Path | None) -> Iterator[Path]:
    if model is not None and model.is_dir():
        yield from (path for path in model.rglob("*") if path.is_file())


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _refused(output: Path, why: str) -> UsageError:
    return UsageError(
        "this cannot be the output", where=f"-o {output}", why=f"{why}; nothing was done",
        fix="-o with another place",
    )  # fmt: skip
