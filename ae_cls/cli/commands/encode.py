"""`ae-cls encode`: features of a run's images, or of any folder of images."""

from collections.abc import Sequence

from ae_cls.cli.exits import complain
from ae_cls.cli.parser import Parser, add_device, home_path, output_file
from ae_cls.errors import printable
from ae_cls.experiment import configs

SUMMARY = "features of a run's images, or of a folder, as .npz"
_EPILOG = """\
The .npz file, read by numpy.load(FILE) without pickle, holds
  features     n x d, float32
  labels       class index of each image, -1 where none is known
  class_names  in the order of the class index
  names        path of each image; empty where images are not files
  rows         position of each image in the data set, or in the sorted list of files
  unlike       with --folder, why an image is unlike those of training; empty if it is not

  ae-cls encode outputs/run/digits-conv-linear/20260101-120000-000000 --split test -o features.npz
  ae-cls encode RUN --folder photos -o photos.npz
"""
PARTS = ("train", "labelled", "valid", "test", "pretrain", "all")


def parser() -> Parser:
    """What may stand behind `ae-cls encode`."""
    arguments = Parser("encode", SUMMARY, epilog=_EPILOG)
    arguments.add_argument(
        "run", type=home_path, metavar="RUN", help="folder of ae-cls run or pretrain"
    )
    arguments.add_argument(
        "-o", "--output", type=output_file, required=True, metavar="FILE",
        help="the .npz file to write",
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
    """Write the features; 0."""
    given = parser().read(words)
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.saved.encode import load_encoder  # here, as it imports torch

    log_to_stderr()
    saved = load_encoder(given.run, given.encode, given.device)
    encoded = (
        saved.of_folder(given.folder) if given.folder else saved.of_part(given.run, given.split)
    )
    encoded.save(given.output)
    count, size = encoded.features.shape
    complain(printable(f"{count} x {size} features in {given.output}"))
    return 0
