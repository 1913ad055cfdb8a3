"""What a user asks of a store: what it holds, whether it is whole, and to remove some of it."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from ae_cls.errors import UsageError, some
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
        inner = root / "stages"
        other = f"--folder {inner}" if is_store(inner) else ""
        raise UsageError(
            "this is not a store of ae-cls", where=str(root),
            why=f"it has no {MARK}, and nothing in it was made by ae-cls; nothing was touched",
            fix=other or "leave out --folder for the store of all runs",
        )  # fmt: skip


def kept_of(root: Path, stage: str | None) -> list[Kept]:
    """The outputs of a stage, or all; a stage of which nothing is kept is said."""
    kept = kept_in(root)
    stages = sorted({entry.stage for entry in kept})
    if stage not in (None, *stages):
        known = ", ".join(stages) or "none"
        _LOG.warning("there is no entry of stage %s, only of: %s", stage, known)
    return [entry for entry in kept if stage in (None, entry.stage)]


def damaged_in(root: Path) -> int:
    """How many entries are damaged; each is said, and why."""
    damaged = damage_in(root)
    for folder, why in damaged.items():
        _LOG.warning("damaged: %s: %s", folder, why)
    return len(damaged)


def prune(
    root: Path, kept: Sequence[Kept], *, everything: bool, days: float | None, most_gb: float | None
) -> list[Kept]:
    """Remove what killed processes left behind, and what the limit selects, if there is one.

    Returns what was removed.

    Raises:
        StorageError: the store cannot be written.
    """
    if is_store(root):
        mark(root)  # one of an earlier version is known for one from now on
    unwanted = [entry for entry in kept if "leftover" in entry.about]
    rest = [entry for entry in kept if "leftover" not in entry.about]
    if everything:
        unwanted += rest
    elif days is not None:
        unwanted += unused_for(rest, days * _DAY)
    elif most_gb is not None:
        unwanted += over_limit(rest, int(most_gb * _GB))
    removed = remove(root, unwanted)
    if in_use := len(unwanted) - len(removed):
        _LOG.info("not removed, as they are in use or hold files of others: %d", in_use)
    return removed


def say_strangers(root: Path) -> None:
    """Name what others have put there."""
    if strangers := strangers_in(root):
        names = "\n".join(some([f"  {path}" for path in strangers]))
        _LOG.warning("not made by ae-cls, and left as it is:\n%s", names)
