"""`ae-cls report`: what finished runs show, in one sentence, one page and one table."""

from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.parser import Parser

SUMMARY = "whether pretraining helped in finished runs: one sentence, one page"
_EPILOG = """\
Runs made by hand, by a sweep, a search or a study are found below the folders. Compared are those
on the same test images, labels and seed; the others are named. Writes report.html, report.md,
results.csv and times.csv. Exit code 0, or 8 when some runs could not be read.

  ae-cls report outputs/run
  ae-cls report outputs/run/sweep-0123abcd outputs/run/digits-conv-linear -o comparison
"""


def parser() -> Parser:
    found = Parser("report", SUMMARY, epilog=_EPILOG)
    found.add_argument(
        "folder", type=Path, nargs="+", metavar="FOLDER", help="of runs, at any depth"
    )
    found.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER",
        help="for the files (default: report/ in the first folder)",
    )  # fmt: skip
    return found


def report_command(words: Sequence[str]) -> int:
    """Write the report, print its sentences and tables; the exit code.

    Raises:
        AeClsError: what the user can mend.
    """
    given = parser().read(words, flags_anywhere=True)
    from ae_cls.compare.report import report  # here, as these take time to import
    from ae_cls.report.table import print_table
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.report.verdict_table import verdict_table
    from ae_cls.saved.names import REPORT
    from ae_cls.saved.output import refuse_as_report

    log_to_stderr()
    place = given.output or given.folder[0] / REPORT
    refuse_as_report(place, given.folder)
    made = report(given.folder, place)
    print_table(verdict_table(made.page, made.files))
    return made.exit_code
