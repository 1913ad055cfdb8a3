"""The folder that a run leaves behind, and its state while it goes on."""

import json
import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ae_cls.errors import BusyError, Refusal, StorageError
from ae_cls.store.files import cannot_write, write_json

STATUS, METRICS, CONFIG, LOG = "status.json", "metrics.json", "config.json", "run.log"


@contextmanager
def run_folder(outputs: str, folder: str | None, words: tuple[str, ...]) -> Iterator[Path]:
    """Make the folder, keep its status.json and run.log true while the body runs.

    An exception leaves the state `failed` with its reason, and its traceback in run.log.

    Raises:
        BusyError: the folder named exists and is not empty.
        StorageError: the folder cannot be made.
    """
    path = _made(outputs, folder, words)
    handler = _log_to(path / LOG)
    write_json(path / STATUS, {"state": "running", "process": os.getpid()})
    try:
        yield path
        write_json(path / STATUS, {"state": "finished"})
    except BaseException as error:
        logging.getLogger("ae_cls").debug("%s", traceback.format_exc())
        write_json(path / STATUS, {"state": "failed", **_reason(error)})
        error.add_note(str(path))  # where the traceback is
        raise
    finally:
        logging.getLogger("ae_cls").removeHandler(handler)
        handler.close()


def _made(outputs: str, folder: str | None, words: tuple[str, ...]) -> Path:
    # Microseconds, and no exist_ok: two runs never share a folder.
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    path = Path(folder) if folder else Path(outputs) / "run" / "-".join(words) / stamp
    try:
        if path.is_dir() and not any(path.iterdir()):
            return path
        path.mkdir(parents=True)
    except FileExistsError:
        raise BusyError(
            "the run folder is there already", where=str(path),
            fix="another folder=..., or none for a new one under outputs",
        ) from None  # fmt: skip
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def _log_to(path: Path) -> logging.Handler:
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.setLevel(logging.DEBUG)
    logger = logging.getLogger("ae_cls")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    return handler


def _reason(error: BaseException) -> dict[str, Any]:
    if isinstance(error, Refusal):
        return {"code": error.code, "reason": error.what, "where": error.where, "why": error.why}
    if isinstance(error, KeyboardInterrupt):
        return {"code": 130, "reason": "interrupted"}
    if isinstance(error, SystemExit):
        return {"code": error.code, "reason": "terminated"}
    return {"code": 1, "reason": f"{type(error).__name__}: {error}"}


def read_status(folder: Path) -> dict[str, Any]:
    """The state of a run; {"state": "unknown"} where there is none."""
    return _read(folder / STATUS) or {"state": "unknown"}


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics of a finished run; empty where there are none."""
    return _read(folder / METRICS)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise StorageError("cannot read", where=str(path), why=str(error)) from error
