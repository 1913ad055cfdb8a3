"""Whether what is read of a run is what the run wrote: by hashes, and before it is used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.saved.names import CONFIG, STATUS
from ae_cls.store.files import file_sha256, json_bytes, sha256, write_json
from ae_cls.store.received import read_json
from ae_cls.store.tree import damage_to, has_list

CONFIG_SHA256 = "config_sha256"
"""In status.json, from the beginning on: which config.json the run was begun with."""

_SEAL = "sha256"
_FIX = "restore it from a copy; or begin the run again in a new folder"


def refuse_damage(run: Path, *names: str) -> None:
    """Stop where files of a finished run are not as it left them.

    A run that has not finished, or is of an earlier version, has no list of its files.

    Raises:
        ModelFileError: one is not, or the list is damaged.
    """
    if not _has_finished(run):
        return
    if has_list(run):
        for name, why in damage_to(run, names=names).items():
            raise ModelFileError(
                "a file of a run is damaged", where=str(run / name), why=why, fix=_FIX
            )
    elif is_bound(read_json(run / STATUS)):
        damage_to(run)  # says that the list is missing


def _has_finished(run: Path) -> bool:
    """Also where its status.json is damaged: then a list says what it wrote."""
    try:
        return read_json(run / STATUS).get("state") == "finished"
    except (ModelFileError, StorageError):
        return has_list(run)


def refuse_other_config(run: Path) -> None:
    """Stop where config.json is not the one that a run was begun with, finished or stopped.

    Raises:
        ModelFileError: it is not.
    """
    begun_with = read_json(run / STATUS).get(CONFIG_SHA256)
    if begun_with and (run / CONFIG).exists() and file_sha256(run / CONFIG) not in begun_with:
        raise ModelFileError(
            "the config of a run is damaged", where=str(run / CONFIG),
            why=f"its SHA-256 differs from the one in {STATUS}", fix=_FIX,
        )  # fmt: skip


def is_bound(status: Mapping[str, Any]) -> bool:
    """Whether a run is of a version that lists its files at its end, by its status.json."""
    return CONFIG_SHA256 in status


def write_sealed(path: Path, values: Mapping[str, str]) -> None:
    """Publish names and values with a hash of them all."""
    write_json(path, {**values, _SEAL: sha256(json_bytes(dict(values)))})


def read_sealed(path: Path) -> dict[str, str]:
    """What `write_sealed` wrote; empty if there is nothing. Earlier versions wrote no hash.

    Raises:
        ModelFileError: it has changed since.
    """
    values = read_json(path)
    seal = values.pop(_SEAL, None)
    if seal is not None and seal != sha256(json_bytes(values)):
        raise ModelFileError(
            "a file of a run is damaged", where=str(path), fix=_FIX,
            why="its content differs from the hash in it",
        )  # fmt: skip
    return values
