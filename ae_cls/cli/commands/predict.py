"""`ae-cls predict`: labels for image files."""

from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.exits import complain
from ae_cls.cli.last import add_run, named
from ae_cls.cli.parser import Parser, add_device, home_path, output_file
from ae_cls.errors import IN_PART, printable, some

SUMMARY = "label image files with the classifier of a run"
_EPILOG = """\
The CSV has the columns path, predicted, score, error, unlike and one
probability a class (p_CLASS). A file that cannot be decoded is a row with an
error; the column unlike says in which way an image is unlike those of
training, of which it would say so of 1 %. Images are brought to the size and
channels of the model as the run did it (dataset.fit, black, white,
background, bands); where the run read no image files, they are shown whole
(pad) on the colour at the border of the training images. Text that a
spreadsheet would take for a formula is defused, here and in predictions.csv
of the run: ./ before a path, which still names the file, and ' before a
label. A number or a sign alone is no formula.

  ae-cls predict outputs/run/digits-conv-linear/20260101-120000-000000 photos -o predictions.csv
  ae-cls predict latest photos -o predictions.csv

Exit code 8 when some files could not be read, 3 when none could be.
"""
STDOUT = Path("-")


def parser() -> Parser:
    arguments = Parser("predict", SUMMARY, epilog=_EPILOG)
    add_run(arguments, "model", "a run folder, or its model/")
    arguments.add_argument(
        "paths", type=home_path, metavar="PATH", nargs="+", help="image files, or folders of them"
    )
    arguments.add_argument(
        "-o", "--output", type=output_file, default=STDOUT, metavar="FILE",
        help="- is standard output (default)",
    )  # fmt: skip
    add_device(arguments)
    return arguments


def predict(words: Sequence[str]) -> int:
    """Write the CSV; 0, or 8 when some files could not be read.

    Raises:
        DataError: none could be read; the CSV says why of each.
    """
    given = parser().read(words)
    from ae_cls.interrupt import end_on_signals  # here and below, as these take time to import
    from ae_cls.jobs.last import CLASSIFIED
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.saved.predict import predict_to_csv

    log_to_stderr()
    end_on_signals()
    model = named(given.model, given.outputs, CLASSIFIED)
    output = None if given.output == STDOUT else given.output
    outcome = predict_to_csv(model, given.paths, output, given.device)
    outcome.refuse_if_none_was_read()
    if outcome.errors:
        counts = f"{len(outcome.errors)} of {outcome.files}"
        complain(f"warning: {counts} files could not be decoded; see the column error")
        complain(printable("\n".join(f"  {line}" for line in some(outcome.errors))))
    for note in outcome.notes:
        complain(f"warning: {note}")
    return IN_PART if outcome.errors else 0
