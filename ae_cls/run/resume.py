"""Continuing a run that was stopped."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ae_cls.errors import UsageError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.experiment.read import read_run, read_saved
from ae_cls.run import run as runner
from ae_cls.run.data import prepare
from ae_cls.run.folder import CONFIG, STAGES, changes_table, read_status
from ae_cls.run.others import is_another
from ae_cls.run.run import Result
from ae_cls.saved.data import refuse_other_data
from ae_cls.store.files import read_json
from ae_cls.store.key import Change, changes, flat

log = logging.getLogger(__name__)

MAY_GROW = ("pretrain.epochs", "head.epochs")
MAY_DIFFER = (
    "device", "devices", "threads", "checkpoint_seconds", "figures", "store", "outputs",
)  # fmt: skip


def resume(folder: Path, new_values: Mapping[str, Any]) -> Result | None:
    """Continue the run in `folder`; with other values, in a new folder.

    None in a process of several that is not the first.

    Args:
        folder: of a run.
        new_values: dotted key: value, of the few keys that may differ.

    Raises:
        UsageError: there is no run, it has finished, or a key must not differ.
        ModelFileError: the run is of another version.
    """
    before = read_saved(_config(folder))
    differences = _differences(before, new_values)
    _refuse_what_matters(differences, folder)
    if not differences:
        return _continued(before.model_copy(update={"folder": str(folder)}), folder, {})
    data = prepare(before)
    refuse_other_data(folder, data.dataset, data.split)
    for line in changes_table(differences).splitlines():
        log.info("changed: %s", line)
    log.info("the result may differ in the last digits from a run started from scratch")
    changed = read_run(_with(before.model_dump(mode="json"), new_values))
    return _continued(
        changed.model_copy(update={"folder": None}), folder, read_json(folder / STAGES)
    )


def _continued(
    description: Experiment | Pretraining, folder: Path, stages: Mapping[str, str]
) -> Result | None:
    if is_another(description):
        return None
    if isinstance(description, Pretraining):
        return runner.pretrain(description, stages)
    encoder = read_status(folder).get("encoder")
    if encoder is not None:
        return runner.classify_on(Path(encoder), description, stages)
    return runner.run(description, stages)


def _config(folder: Path) -> dict[str, Any]:
    plain = read_json(folder / CONFIG)
    if not plain or "autoencoder" not in plain:
        raise UsageError(
            "there is no run to resume here", where=str(folder),
            fix="give the folder of an ae-cls run, pretrain or classify",
        )  # fmt: skip
    return plain


def _differences(before: Experiment | Pretraining, new_values: Mapping[str, Any]) -> list[Change]:
    plain = before.model_dump(mode="json")
    known = flat(plain)
    if unknown := [key for key in new_values if key not in known]:
        raise UsageError(
            f"{unknown[0]}: there is no such key in that run",
            fix="keys that may differ: " + ", ".join((*MAY_GROW, *MAY_DIFFER)),
        )
    return changes(plain, _with(plain, new_values))


def _refuse_what_matters(differences: Sequence[Change], folder: Path) -> None:
    wrong = [change for change in differences if not _may_differ(change)]
    if wrong:
        raise UsageError(
            "a run cannot be resumed with other settings", where=changes_table(wrong),
            why=f"only more epochs ({', '.join(MAY_GROW)}) and {', '.join(MAY_DIFFER)} may differ",
            fix=f"start a new run; or ae-cls resume {folder} without these words",
        )  # fmt: skip


def _may_differ(change: Change) -> bool:
    if change.key in MAY_GROW:
        before, now = change.before, change.now
        return isinstance(now, int) and isinstance(before, int | float) and now >= before
    return change.key in MAY_DIFFER


def _with(plain: dict[str, Any], new_values: Mapping[str, Any]) -> dict[str, Any]:
    changed = json.loads(json.dumps(plain))
    for key, value in new_values.items():
        *above, last = key.split(".")
        node = changed
        for part in above:
            node = node[part]
        node[last] = value
    return changed
