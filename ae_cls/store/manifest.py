"""A folder's list of files with sizes and hashes, written last: what is not in it is not there."""

import json
from collections.abc import Mapping
from pathlib import Path

from ae_cls.errors import ModelFileError
from ae_cls.store.files import publish, sha256, write_json

FORMAT = 1
NAME = "manifest.json"


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Publish all files of a folder, then its manifest."""
    for name, content in files.items():
        publish(folder / name, content)
    listed = {name: {"size": len(c), "sha256": sha256(c)} for name, c in sorted(files.items())}
    write_json(folder / NAME, {"format": FORMAT, "files": listed})


def read_files(folder: Path) -> dict[str, bytes]:
    """All files of a folder, each checked against the manifest.

    Raises:
        ModelFileError: the manifest is missing or unreadable, or a file differs from it.
    """
    return {name: _checked(folder, name, facts) for name, facts in _listed(folder).items()}


def _listed(folder: Path) -> dict[str, dict[str, int | str]]:
    path = folder / NAME
    try:
        manifest = json.loads(path.read_bytes())
        version = manifest["format"]
        files = {
            name: {"size": facts["size"], "sha256": facts["sha256"]}
            for name, facts in manifest["files"].items()
        }
    except OSError as error:
        raise ModelFileError(
            "there is no saved model here", where=str(path), why=error.strerror or "",
            fix="give the folder of a finished run, or its model/ folder",
        ) from error  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError("this is not a manifest of ae-cls", where=str(path)) from error
    if version != FORMAT:
        raise ModelFileError(
            f"the model has format {version}; this ae-cls reads format {FORMAT}", where=str(path),
            fix="install the ae-cls version that wrote it (see environment.json of the run)",
        )  # fmt: skip
    return files


def _checked(folder: Path, name: str, facts: Mapping[str, int | str]) -> bytes:
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        raise ModelFileError(
            "a file of the saved model is missing or no plain file", where=str(path)
        )
    # The size is compared before reading, so that a swapped file cannot fill the memory.
    if path.stat().st_size != facts["size"]:
        raise ModelFileError(
            "a file of the saved model is damaged", where=str(path),
            why=f"it has {path.stat().st_size} bytes, the manifest says {facts['size']}",
        )  # fmt: skip
    content = path.read_bytes()
    if sha256(content) != facts["sha256"]:
        raise ModelFileError(
            "a file of the saved model is damaged", where=str(path),
            why="its SHA-256 is not the one in the manifest",
        )  # fmt: skip
    return content
