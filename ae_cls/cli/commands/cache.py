"""`ae-cls cache`: what is kept between runs."""

import logging
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.parser import Parser
from ae_cls.errors import ModelFileError, UsageError
from ae_cls.store.cleaning import Kept, damage_in, kept_in, over_limit, remove, unused_for

SUMMARY = "what is kept between runs: ls, verify, prune"
_EPILOG = """\
  ls        each kept output of a stage: what it is, its size, when it was used last
  verify    hash all of them; exit code 5 when one is damaged (it will be made again)
  prune     take away leftovers of killed processes, and what --days, --keep-gb or --all say;
            never what a run is making or reading

  ae-cls cache prune --days 30
  ae-cls cache prune --keep-gb 5 --stage encode
"""
ACTIONS = ("ls", "verify", "prune")
STAGES = ("pretrain", "encode", "classify", "rebuild", "draw")
_DAY, _GB = 86_400, 10**9
_LOG = logging.getLogger(__name__)


def parser() -> Parser:
    """What may stand behind `ae-cls cache`."""
    found = Parser("cache", SUMMARY, epilog=_EPILOG)
    found.add_argument("action", choices=ACTIONS, help="what to do")
    found.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="a store (default: the one that runs share)"
    )
    found.add_argument("--stage", choices=STAGES, help="only outputs of this stage")
    found.add_argument("--days", type=float, metavar="N", help="prune what is unused for so long")
    found.add_argument("--keep-gb", type=float, metavar="N", help="prune down to so many gigabytes")
    found.add_argument("--all", action="store_true", help="prune everything")
    return found


def cache(words: Sequence[str]) -> int:
    """Carry out one action; the exit code."""
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.store.places import shared_store

    given = parser().parse_args(words)
    log_to_stderr()
    root = given.folder or shared_store()
    _refuse_without_effect(given)
    return {"ls": _ls, "verify": _verify, "prune": _prune}[given.action](root, given)


def _refuse_without_effect(given: Namespace) -> None:
    limits = [given.days is not None, given.keep_gb is not None, given.all]
    if given.action != "prune" and any(limits):
        raise UsageError(f"{given.action} takes nothing away", fix="ae-cls cache prune ...")
    if sum(limits) > 1:
        raise UsageError("--days, --keep-gb and --all exclude one another")
    if min(given.days or 0, given.keep_gb or 0) < 0:
        raise UsageError("--days and --keep-gb are not below 0")


def _ls(root: Path, given: Namespace) -> int:
    from ae_cls.report.cache_table import cache_table
    from ae_cls.report.table import print_table

    print_table(cache_table(_chosen(root, given), root, now=time.time()))
    return 0


def _verify(root: Path, given: Namespace) -> int:
    damaged = damage_in(root)
    for folder, why in damaged.items():
        _LOG.warning("damaged: %s: %s", folder, why)
    if damaged:
        raise ModelFileError(
            f"{len(damaged)} kept outputs are damaged", where=str(root),
            why="they are not what their manifests say; they will be made again when needed",
            fix="check the disk",
        )  # fmt: skip
    print(f"all are whole: {root}")
    return 0


def _prune(root: Path, given: Namespace) -> int:
    kept = _chosen(root, given)
    unwanted = [each for each in kept if "leftover" in each.about]
    rest = [each for each in kept if "leftover" not in each.about]
    if given.all:
        unwanted += rest
    elif given.days is not None:
        unwanted += unused_for(rest, given.days * _DAY)
    elif given.keep_gb is not None:
        unwanted += over_limit(rest, int(given.keep_gb * _GB))
    gone = remove(root, unwanted)
    freed = sum(each.size for each in gone) / _GB
    print(f"taken away: {len(gone)}, {freed:.2f} GB; left: {len(kept) - len(gone)}")
    if in_use := len(unwanted) - len(gone):
        _LOG.info("%d are in use and stay", in_use)
    return 0


def _chosen(root: Path, given: Namespace) -> list[Kept]:
    return [each for each in kept_in(root) if given.stage in (None, each.stage)]
