"""What a folder held when it was finished: all files in and below it, with sizes and hashes."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ae_cls.errors import AeClsError, ModelFileError
from ae_cls.store.files import file_sha256, json_bytes, publish
from ae_cls.store.manifest import NAME, FileFacts, facts_of, manifest_of
from ae_cls.store.ours import is_file, is_temporary
from ae_cls.store.received import MOST_PER_CLASS, json_object, read_bytes

FORMAT = 1
SMALL = 2**20
"""Bytes up to which a file counts as small, and is hashed where looking has to be quick."""


def write_list(
    folder: Path,
    *,
    but: Collection[str] = (),
    names: Collection[str] | None = None,
    coming: Mapping[str, bytes] | None = None,
) -> None:
    """List the files in and below a folder in manifest.json.

    Args:
        folder: which will not change any more, but for what is not listed.
        but: names directly in it that are not listed.
        names: of the files that are listed; None: all others.
        coming: files that are written next, which are listed as they will be.

    Raises:
        StorageError: it cannot be written.
        OSError: a file cannot be read.
    """
    coming = coming or {}
    listed = {
        name: {"size": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)}
        for name in (files_below(folder, but=but) if names is None else names)
        if name not in coming
    } | {name: facts_of(content) for name, content in coming.items()}
    files = dict(sorted(listed.items()))
    publish(folder / NAME, json_bytes({"format": FORMAT, "files": files}))


def has_list(folder: Path) -> bool:
    """Whether there is such a list in a folder."""
    return is_file(folder / NAME)


def damage_to(
    folder: Path, *, names: Collection[str] | None = None, hash_up_to: int | None = None
) -> dict[str, str]:
    """What of the listed files is not as it was, and why; empty where all is.

    Args:
        folder: with a list.
        names: look at these alone, which must be listed if they exist; None: at all.
        hash_up_to: bytes; of larger files only the size is compared. None: all are hashed.

    Raises:
        ModelFileError: the list itself is damaged or missing.
    """
    listed = _listed(folder)
    if names is None:
        names = listed
    found = ((name, _damage(folder / name, listed.get(name), hash_up_to)) for name in names)
    return {name: why for name, why in found if why}


def unlisted_in(folder: Path, *, but: Collection[str] = ()) -> list[str]:
    """The files in and below a folder that its list does not name, links among them.

    Raises:
        ModelFileError: the list itself is damaged or missing.
    """
    listed = _listed(folder)
    return [name for name in files_below(folder, but=but) if name not in listed]


def files_below(folder: Path, *, but: Collection[str] = ()) -> list[str]:
    """Paths of all that is no folder in and below a folder, but for its list and temporary files.

    Relative, with forward slashes, by code point.
    """
    left_out = {NAME, *but}
    return sorted(_below(folder, "", left_out))


def _below(folder: Path, start: str, left_out: Collection[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{start}{entry.name}"
            if name in left_out or is_temporary(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path), f"{name}/", left_out)
            else:
                yield name


def _listed(folder: Path) -> Mapping[str, FileFacts]:
    path = folder / NAME
    if not is_file(path):
        raise ModelFileError(
            "the list of files is missing", where=str(path),
            why="a finished run has one, written at its end",
        )  # fmt: skip
    try:
        content = read_bytes(path, most=MOST_PER_CLASS)
        manifest = manifest_of(json_object(content, str(path)), content, str(path))
    except AeClsError as error:
        raise ModelFileError("the list of files is damaged", where=str(path)) from error
    if manifest.format != FORMAT:
        raise ModelFileError(
            f"the list of files has format {manifest.format}; this ae-cls reads format {FORMAT}",
            where=str(path), fix="install the ae-cls version that wrote it",
        )  # fmt: skip
    return manifest.files


def _damage(path: Path, facts: FileFacts | None, hash_up_to: int | None) -> str:
    """Why a file is not as it was; empty where it is."""
    if facts is None:
        return "it is not listed" if os.path.lexists(path) else ""
    if not is_file(path):
        return "it is missing" if not os.path.lexists(path) else "it is not a regular file"
    size = path.stat().st_size
    if size != facts.size:
        return f"it has {size} bytes, not {facts.size}"
    is_hashed = hash_up_to is None or size <= hash_up_to
    if is_hashed and file_sha256(path) != facts.sha256:
        return "its SHA-256 differs from the one that is listed"
    return ""
