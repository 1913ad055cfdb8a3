"""Going on with a run that was stopped."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ae_cls.errors import UsageError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.experiment.read import read_run
from ae_cls.run import run as runner
from ae_cls.run.folder import CONFIG, changes_table, read_status
from ae_cls.run.run import Result
from ae_cls.run.stage_names import read_stage_names
from ae_cls.store.files import read_json
from ae_cls.store.key import Change, changes, flat

log = logging.getLogger(__name__)

MAY_GROW = ("pretrain.epochs", "head.epochs")
MAY_DIFFER = ("device", "devices", "threads", "checkpoint_seconds", "store", "outputs")


def resume(folder: Path, told: Mapping[str, Any]) -> Result | None:
    """Go on where the run in `folder` stopped; with other values, in a folder of its own.

    None in a process of several that is not the first.

    Args:
        folder: of a run.
        told: dotted key: value, of the few keys that may differ.

    Raises:
        UsageError: there is no run, it has finished, or a key must not differ.
    """
    before = read_run(_config(folder))
    differences = _differences(before, told)
    _refuse_what_matters(differences, folder)
    if not differences:
        return _go_on(before.model_copy(update={"folder": str(folder)}), folder, {})
    for line in changes_table(differences).splitlines():
        log.info("other than before: %s", line)
    log.info("what comes out is not what one run from the start would give to the last digit")
    changed = read_run(_with(before.model_dump(mode="json"), told)).model_copy(
        update={"folder": None}
    )
    return _go_on(changed, folder, read_stage_names(folder))


def _go_on(
    described: Experiment | Pretraining, folder: Path, continued: Mapping[str, str]
) -> Result | None:
    if runner.helped(described):
        return None
    if isinstance(described, Pretraining):
        return runner.pretrain(described, continued)
    encoder = read_status(folder).get("encoder")
    if encoder is not None:
        return runner.classify_on(Path(encoder), described, continued)
    return runner.run(described, continued)


def _config(folder: Path) -> dict[str, Any]:
    plain = read_json(folder / CONFIG)
    if not plain or "autoencoder" not in plain:
        raise UsageError(
            "there is no run to go on with", where=str(folder),
            fix="give the folder of an ae-cls run, pretrain or classify",
        )  # fmt: skip
    return plain


def _differences(before: Experiment | Pretraining, told: Mapping[str, Any]) -> list[Change]:
    plain = before.model_dump(mode="json")
    known = flat(plain)
    if unknown := [key for key in told if key not in known]:
        raise UsageError(
            f"{unknown[0]}: there is no such key in that run",
            fix="keys that may differ: " + ", ".join((*MAY_GROW, *MAY_DIFFER)),
        )
    return changes(plain, _with(plain, told))


def _refuse_what_matters(differences: Sequence[Change], folder: Path) -> None:
    wrong = [each for each in differences if not _may_differ(each)]
    if wrong:
        raise UsageError(
            "a run cannot go on with other settings", where=changes_table(wrong),
            why=f"only more epochs ({', '.join(MAY_GROW)}) and {', '.join(MAY_DIFFER)} may differ",
            fix=f"a new run; or ae-cls resume {folder} without these words",
        )  # fmt: skip


def _may_differ(change: Change) -> bool:
    if change.key in MAY_GROW:
        return isinstance(change.now, int) and isinstance(change.before, int | float) and (
            change.now >= change.before
        )  # fmt: skip
    return change.key in MAY_DIFFER


def _with(plain: dict[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    changed = json.loads(json.dumps(plain))
    for key, value in told.items():
        *above, last = key.split(".")
        node = changed
        for part in above:
            node = node[part]
        node[last] = value
    return changed
