"""Runs that were stopped before they ended: which one goes on, and what it has saved."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ae_cls.errors import AeClsError
from ae_cls.experiment.common import WHERE, CommonKeys
from ae_cls.run.checkpoints import steps_in
from ae_cls.run.data import Data
from ae_cls.run.folder import new_folders_of, own_store, read_status
from ae_cls.saved.data import refuse_other_data
from ae_cls.saved.names import CONFIG
from ae_cls.saved.status import written_stages
from ae_cls.saved.whole import refuse_other_config
from ae_cls.store.entries import Store
from ae_cls.store.key import changes
from ae_cls.store.ours import refuse_strangers
from ae_cls.store.places import shared_store
from ae_cls.store.received import read_json

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
                refuse_strangers(folder)
                refuse_other_config(folder)
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


def saved_so_far(folder: Path) -> str:
    """Which stages of a run are kept, and up to which step the one that was stopped."""
    config = read_json(folder / CONFIG)
    store = Store(shared_store() if config.get("store") == "shared" else own_store(folder))
    kept: list[str] = []
    for stage, name in written_stages(folder).items():
        unfinished, entry = store.places_of(stage, name)
        steps = steps_in(unfinished)
        if entry.is_dir():
            kept.append(stage)
        elif steps:
            kept.append(f"{stage} up to step {max(steps)}")
    return ", ".join(kept) or "nothing yet"
