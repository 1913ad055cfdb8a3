"""What `ae-cls cache` does; apart from its flags, as these imports take time."""

import logging
import time
from argparse import Namespace
from collections.abc import Sequence, Sized
from pathlib import Path

from ae_cls.errors import ModelFileError
from ae_cls.report.cache_table import cache_table
from ae_cls.report.table import print_table
from ae_cls.store.cleaning import Kept, damage_in, kept_in, over_limit, remove, unused_for

_DAY, _GB = 86_400, 10**9
_LOG = logging.getLogger(__name__)


def print_list(root: Path, stage: str | None) -> None:
    """One line an entry."""
    print_table(cache_table(_chosen(root, stage), root, now=time.time()))


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


def prune(root: Path, given: Namespace) -> None:
    """Remove what killed processes left behind, and what the flags select."""
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
        _LOG.info("in use, and so not removed: %d", in_use)


def _chosen(root: Path, stage: str | None) -> Sequence[Kept]:
    kept = kept_in(root)
    stages = sorted({entry.stage for entry in kept})
    if stage not in (None, *stages):
        known = ", ".join(stages) or "none"
        _LOG.warning("there is no entry of stage %s, only of: %s", stage, known)
    return [entry for entry in kept if stage in (None, entry.stage)]


def _counted(entries: Sized) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
