"""Runs that were stopped before they ended: which one goes on, and what it has saved."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ae_cls.errors import AeClsError
from ae_cls.experiment.common import WHERE, CommonKeys
from ae_cls.run.data import Data
from ae_cls.run.folder import CONFIG, new_folders_of, read_status
from ae_cls.saved.data import refuse_other_data
from ae_cls.store.files import read_json
from ae_cls.store.key import changes

_STOPPED = ("interrupted", "died")


def stopped_run(description: CommonKeys, facts: Mapping[str, Any], data: Data) -> Path | None:
    """The last run of the same description, facts and data that was stopped; None if there is none.

    Args:
        description: of the run.
        facts: what status.json says throughout.
        data: what it reads.
    """
    config = description.model_dump(mode="json")
    for folder in sorted(new_folders_of(description).glob("*/"), reverse=True):  # named by time
        try:
            if _is_stopped(folder, facts) and _has_config(folder, config):
                refuse_other_data(folder, data.dataset, data.split)
                return folder
        except AeClsError:
            continue  # damaged, or of other data: it stays as it is
    return None


def _is_stopped(folder: Path, facts: Mapping[str, Any]) -> bool:
    status = read_status(folder)
    return status["state"] in _STOPPED and facts.items() <= status.items()


def _has_config(folder: Path, config: Mapping[str, Any]) -> bool:
    before = read_json(folder / CONFIG)
    return bool(before) and all(change.key in WHERE for change in changes(before, config))
