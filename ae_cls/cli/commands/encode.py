"""`ae-cls encode`: features of a run's images, or of any folder of images."""

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ae_cls.cli.exits import complain
from ae_cls.cli.last import add_run, named
from ae_cls.cli.parser import Parser, add_device, home_path, output_file
from ae_cls.errors import IN_PART, UsageError, printable
from ae_cls.experiment import configs

SUMMARY = "features of a run's images, or of a folder, as .npz, .csv or .parquet"
_EPILOG = """\
The suffix of FILE says its kind. Of .npz, read by numpy.load(FILE) without pickle, the arrays are
  features     n x d, float32
  labels       class index of each image, -1 where none is known
  class_names  in the order of the class index
  parts        train, valid, test or unlabelled; empty where images are of no part
  names        path of each image; empty where images are not files
  rows         position of each image in the data set, or in the sorted list of files
  unlike       with --folder, why an image is unlike those of training; empty if it is not
A .csv or .parquet file has the columns row, path, part, label (the name), unlike, f0, f1, ...

With --folder, class folders give the labels and train/, valid/, test/ the parts, as dataset=folder
reads them. Exit code 8 when some files could not be read; they are named and left out.

  ae-cls encode outputs/run/digits-conv-linear/20260101-120000-000000 --split test -o features.npz
  ae-cls encode latest --folder photos -o photos.csv
  ae-cls encode RUN dataset.root=WHERE_THE_DATA_ARE_NOW -o features.npz
"""
FORMATS = (".npz", ".csv", ".parquet")
_SUFFIXES = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
PARTS = ("train", "labelled", "valid", "test", "pretrain", "all")


def parser() -> Parser:
    arguments = Parser("encode", SUMMARY, epilog=_EPILOG)
    add_run(arguments, "run", "folder of ae-cls run or pretrain")
    arguments.add_argument(
        "words", nargs="*", metavar="dataset.root=PATH", help="where the run's data are now"
    )
    arguments.add_argument(
        "-o", "--output", type=_features_file, required=True, metavar="FILE",
        help=f"the file to write, {_SUFFIXES}",
    )  # fmt: skip
    source = arguments.add_mutually_exclusive_group()
    source.add_argument(
        "--split", choices=PARTS, default="all", help="of the run's data set (default: all)"
    )
    source.add_argument(
        "--folder", type=home_path, metavar="FOLDER", help="image files of another folder"
    )
    arguments.add_argument(
        "--encode", choices=configs.options("encode"),
        help="which features (default: as the run read them; after pretrain, the default of run)",
    )  # fmt: skip
    add_device(arguments)
    return arguments


def encode(words: Sequence[str]) -> int:
    """Write the features; 0, or 8 when some files could not be read."""
    given = parser().read(words, flags_anywhere=True)
    from ae_cls.interrupt import end_on_signals  # here and below, as these import much
    from ae_cls.jobs.last import FINISHED
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.saved.encode import load_encoder
    from ae_cls.words.paths import moved_root

    root = moved_root(given.words)
    log_to_stderr()
    end_on_signals()
    run = named(given.run, given.outputs, FINISHED)
    saved = load_encoder(run, given.encode, given.device)
    saved = saved.with_data_at(root) if root else saved
    saved.refuse_output(given.output, run, given.folder)
    encoded = saved.of_folder(given.folder) if given.folder else saved.of_part(run, given.split)
    encoded.save(given.output)
    count, size = encoded.features.shape
    complain(printable(f"{count} x {size} features in {given.output}"))
    return IN_PART if encoded.left_out else 0


def _features_file(word: str) -> Path:
    """A file that can be written, of a kind that there is and that can be written here."""
    path = output_file(word)
    if path.suffix not in FORMATS:
        raise argparse.ArgumentTypeError(f"{word} must end in {_SUFFIXES}")
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise UsageError(
            "a .parquet file needs pyarrow, which is not installed", where=f"-o {word}",
            fix='pip install "ae-cls[parquet]", or -o FILE.csv',
        )  # fmt: skip
    return path
