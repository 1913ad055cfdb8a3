"""`ae-cls cache`: what is kept between runs."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.parser import Parser, home_path
from ae_cls.errors import ModelFileError, UsageError

SUMMARY = "what is kept between runs: ls, verify, prune"
_EPILOG = """\
  ls        each kept output of a stage: what it is, its size, when it was last used
  verify    hash all of them; exit code 5 when one is damaged (it will be made again)
  prune     remove what killed processes left behind, and what --days, --keep-gb or --all select;
            never what a run is making or reading, nor what ae-cls did not write

  ae-cls cache prune --days 30
  ae-cls cache prune --keep-gb 5 --stage encode
"""


def parser() -> Parser:
    arguments = Parser("cache", SUMMARY, epilog=_EPILOG)
    arguments.add_argument("action", choices=("ls", "verify", "prune"), help="what to do")
    arguments.add_argument(
        "--folder",
        type=home_path,
        metavar="FOLDER",
        help="a store (default: the one that runs share); any other folder is refused",
    )
    arguments.add_argument("--stage", metavar="STAGE", help="only outputs of this stage")
    limit = arguments.add_mutually_exclusive_group()
    limit.add_argument(
        "--days", type=_not_negative, metavar="N", help="prune what was unused for N days"
    )
    limit.add_argument(
        "--keep-gb", type=_not_negative, metavar="N", help="prune down to N gigabytes"
    )
    limit.add_argument("--all", action="store_true", help="prune everything")
    return arguments


def cache(words: Sequence[str]) -> int:
    """Carry out one action; 0."""
    given = parser().read(words)
    if given.action != "prune" and (given.all or {given.days, given.keep_gb} != {None}):
        raise UsageError(f"{given.action} does not delete anything", fix="ae-cls cache prune ...")
    from ae_cls.report.terminal import log_to_stderr  # here and below, as these take time
    from ae_cls.store.places import shared_store
    from ae_cls.store.pruning import refuse_unless_store, say_strangers

    log_to_stderr()
    root = given.folder or shared_store()
    refuse_unless_store(root)
    _ACTIONS[given.action](root, given)
    say_strangers(root)
    return 0


def _list(root: Path, given: argparse.Namespace) -> None:
    from ae_cls.report.cache_table import cache_table
    from ae_cls.report.table import print_table
    from ae_cls.store.pruning import kept_of

    print_table(cache_table(kept_of(root, given.stage), root, now=time.time()))


def _verify(root: Path, given: argparse.Namespace) -> None:
    from ae_cls.store.pruning import damaged_in

    damaged = damaged_in(root)
    if damaged:
        raise ModelFileError(
            f"damaged: {_counted(damaged)}", where=str(root),
            why="files do not match the manifest; the output will be made again when needed",
            fix="check the disk",
        )  # fmt: skip
    print(f"all entries are intact: {root}")


def _prune(root: Path, given: argparse.Namespace) -> None:
    from ae_cls.store.pruning import kept_of, prune

    kept = kept_of(root, given.stage)
    removed = prune(root, kept, everything=given.all, days=given.days, most_gb=given.keep_gb)
    size = sum(entry.size for entry in removed) / 1e9
    left = len(kept) - len(removed)
    print(f"removed {_counted(len(removed))} ({size:.2f} GB), {left} left")


_ACTIONS = {"ls": _list, "verify": _verify, "prune": _prune}


def _counted(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"


def _not_negative(word: str) -> float:
    if float(word) < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return float(word)
