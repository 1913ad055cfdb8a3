"""`ae-cls predict`: labels for image files."""

import io
import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.parser import Parser, add_device, output_file

SUMMARY = "label image files with the classifier of a run"
_EPILOG = """\
The CSV has the columns path, label, score, error and one probability a class (p_CLASS). A file
that cannot be decoded is a row with an error. Images are brought to the size and channels of the
model as the run did it (dataset.fit); where the run read no image files, they are shown whole on
white (pad). Text that a spreadsheet would take for a formula is defused: ./ before a path, which
still names the file, and ' before a label.

  ae-cls predict outputs/run/digits-conv-linear/20260101-120000-000000 photos -o predictions.csv
"""
_LOG = logging.getLogger(__name__)
STDOUT = Path("-")


def parser() -> Parser:
    """What may stand behind `ae-cls predict`."""
    found = Parser("predict", SUMMARY, epilog=_EPILOG)
    found.add_argument("model", type=Path, metavar="MODEL", help="a run folder, or its model/")
    found.add_argument(
        "paths", type=Path, metavar="PATH", nargs="+", help="image files, or folders of them"
    )
    found.add_argument(
        "-o", "--output", type=output_file, default=STDOUT, metavar="FILE",
        help="- is standard output (default)",
    )  # fmt: skip
    add_device(found)
    return found


def predict(words: Sequence[str]) -> int:
    """Write the CSV; 0, also when some files could not be decoded."""
    given = parser().read(words)
    from ae_cls.report.terminal import log_to_stderr

    log_to_stderr()
    errors, count = _predict(given)
    if errors:
        _LOG.warning("%d of %d files could not be decoded; see the column error", errors, count)
    return 0


def _predict(given: Namespace) -> tuple[int, int]:
    """Number of errors, and of files."""
    from ae_cls.saved import predict as core  # here, as it imports torch
    from ae_cls.saved.model import load_classifier, read_experiment
    from ae_cls.saved.use import compute_of, fit_of
    from ae_cls.store.files import publish

    files = core.find_images(given.paths, output=given.output)
    description = read_experiment(given.model)
    classifier = load_classifier(given.model, compute_of(description, given.device))
    predictions = core.predict(classifier, files, fit=fit_of(description))
    if given.output == STDOUT:
        return core.write_csv(predictions, classifier.class_names, sys.stdout), len(files)
    text = io.StringIO()  # kept until the end, so that the file appears whole
    errors = core.write_csv(predictions, classifier.class_names, text)
    publish(given.output, text.getvalue().encode())
    return errors, len(files)
