"""Continuing a run that was stopped."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ae_cls.dataset.split import Split
from ae_cls.errors import UsageError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.experiment.read import read_run, read_saved, with_data_at
from ae_cls.run import run as runner
from ae_cls.run.folder import changes_table, new_folder_beside, read_status
from ae_cls.run.others import is_another
from ae_cls.run.run import Result
from ae_cls.saved.data import data_of
from ae_cls.saved.encoder_run import read_encoder_run
from ae_cls.saved.names import CONFIG, STAGES, STATUS
from ae_cls.saved.status import written_stages, written_status
from ae_cls.saved.whole import CONFIG_SHA256, is_bound, refuse_damage, refuse_other_config
from ae_cls.store.files import json_bytes, publish, sha256, write_json
from ae_cls.store.key import Change, changes, flat
from ae_cls.store.manifest import FORMAT, OLDEST
from ae_cls.store.ours import refuse_strangers
from ae_cls.store.received import read_json
from ae_cls.train.schedule import Schedule

log = logging.getLogger(__name__)

MAY_GROW = ("pretrain.epochs", "pretrain.min_steps", "head.epochs", "head.min_steps")
ROOT = "dataset.root"
MAY_DIFFER = (
    ROOT, "device", "devices", "threads", "checkpoint_seconds", "figures", "store", "outputs",
)  # fmt: skip


def resume(folder: Path, new_values: Mapping[str, Any]) -> Result | None:
    """Continue the run in `folder`; with other values, in a new folder beside it.

    What the config of that run says of places is not followed: it may be a stranger's.

    None in a process of several that is not the first.

    Args:
        folder: of a run.
        new_values: dotted key: value, of the few keys that may differ.

    Raises:
        UsageError: there is no run, it has finished, or a key must not differ.
        ModelFileError: the run is damaged or of another version, or its folder holds links.
    """
    plain = _config(folder)
    refuse_strangers(folder)
    refuse_other_config(folder)
    refuse_damage(folder, STATUS, CONFIG, STAGES)
    before = read_saved(plain, _format_of(folder))
    _refuse_what_matters(_differences(before, new_values), folder)
    if ROOT in new_values:
        before = _moved(before, folder, new_values[ROOT])
    new_values = {key: value for key, value in new_values.items() if key != ROOT}
    differences = _differences(before, new_values)
    if not differences:
        _write_in_todays_words(folder, before)
        return _continued(before.model_copy(update={"folder": str(folder)}), folder, {})
    _, split = data_of(folder, before)
    for line in changes_table(differences).splitlines():
        log.info("changed: %s", line)
    log.info("the result may differ in the last digits from a run started from scratch")
    changed = read_run(_with(before.model_dump(mode="json"), new_values))
    _refuse_epochs_without_effect(before, changed, split)
    place = None if "outputs" in new_values else str(new_folder_beside(folder))
    return _continued(changed.model_copy(update={"folder": place}), folder, written_stages(folder))


def _format_of(folder: Path) -> int:
    status = written_status(folder)
    return status.format if status else OLDEST


def _write_in_todays_words(folder: Path, before: Experiment | Pretraining) -> None:
    """Let the config be that of this version from now on, where an earlier one began the run."""
    if _format_of(folder) < FORMAT:
        log.info("an earlier version began this run; its stages are made again")
        write_json(folder / CONFIG, before.model_dump(mode="json"))


def _moved(before: Experiment | Pretraining, folder: Path, root: str) -> Experiment | Pretraining:
    """The run with its data, which have moved; the folder of a stopped one knows it from now on.

    Raises:
        DataError: what lies there are other data.
    """
    moved = with_data_at(before, root)
    data_of(folder, moved)
    status = read_json(folder / STATUS)
    if status.get("state") == "finished":
        return moved
    content = json_bytes(moved.model_dump(mode="json"))
    # First that it will be another, so that a kill between the two leaves a run that goes on.
    if is_bound(status):
        status[CONFIG_SHA256] = [*status[CONFIG_SHA256], sha256(content)]
        write_json(folder / STATUS, status)
    publish(folder / CONFIG, content)
    return moved


def _continued(
    description: Experiment | Pretraining, folder: Path, stages: Mapping[str, str]
) -> Result | None:
    if is_another(description):
        return None
    if isinstance(description, Pretraining):
        return runner.pretrain(description, stages)
    status = read_status(folder)
    if "encoder" in status:
        source = read_encoder_run(Path(status["encoder"]))
        other = status.get(runner.OTHER_DATA, False)
        return runner.classify_on(source, description, stages, may_be_other=other)
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
            why=f"only longer training ({', '.join(MAY_GROW)}) and {', '.join(MAY_DIFFER)} may "
            "differ",
            fix=f"start a new run; or ae-cls resume {folder} without these words",
        )  # fmt: skip


def _refuse_epochs_without_effect(
    before: Experiment | Pretraining, changed: Experiment | Pretraining, split: Split
) -> None:
    """A small set is trained for `min_steps`: a few more epochs of it may still be fewer steps."""
    for group, rows in (("pretrain", split.pretrain), ("head", split.labelled)):
        old, new = getattr(before, group, None), getattr(changed, group, None)
        if not (isinstance(old, Schedule) and isinstance(new, Schedule)):
            continue
        if new.epochs > old.epochs and new.length.steps(len(rows)) == old.length.steps(len(rows)):
            raise UsageError(
                f"{group}.epochs={new.epochs} would train no longer than before",
                why=f"{new.epochs} epochs of {len(rows):,} images are fewer steps than "
                f"{group}.min_steps={new.min_steps}, for which a small set is trained",
                fix=f"{group}.min_steps={2 * new.min_steps}",
            )


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
