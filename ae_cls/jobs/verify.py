"""Whether what lies in a folder is as ae-cls has written it; all files are hashed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ae_cls.errors import AeClsError, UsageError
from ae_cls.jobs.record import PLAN, SweepFolder
from ae_cls.run.folder import LOCK, own_store, read_status
from ae_cls.saved.names import CONFIG, DAMAGED, MODEL, REPORT, STAGES, STATUS, STUDY
from ae_cls.saved.recomputed import disagreements
from ae_cls.saved.study import written_study
from ae_cls.saved.whole import is_bound, read_sealed, refuse_other_config
from ae_cls.store.cleaning import damage_in, is_store, strangers_in
from ae_cls.store.entries import MARK
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.manifest import check_files, listed_files
from ae_cls.store.ours import is_file, is_folder
from ae_cls.store.tree import damage_to, files_below, has_list, unlisted_in
from ae_cls.store.weights import WEIGHTS

_WRITTEN_ANEW = "the same command again writes it anew"
_STOPPED = ("running", "interrupted", "failed", "died")


@final
@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        folder: that was looked at.
        kind: run, model, sweep, study, store or report.
        damage: what is not as it was written, and why.
        notes: what else is to be known, such as files that are not listed.
    """

    folder: Path
    kind: str
    damage: dict[str, str]
    notes: tuple[str, ...] = ()


def verify(folder: Path) -> list[Verified]:
    """What lies in a folder, with all that it consists of; all files are hashed.

    Raises:
        UsageError: nothing of ae-cls lies there, nor below it.
    """
    found = list(_all_in(folder)) if folder.is_dir() else []
    if not found:
        raise UsageError(
            "nothing here was made by ae-cls", where=str(folder),
            fix="the folder of a run, a model, a sweep, a study or a store; or one above such",
        )  # fmt: skip
    return found


def _all_in(folder: Path) -> Iterator[Verified]:
    if is_file(folder / MARK):
        yield _store(folder)
    elif is_file(folder / PLAN) or is_file(folder / STUDY):
        yield _sweep(folder)
        yield from _below(folder)
    elif is_file(folder / MANIFEST) and WEIGHTS in _names_in(folder):
        yield _model(folder)
    elif is_file(folder / STATUS) or (is_file(folder / CONFIG) and is_file(folder / MANIFEST)):
        yield _run(folder)
        if is_folder(folder / REPORT):
            yield from _all_in(folder / REPORT)
    elif has_list(folder):
        yield _listed(folder, "report", but=_folders_in(folder))
        yield from _below(folder)
    elif is_store(folder):
        yield _store(folder)
    else:
        yield from _below(folder)


def _below(folder: Path) -> Iterator[Verified]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(DAMAGED):
            yield from _all_in(path)


def _store(root: Path) -> Verified:
    damage = {str(path.relative_to(root)): why for path, why in damage_in(root).items()}
    strangers = [str(path.relative_to(root)) for path in strangers_in(root)]
    return Verified(root, "store", damage, _not_listed(strangers))


def _sweep(folder: Path) -> Verified:
    kind = "study" if is_file(folder / STUDY) else "sweep"
    has_ended = has_list(folder)
    found = (
        _listed(folder, kind, but=_folders_in(folder))
        if has_ended
        else _checked(folder, kind, _plan)
    )
    return Verified(folder, kind, {**found.damage, **_missing_runs(folder)}, found.notes)


def _folders_in(folder: Path) -> list[str]:
    """What lies in them is looked at by itself."""
    return [path.name for path in folder.iterdir() if path.is_dir()]


def _plan(folder: Path) -> dict[str, str]:
    SweepFolder(folder).jobs()
    written_study(folder)
    return {}


def _missing_runs(folder: Path) -> dict[str, str]:
    """Jobs that have finished, by the plan, and whose folder is gone."""
    try:
        done = SweepFolder(folder).finished_here()
    except AeClsError as error:
        return {PLAN: f"{error.why or error.what}; {error.fix or _WRITTEN_ANEW}"}
    return {name: "its folder is missing" for name in done if not (folder / name).is_dir()}


def _run(folder: Path) -> Verified:
    try:
        status = read_status(folder)
    except (AeClsError, TypeError, ValueError):
        status = {"state": "damaged"}
    if status["state"] == "finished" and not (has_list(folder) or is_bound(status)):
        found = _checked(folder, "run", _model_and_metrics)
        note = "of an earlier version, which listed no files: looked at are its model and metrics"
        return Verified(folder, "run", found.damage, (note,))
    if status["state"] in _STOPPED:
        found = _checked(folder, "run", _stopped)
        return Verified(folder, "run", found.damage, (f"not finished: {status['state']}",))
    found = _listed(folder, "run", but=(LOCK, REPORT))
    damage = found.damage or _checked(folder, "run", disagreements).damage
    return Verified(folder, "run", damage, found.notes)


def _model_and_metrics(folder: Path) -> dict[str, str]:
    check_files(folder / MODEL)
    return disagreements(folder)


def _stopped(folder: Path) -> dict[str, str]:
    """What a run needs to go on."""
    refuse_other_config(folder)
    read_sealed(folder / STAGES)
    store = own_store(folder)
    return {str(path.relative_to(folder)): why for path, why in damage_in(store).items()}


def _model(folder: Path) -> Verified:
    found = _checked(folder, "model", _check_model)
    more = [name for name in files_below(folder) if name not in _names_in(folder)]
    return Verified(folder, "model", found.damage, _not_listed(more))


def _check_model(folder: Path) -> dict[str, str]:
    check_files(folder)
    return {}


def _listed(folder: Path, kind: str, *, but: Sequence[str] = ()) -> Verified:
    notes: list[str] = []

    def damage(folder: Path) -> dict[str, str]:
        found = damage_to(folder)
        notes.extend(unlisted_in(folder, but=but))
        return found

    found = _checked(folder, kind, damage)
    return Verified(folder, kind, found.damage, _not_listed(notes))


def _not_listed(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"not written by ae-cls: {name}" for name in names)


def _checked(folder: Path, kind: str, check: Callable[[Path], dict[str, str]]) -> Verified:
    """What a check says of a folder, or why it could not be made."""
    try:
        return Verified(folder, kind, check(folder))
    except AeClsError as error:
        return Verified(folder, kind, {error.where or str(folder): error.why or error.what})
    except (OSError, LookupError, TypeError, ValueError) as error:
        return Verified(folder, kind, {str(folder): f"it cannot be read: {error}"})


def _names_in(folder: Path) -> set[str]:
    try:
        return {*listed_files(folder).names}
    except AeClsError:
        return set()
