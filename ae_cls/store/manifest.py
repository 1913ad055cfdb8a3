"""A folder's list of files with sizes and hashes, written last: only what it lists counts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

from pydantic import Field

from ae_cls.errors import ModelFileError
from ae_cls.settings import Settings
from ae_cls.store.files import file_sha256, json_bytes, publish, row_hashes_of, sha256, write_json
from ae_cls.store.received import MOST, checked, json_object, not_ours, opened, read_bytes

FORMAT = 3
"""Version of what runs and saved models say of themselves; earlier ones are read from `OLDEST` on.

2: descriptions have store, devices, test. 3: and figures, labels.choose, split.folds, min_steps.
"""
OLDEST = 2
FORMATS = range(OLDEST, FORMAT + 1)
NAME = "manifest.json"

_LONGEST_VERSION = 40  # characters of what a file says of itself

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@final
class FileFacts(Settings):
    """A file, as the manifest knows it.

    Attributes:
        size: in bytes.
        sha256: of its content; None if hashes of its rows lie beside it.
    """

    size: int = Field(ge=0)
    sha256: Sha256 | None


@final
class Manifest(Settings):
    """manifest.json."""

    format: int
    files: dict[str, FileFacts]


@final
@dataclass(frozen=True)
class ListedFiles:
    """The files of a folder, each compared with the manifest when it is read.

    Attributes:
        folder: where they are.
        manifest: which they are.
    """

    folder: Path
    manifest: Manifest

    @property
    def names(self) -> Collection[str]:
        """Of all that may be read."""
        return self.manifest.files.keys()

    def read(self, name: str, *, most: int = MOST) -> bytes:
        """The content of a file.

        Args:
            name: one of `names`.
            most: bytes that it may have, whatever the manifest says.

        Raises:
            ModelFileError: it is larger, or differs from the manifest.
        """
        facts, path = self.manifest.files[name], self.folder / name
        _refuse_other_size(path, facts)
        content = read_bytes(path, most=most)
        _refuse_other_hash(path, sha256(content), facts)
        return content


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Publish all files of a folder, then its manifest."""
    for name, content in files.items():
        publish(folder / name, content)
    listed = {name: facts_of(content) for name, content in sorted(files.items())}
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


def listed_files(folder: Path) -> ListedFiles:
    """What may be read of a folder.

    Raises:
        ModelFileError: the manifest is missing or unreadable.
    """
    return ListedFiles(folder, _manifest(folder))


def check_files(folder: Path, *, but: Collection[str] = ()) -> dict[str, int]:
    """The size of each file of a folder, after checking all against the manifest.

    Files are hashed piece by piece, so they may be larger than memory; of those named in `but` only
    the size is compared.

    Raises:
        ModelFileError: the manifest is missing or unreadable, or a file differs from it.
    """
    listed = _manifest(folder).files
    for name, facts in listed.items():
        _refuse_other_size(folder / name, facts)
        if name not in but:
            _refuse_damage(folder / name, facts)
    return {name: facts.size for name, facts in listed.items()}


def sha256_in(folder: Path, name: str) -> str:
    """Of a file, as the manifest says.

    Raises:
        ModelFileError: the manifest is missing or unreadable, or does not say it.
    """
    facts = _manifest(folder).files.get(name)
    if facts is None or facts.sha256 is None:
        raise ModelFileError(f"the manifest has no hash of {name}", where=str(folder / NAME))
    return facts.sha256


def refuse_other_format(plain: Mapping[str, Any], where: str, formats: range = FORMATS) -> None:
    """Stop where a file was written by a later version, or by one that is too old.

    Args:
        plain: what it holds; a `format` that is no number is left to others.
        where: the file.
        formats: that are read.

    Raises:
        ModelFileError: with both versions.
    """
    version, writer = plain.get("format"), plain.get("ae_cls")
    if isinstance(version, int) and version not in formats:
        known = isinstance(writer, str)
        raise ModelFileError(
            f"this has format {version}; this ae-cls reads formats {formats[0]} to {formats[-1]}",
            where=where,
            fix=f"install ae-cls {writer[:_LONGEST_VERSION]}, which wrote it"
            if known
            else "install the ae-cls version that wrote it (see environment.json of the run)",
        )


def _manifest(folder: Path) -> Manifest:
    path = folder / NAME
    try:
        content = read_bytes(path)
        plain = json_object(content, str(path))
    except FileNotFoundError as error:
        raise ModelFileError(
            "there is no saved model here", where=str(path), why=error.strerror or "",
            fix="give the folder of a finished run, or its model/ folder",
        ) from error  # fmt: skip
    # Before anything else is looked at: what a later version writes may look otherwise.
    refuse_other_format(plain, str(path))
    manifest = manifest_of(plain, content, str(path))
    for name in manifest.files:
        if Path(name).name != name or "\0" in name:
            raise ModelFileError(
                "a listed file is not a regular file of this folder", where=str(path), why=name
            )
    return manifest


def manifest_of(plain: dict[str, Any], content: bytes, where: str) -> Manifest:
    """A parsed list, which must be spelt as ae-cls spells it: then no bit of it can be another.

    Raises:
        ModelFileError: it is not.
    """
    manifest = checked(plain, Manifest, where)
    if json_bytes(manifest.model_dump()) != content:
        raise not_ours(where, "it is not spelt as ae-cls spells it")
    return manifest


def facts_of(content: bytes) -> dict[str, Any]:
    """Of a file with this content, as lists have them."""
    return {"size": len(content), "sha256": sha256(content)}


def _refuse_other_size(path: Path, facts: FileFacts) -> None:
    """Before reading, so that a swapped file cannot fill the memory."""
    try:
        with opened(path) as file:
            size = file.seek(0, 2)
    except FileNotFoundError as error:
        raise ModelFileError("a listed file is missing", where=str(path)) from error
    if size != facts.size:
        raise ModelFileError(
            "a file is damaged", where=str(path),
            why=f"it has {size} bytes, the manifest says {facts.size}",
        )  # fmt: skip


def _refuse_damage(path: Path, facts: FileFacts) -> None:
    if facts.sha256 is None:
        from ae_cls.store.row_hashes import check_rows  # and NumPy, which lists need not wait for

        check_rows(path)
    else:
        _refuse_other_hash(path, file_sha256(path), facts)


def _refuse_other_hash(path: Path, found: str, facts: FileFacts) -> None:
    if found != facts.sha256:
        raise ModelFileError(
            "a file is damaged", where=str(path),
            why=f"its SHA-256 is {found}, the manifest says {facts.sha256}",
        )  # fmt: skip
