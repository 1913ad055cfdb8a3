"""`ae-cls cache`: what is kept between runs."""

import logging
import time
from argparse import Namespace
from collections.abc import Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING

from ae_cls.cli.parser import Parser
from ae_cls.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    from ae_cls.store.cleaning import Kept

SUMMARY = "what is kept between runs: ls, verify, prune"
_EPILOG = """\
  ls        each kept output of a stage: what it is, its size, when it was last used
  verify    hash all of them; exit code 5 when one is damaged (it will be made again)
  prune     remove what killed processes left behind, and what --days, --keep-gb or --all select;
            never what a run is making or reading

  ae-cls cache prune --days 30
  ae-cls cache prune --keep-gb 5 --stage encode
"""
ACTIONS = ("ls", "verify", "prune")
_DAY, _GB = 86_400, 10**9
_LOG = logging.getLogger(__name__)


def parser() -> Parser:
    """What may stand behind `ae-cls cache`."""
    found = Parser("cache", SUMMARY, epilog=_EPILOG)
    found.add_argument("action", choices=ACTIONS, help="what to do")
    found.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="a store (default: the one that runs share)"
    )
    found.add_argument("--stage", metavar="STAGE", help="only outputs of this stage")
    found.add_argument("--days", type=float, metavar="N", help="prune what was not used for N days")
    found.add_argument("--keep-gb", type=float, metavar="N", help="prune down to N gigabytes")
    found.add_argument("--all", action="store_true", help="prune everything")
    return found


def cache(words: Sequence[str]) -> int:
    """Carry out one action; the exit code."""
    from ae_cls.report.terminal import log_to_stderr  # here and below, as these imports take time
    from ae_cls.store.places import shared_store

    given = parser().read(words)
    _refuse_without_effect(given)
    log_to_stderr()
    root = given.folder or shared_store()
    if given.action == "verify":
        return _verify(root)
    kept = _chosen(root, given.stage)
    return _prune(root, kept, given) if given.action == "prune" else _list(root, kept)


def _refuse_without_effect(given: Namespace) -> None:
    limits = [given.days is not None, given.keep_gb is not None, given.all]
    if given.action != "prune" and any(limits):
        raise UsageError(f"{given.action} does not delete anything", fix="ae-cls cache prune ...")
    if sum(limits) > 1:
        raise UsageError("--days, --keep-gb and --all cannot be combined")
    if min(given.days or 0, given.keep_gb or 0) < 0:
        raise UsageError("--days and --keep-gb must not be negative")


def _chosen(root: Path, stage: str | None) -> "list[Kept]":
    from ae_cls.store.cleaning import kept_in

    kept = kept_in(root)
    stages = sorted({entry.stage for entry in kept})
    if stage not in (None, *stages):
        _LOG.warning(
            "there is no entry of stage %s, only of: %s", stage, ", ".join(stages) or "none"
        )
    return [entry for entry in kept if stage in (None, entry.stage)]


def _list(root: Path, kept: "Sequence[Kept]") -> int:
    from ae_cls.report.cache_table import cache_table
    from ae_cls.report.table import print_table

    print_table(cache_table(kept, root, now=time.time()))
    return 0


def _verify(root: Path) -> int:
    from ae_cls.store.cleaning import damage_in

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
    return 0


def _prune(root: Path, kept: "Sequence[Kept]", given: Namespace) -> int:
    from ae_cls.store.cleaning import over_limit, remove, unused_for

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
    return 0


def _counted(entries: Sized) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
