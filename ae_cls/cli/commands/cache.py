"""`ae-cls cache`: what is kept between runs."""

import argparse
from collections.abc import Sequence

from ae_cls.cli.parser import Parser, home_path
from ae_cls.errors import UsageError

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
    """What may stand behind `ae-cls cache`."""
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
    from ae_cls.cli.commands import cache_actions  # here, as these imports take time
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.store.places import shared_store

    log_to_stderr()
    root = given.folder or shared_store()
    cache_actions.refuse_unless_store(root)
    if given.action == "ls":
        cache_actions.print_list(root, given.stage)
    elif given.action == "verify":
        cache_actions.verify(root)
    else:
        cache_actions.prune(root, given)
    return 0


def _not_negative(word: str) -> float:
    if float(word) < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return float(word)
