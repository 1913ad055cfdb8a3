"""What `ae-cls cache` does; apart from its flags, as these imports take time."""

import logging
import os
import time
from argparse import Namespace
from collections.abc import Sequence, Sized
from pathlib import Path

from ae_cls.errors import ModelFileError, UsageError, some
from ae_cls.report.cache_table import cache_table
from ae_cls.report.table import print_table
from ae_cls.store.cleaning import (
    Kept,
    damage_in,
    is_store,
    kept_in,
    over_limit,
    remove,
    strangers_in,
    unused_for,
)
from ae_cls.store.entries import MARK, mark

_DAY, _GB = 86_400, 10**9
_LOG = logging.getLogger(__name__)


def refuse_unless_store(root: Path) -> None:
    """Stop at a folder that ae-cls has not made for this; one that is empty or missing is said.

    Raises:
        UsageError: it holds something else.
    """
    if not os.path.lexists(root) or (root.is_dir() and not any(root.iterdir())):
        _LOG.info("nothing is kept here yet: %s", root)
    elif not (root.is_dir() and is_store(root)):
        inner = next((inner for inner in (root / "stages",) if is_store(inner)), None)
        raise UsageError(
            "this is not a store of ae-cls", where=str(root),
            why=f"it has no {MARK}, and nothing in it was made by ae-cls; nothing was touched",
            fix=f"--folder {inner}" if inner else "leave out --folder for the store of all runs",
        )  # fmt: skip


def print_list(root: Path, stage: str | None) -> None:
    """One line an entry."""
    print_table(cache_table(_chosen(root, stage), root, now=time.time()))
    _say_strangers(root)


def verify(root: Path) -> None:
    """Hash all entries.

    Raises:
        ModelFileError: some are damaged; which is in the log.
    """
    damaged = damage_in(root)
    for folder, why in damaged.items():
        _LOG.warning("damaged: %s: %s", folder, why)
    if damaged:
        raise ModelFileError(
            f"damaged: {_counted(damaged)}", where=str(root),
            why="files do not match the manifest; the output will be made again when needed",
            fix="check the disk",
        )  # fmt: skip
    print(f"all entries are intact: {root}")
    _say_strangers(root)


def prune(root: Path, given: Namespace) -> None:
    """Remove what killed processes left behind, and what the flags select."""
    if is_store(root):
        mark(root)  # one of an earlier version is known for one from now on
    kept = _chosen(root, given.stage)
    unwanted = [entry for entry in kept if "leftover" in entry.about]
    rest = [entry for entry in kept if "leftover" not in entry.about]
    if given.all:
        unwanted += rest
    elif given.days is not None:
        unwanted += unused_for(rest, given.days * _DAY)
    elif given.keep_gb is not None:
        unwanted += over_limit(rest, int(given.keep_gb * _GB))
    removed = remove(root, unwanted)
    freed = sum(entry.size for entry in removed) / _GB
    print(f"removed {_counted(removed)} ({freed:.2f} GB), {len(kept) - len(removed)} left")
    if in_use := len(unwanted) - len(removed):
        _LOG.info("in use or with something of others in them, and so not removed: %d", in_use)
    _say_strangers(root)


def _say_strangers(root: Path) -> None:
    if strangers := strangers_in(root):
        names = "\n".join(some([f"  {path}" for path in strangers]))
        _LOG.warning("not made by ae-cls, and left as it is:\n%s", names)


def _chosen(root: Path, stage: str | None) -> Sequence[Kept]:
    kept = kept_in(root)
    stages = sorted({entry.stage for entry in kept})
    if stage not in (None, *stages):
        known = ", ".join(stages) or "none"
        _LOG.warning("there is no entry of stage %s, only of: %s", stage, known)
    return [entry for entry in kept if stage in (None, entry.stage)]


def _counted(entries: Sized) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
