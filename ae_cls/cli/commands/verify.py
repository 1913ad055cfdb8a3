"""`ae-cls verify`: whether folders are as ae-cls has written them."""

from collections.abc import Sequence

from ae_cls.cli.exits import complain
from ae_cls.cli.parser import Parser, home_path
from ae_cls.errors import IN_PART, ModelFileError, printable, some

SUMMARY = "whether runs, models, sweeps, studies and stores are as they were written"
_EPILOG = """\
Every file is hashed and compared with the list that was written at the end, and the numbers of a
run are computed once more from its predictions.csv. Nothing is changed. A copy is verified like the
original, also after zip and unzip. Of a run that has not finished, what it needs to go on is looked
at; of one of an earlier version, which has no list, its model and its numbers. Files that are not
listed are named, and are no damage.

Exit code 0 when all are whole, 5 when something is damaged, 8 when of several folders some are.

  ae-cls verify outputs/run/digits-conv-linear/20260101-120000-000000
  ae-cls verify outputs/run/sweep-0123abcd outputs/run/study-4567cdef
  ae-cls verify outputs ~/.cache/ae-cls
"""


def parser() -> Parser:
    found = Parser("verify", SUMMARY, epilog=_EPILOG)
    found.add_argument(
        "folder", type=home_path, nargs="+", metavar="FOLDER",
        help="of a run, a model, a sweep, a study or a store, or one above such",
    )  # fmt: skip
    return found


def verify_command(words: Sequence[str]) -> int:
    """Print a line for each thing that was looked at; 0, or 8 when some folders are damaged.

    Raises:
        UsageError: a folder holds nothing of ae-cls.
        ModelFileError: all folders are damaged.
    """
    given = parser().read(words)
    from ae_cls.jobs.verify import verify  # here, as it takes time to import
    from ae_cls.report.terminal import log_to_stderr

    log_to_stderr()
    found = {folder: verify(folder) for folder in given.folder}
    for one in (one for parts in found.values() for one in parts):
        print(printable(f"{'damaged' if one.damage else 'whole':<8} {one.kind:<7} {one.folder}"))
        for line in some([*(f"{name}: {why}" for name, why in one.damage.items())]):
            complain(printable(f"damaged: {one.folder}: {line}"))
        for note in some(one.notes):
            complain(printable(f"note: {one.folder}: {note}"))
    damaged = [folder for folder, parts in found.items() if any(one.damage for one in parts)]
    if damaged and len(damaged) == len(found):
        raise ModelFileError(
            f"damaged: {len(damaged)} of {len(found)} folders", where="\n".join(map(str, damaged)),
            why="files have changed since they were written, as listed above",
            fix="restore them from a copy, or run again; outputs in a store are made again by "
            "themselves",
        )  # fmt: skip
    return IN_PART if damaged else 0
