"""A folder's list of files with sizes and hashes, written last: only what it lists counts."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ae_cls.errors import ModelFileError
from ae_cls.store.files import file_sha256, publish, row_hashes_of, sha256, write_json

FORMAT = 2
"""Version of what a saved model says of itself: 2 since descriptions have store, devices, test."""
NAME = "manifest.json"

Facts = Mapping[str, Any]
"""Size in bytes and SHA-256 of a file; the latter None if hashes of its rows lie beside it."""


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Publish all files of a folder, then its manifest."""
    for name, content in files.items():
        publish(folder / name, content)
    listed = {name: {"size": len(c), "sha256": sha256(c)} for name, c in sorted(files.items())}
    write_json(folder / NAME, {"format": FORMAT, "files": listed})


def write_manifest(folder: Path) -> None:
    """List all files that are in a folder now; a table with hashes of its rows gets no other hash.

    Raises:
        OSError: a file cannot be read.
        StorageError: the manifest cannot be written.
    """
    listed = {
        path.name: {
            "size": path.stat().st_size,
            "sha256": None if row_hashes_of(path).is_file() else file_sha256(path),
        }
        for path in sorted(folder.iterdir())
    }
    write_json(folder / NAME, {"format": FORMAT, "files": listed})


def read_files(folder: Path) -> dict[str, bytes]:
    """All files of a folder, each checked against the manifest.

    Raises:
        ModelFileError: the manifest is missing or unreadable, or a file differs from it.
    """
    return {name: _checked(folder, name, facts) for name, facts in _listed(folder).items()}


def check_files(folder: Path, *, but: Collection[str] = ()) -> dict[str, int]:
    """The size of each file of a folder, after checking all against the manifest.

    Files are hashed piece by piece, so they may be larger than memory; of those named in `but` only
    the size is compared.

    Raises:
        ModelFileError: the manifest is missing or unreadable, or a file differs from it.
    """
    listed = _listed(folder)
    for name, facts in listed.items():
        path = _of_right_size(folder, name, facts)
        if name not in but:
            _refuse_damage(path, facts)
    return {name: int(facts["size"]) for name, facts in listed.items()}


def hashes_in(folder: Path) -> dict[str, str]:
    """SHA-256 of each file, as the manifest says.

    Raises:
        ModelFileError: the manifest is missing or unreadable.
    """
    return {name: str(facts["sha256"]) for name, facts in _listed(folder).items()}


def _listed(folder: Path) -> dict[str, Facts]:
    path = folder / NAME
    try:
        manifest = json.loads(path.read_bytes())
        version = manifest["format"]
        files: dict[str, Facts] = {
            name: {"size": facts["size"], "sha256": facts["sha256"]}
            for name, facts in manifest["files"].items()
        }
    except OSError as error:
        raise ModelFileError(
            "there is no saved model here", where=str(path), why=error.strerror or "",
            fix="give the folder of a finished run, or its model/ folder",
        ) from error  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError("this is not an ae-cls manifest", where=str(path)) from error
    if version != FORMAT:
        raise ModelFileError(
            f"the model has format {version}; this ae-cls reads format {FORMAT}", where=str(path),
            fix="install the ae-cls version that wrote it (see environment.json of the run)",
        )  # fmt: skip
    return files


def _checked(folder: Path, name: str, facts: Facts) -> bytes:
    path = _of_right_size(folder, name, facts)
    content = path.read_bytes()
    _refuse_other_hash(path, sha256(content), facts)
    return content


def _of_right_size(folder: Path, name: str, facts: Facts) -> Path:
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        raise ModelFileError("a listed file is missing or not a regular file", where=str(path))
    # The size is compared before reading, so that a swapped file cannot fill the memory.
    if path.stat().st_size != facts["size"]:
        raise ModelFileError(
            "a file is damaged", where=str(path),
            why=f"it has {path.stat().st_size} bytes, the manifest says {facts['size']}",
        )  # fmt: skip
    return path


def _refuse_damage(path: Path, facts: Facts) -> None:
    if facts["sha256"] is None:
        from ae_cls.store.row_hashes import check_rows  # and NumPy, which lists need not wait for

        check_rows(path)
    else:
        _refuse_other_hash(path, file_sha256(path), facts)


def _refuse_other_hash(path: Path, found: str, facts: Facts) -> None:
    if found != facts["sha256"]:
        raise ModelFileError(
            "a file is damaged", where=str(path),
            why="its SHA-256 differs from the one in the manifest",
        )  # fmt: skip
