"""The folder that a run leaves behind, and its state while it goes on."""

import json
import logging
import os
import shutil
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, final

from ae_cls.errors import BusyError, UsageError
from ae_cls.experiment.common import WHERE, CommonKeys
from ae_cls.interrupt import INTERRUPTED, last_words
from ae_cls.machine.faults import as_ours
from ae_cls.run.log import RunLog
from ae_cls.saved.names import CONFIG, REPORT, STATUS
from ae_cls.saved.output import is_run_folder
from ae_cls.saved.status import written_status
from ae_cls.saved.whole import CONFIG_SHA256, refuse_other_config
from ae_cls.store.files import cannot_write, json_bytes, publish, sha256, write_json
from ae_cls.store.key import Change, changes
from ae_cls.store.lock import Lock, Owner, owner_from, this_process
from ae_cls.store.manifest import FORMAT
from ae_cls.store.manifest import NAME as MANIFEST
from ae_cls.store.ours import is_file, is_temporary, refuse_strangers
from ae_cls.store.received import read_bytes, read_json
from ae_cls.store.tree import write_list

LOG, LOCK = "run.log", ".lock"
PRODUCTS = ("model", "figures")
_UNLISTED = (LOCK, REPORT)

logger = logging.getLogger("ae_cls")


@final
@dataclass(frozen=True)
class RunFolder:
    """A run's folder while the run goes on.

    Attributes:
        path: of the folder.
        facts: what status.json says from beginning to end, such as the command.
        log: what is said meanwhile.
    """

    path: Path
    facts: Mapping[str, Any]
    log: RunLog

    def tell(self, state: str, **more: Any) -> None:
        """Write status.json."""
        write_json(self.path / STATUS, {"format": FORMAT, "state": state, **more, **self.facts})

    def tell_end(self, **how: Any) -> None:
        """Write how the run ended before its time, and in which stage it was then."""
        status = written_status(self.path)
        self.tell(**how, stage=status.stage if status else "")

    def finish(self) -> None:
        """List all files, then say that the run has finished: it is whole from then on."""
        status = {"format": FORMAT, "state": "finished", **self.facts}
        write_list(self.path, but=_UNLISTED, coming={STATUS: json_bytes(status)})
        write_json(self.path / STATUS, status)

    def enter(self, stage: str) -> None:
        """The run goes on with this stage."""
        self.tell("running", stage=stage, owner=asdict(this_process()))


@contextmanager
def run_folder(description: CommonKeys, facts: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Make the folder, keep its status.json and run.log true while the body runs.

    A folder named by the user that holds an unfinished run of the same config is continued. An
    exception leaves the state `failed` or `interrupted` with its reason, and its traceback in
    run.log.

    Raises:
        BusyError: the folder named is in use, or holds something else.
        ModelFileError: its config is damaged, or it holds links.
        UsageError: it holds an unfinished run of another config, or lies within another run.
        StorageError: the folder cannot be made.
    """
    config = description.model_dump(mode="json")
    path, lock = _claimed(description, config)
    begun_with = _begun_with(path / CONFIG) or json_bytes(config)
    log = RunLog(path / LOG)
    folder = RunFolder(path, {**facts, CONFIG_SHA256: [sha256(begun_with)]}, log)
    try:
        folder.enter("begin")
        if not (path / CONFIG).exists():
            publish(path / CONFIG, begun_with)
        stopped = {"state": "interrupted", "reason": "interrupted"}
        with last_words(lambda code: folder.tell_end(**stopped, code=code)):
            yield folder
        log.close()  # it is listed as it is now
        folder.finish()
    except BaseException as error:
        logger.debug("%s", traceback.format_exc())
        folder.tell_end(**_reason(error))
        error.add_note(str(path))  # where the traceback is
        raise
    finally:
        log.close()
        with suppress(OSError):  # an old lock is in nobody's way
            lock.path.unlink(missing_ok=True)
        lock.release()


def _begun_with(config: Path) -> bytes:
    """The config of a run that goes on; empty where it only begins."""
    try:
        return read_bytes(config)
    except FileNotFoundError:
        return b""


def _claimed(description: CommonKeys, config: Mapping[str, Any]) -> tuple[Path, Lock]:
    if description.folder and os.path.lexists(description.folder):
        path = Path(description.folder)
        _refuse_unless_ours(path, config)
        refuse_strangers(path)
    else:
        path = _made(description)
    lock = Lock(path / LOCK)
    if not lock.take() or _is_held_by_another(path):
        lock.release()
        raise _busy(path)
    for name in PRODUCTS:  # of an attempt that did not finish
        shutil.rmtree(path / name, ignore_errors=True)
    (path / MANIFEST).unlink(missing_ok=True)
    for name in _half_written(path):
        (path / name).unlink(missing_ok=True)
    return path, lock


def _made(description: CommonKeys) -> Path:
    # No exist_ok: two runs never share a folder.
    new = new_folders_of(description) / _named_by_time()
    path = Path(description.folder) if description.folder else new
    if run := next((above for above in path.resolve().parents if is_run_folder(above)), None):
        raise UsageError(
            "a run does not lie within another", where=str(path), why=f"{run} is the folder of one",
            fix="another folder=..., or another outputs=...",
        )  # fmt: skip
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise _busy(path) from None
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def new_folders_of(description: CommonKeys) -> Path:
    """Where new folders for such runs are made, named by the time."""
    return Path(description.outputs) / description.below / "-".join(description.words())


def new_folder_beside(folder: Path) -> Path:
    """Where a run that continues that of a folder elsewhere has its own."""
    above = folder if folder.name.strip(".") else folder.resolve()
    return above.parent / _named_by_time()


def _named_by_time() -> str:
    return datetime.now().strftime("%Y%m%d-%H%M%S-%f")  # microseconds


def own_store(folder: Path) -> Path:
    """Where a run with `store=own` keeps the outputs of its stages until it has finished."""
    return folder / "stages"


def _refuse_unless_ours(path: Path, config: Mapping[str, Any]) -> None:
    """A folder that is there may be empty, or hold an unfinished run of the same config."""
    names = {file.name for file in path.iterdir()} if path.is_dir() else {"a file"}
    if names <= {LOCK, STATUS, LOG} | _half_written(path):
        return
    if not (path / CONFIG).is_file() or read_status(path)["state"] == "finished":
        raise _busy(path)
    refuse_other_config(path)
    before = read_json(path / CONFIG)
    if changed := [change for change in changes(before, config) if change.key not in WHERE]:
        raise UsageError(
            "the folder holds an unfinished run of another config",
            where=f"{path}\n{changes_table(changed)}",
            fix=f"ae-cls resume {path}\nor another folder=..., or none for a new one",
        )  # fmt: skip


def _half_written(folder: Path) -> set[str]:
    """The names of what a kill has left of files that were being published."""
    if not folder.is_dir():
        return set()
    return {file.name for file in folder.iterdir() if is_temporary(file.name) and is_file(file)}


def changes_table(differences: list[Change]) -> str:
    """One line a key: what it was, and what it is now."""
    return "\n".join(
        f"{change.key}: was {json.dumps(change.before)}, is now {json.dumps(change.now)}"
        for change in differences
    )


def _is_held_by_another(path: Path) -> bool:
    """By the record of its owner: where locks do nothing, it is all there is."""
    status = read_status(path)
    owner = owner_from(status.get("owner"))
    return status["state"] == "running" and owner not in (None, this_process()) and is_alive(owner)


def _busy(path: Path) -> BusyError:
    status = read_status(path)
    owner = owner_from(status.get("owner"))
    if status["state"] == "running" and owner is not None and is_alive(owner):
        return BusyError(
            "another process is still using this run folder", where=str(path), why=str(owner),
            fix="wait for it, or another folder=...",
        )  # fmt: skip
    return BusyError(
        "the run folder already exists", where=str(path),
        fix="another folder=..., or none for a new one under outputs",
    )  # fmt: skip


def _reason(error: BaseException) -> dict[str, Any]:
    if ours := as_ours(error):
        return {
            "state": "failed", "code": ours.code,
            "reason": ours.what, "where": ours.where, "why": ours.why,
        }  # fmt: skip
    if isinstance(error, KeyboardInterrupt):
        return {"state": "interrupted", "code": INTERRUPTED, "reason": "interrupted"}
    if isinstance(error, SystemExit):
        return {"state": "interrupted", "code": error.code, "reason": "terminated"}
    return {"state": "failed", "code": 1, "reason": f"{type(error).__name__}: {error}"}


def read_status(folder: Path) -> dict[str, Any]:
    """The state of a run: finished, failed, interrupted, running, died; or unknown."""
    written = written_status(folder)
    status = (
        written.model_dump(exclude_unset=True, exclude={"format"})
        if written
        else {"state": "unknown"}
    )
    if status["state"] == "running" and not is_alive(owner_from(status.get("owner"))):
        return {**status, "state": "died", "reason": "its process ended unexpectedly"}
    return status


def is_alive(owner: Owner | None) -> bool:
    """Whether the owner may still be at work."""
    return owner is not None and not owner.is_gone()
