"""Group D of the battery: files that strangers made, and names of any bytes.

What tests/dataset tries of the same group is not tried again here.
"""

import contextlib
import csv
import gzip
import io
import json
import os
import re
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.decoding import Frame
from ae_cls.dataset.files import decode as decoder
from ae_cls.dataset.files import idx, regular, text_table
from ae_cls.dataset.files.decode import decode
from ae_cls.dataset.files.idx import IdxPart
from ae_cls.dataset.files.text_table import read_text_table
from ae_cls.errors import DataError
from ae_cls.experiment.descriptions import Pretraining
from tests.composed import described
from tests.faults.test_training import TINY

pytestmark = pytest.mark.filterwarnings(
    "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"
)

FRAME = Frame(1, 8, 8)

packed = partial(gzip.compress, mtime=0)  # names of tests are made of it: the time is none of them


def png_of(width: int, height: int, *, text: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = chunk(b"iTXt", text) if text else b""
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + lines + pixels + chunk(b"IEND", b"")


def tiff_of(**tags: int) -> bytes:
    """A little-endian TIFF with these sizes, and no pixels."""
    numbers = {"width": 256, "height": 257, "bits": 258, "offset": 273, "bands": 277, "bytes": 279}
    given = {"width": 4, "height": 4, "bits": 8, "offset": 8, "bands": 1, "bytes": 4, **tags}
    fields = [(numbers[name], value) for name, value in given.items()]
    fields += [(259, 1), (262, 1)]
    packed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(fields))
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(fields)) + packed + b"\0" * 4


def gif_of(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0" * 6 + (
        b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\0\x02\x02D\x01\0;"
    )  # fmt: skip


BOMBS = {
    "D07-png": png_of(60_000, 60_000),
    "D07-png-overflow": png_of(2**31 - 1, 2**31 - 1),
    "D07-gif": gif_of(65_535, 65_535),
    "D07-tiff": tiff_of(width=60_000, height=60_000),
    "D07-tiff-bands": tiff_of(bands=65_535, bits=64, width=60_000, height=60_000),
    "D07-tiff-offset": tiff_of(offset=2**32 - 1),
    "D07-pgm": b"P5 60000 60000 255\n",
    "D07-pgm-number": b"P5 " + b"9" * 100_000 + b" 1 255\n",
    "D07-eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "D07-pdf": b"%PDF-1.7\n",
    "D07-svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "D07-fits": packed(b"SIMPLE  =                    T" + b" " * 2000),
    "D07-ico": b"\0\0\1\0\1\0" + bytes(16) + png_of(60_000, 60_000),
    "D02-empty": b"",
    "D02-html": b"<!doctype html><title>404</title>",
    "D02-random": np.random.default_rng(0).bytes(3000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_no_picture_or_a_bomb_is_refused_at_once(name, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(BOMBS[name])
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(DataError):
        decode(path, FRAME)
    assert time.monotonic() - begun < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB


@pytest.mark.parametrize("case", ["D07-text"])
def test_a_text_of_a_hundred_megabytes_in_a_picture_is_bounded(case, tmp_path):
    path = tmp_path / "a.png"
    body = zlib.compress(b"x" * 10**8)
    path.write_bytes(png_of(8, 8, text=b"k\0\1\0\0\0" + body))
    with contextlib.suppress(DataError):
        decode(path, FRAME)
    assert path.stat().st_size < 10**6


def with_memory_gone(path: Path, frame: Frame) -> None:
    raise MemoryError("Unable to allocate")


@pytest.mark.parametrize(
    ("room", "error"),
    [
        pytest.param(True, DataError, id="T07-file-asks-too-much"),
        pytest.param(False, MemoryError, id="T07-decoding-without-memory"),
    ],
)
def test_memory_that_is_gone_is_no_fault_of_a_file(room, error, tmp_path, monkeypatch):
    monkeypatch.setattr(decoder, "_picture", with_memory_gone)
    monkeypatch.setattr(decoder, "_has_room_for_a_picture", lambda: room)
    with pytest.raises(error):
        decode(tmp_path / "a.png", FRAME)


def npz_with(tmp_path: Path, **arrays: np.ndarray) -> str:
    images = {"images": np.random.default_rng(0).integers(0, 255, (40, 8, 8)).astype(np.uint8)}
    np.savez(tmp_path / "own.npz", **(images | arrays))
    return str(tmp_path / "own.npz")


def loaded(root: str) -> Dataset:
    found = described("pretrain", "dataset=npz", f"dataset.root={root}")
    assert isinstance(found, Pretraining)
    return found.dataset.load()


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(np.int64(10**9), id="D23-1e9"),
        pytest.param(np.int64(2**62), id="D23-2^62"),
        pytest.param(np.uint64(2**64 - 1), id="D23-minus-one-in-disguise"),
        pytest.param(np.float64(1e300), id="D23-1e300"),
        pytest.param(np.float64(2**63), id="D23-2^63"),
        pytest.param(np.int64(-7), id="D23-negative"),
    ],
)
def test_a_label_that_nobody_means_is_refused_at_once(label, tmp_path):
    labels = np.zeros(40, label.dtype)
    labels[1], labels[3] = 1, label
    begun = time.monotonic()
    with pytest.raises(DataError) as refused:
        loaded(npz_with(tmp_path, labels=labels))
    assert time.monotonic() - begun < 5
    assert "labels" in refused.value.block()


@pytest.mark.parametrize("how", ["D23-names-in-the-file", "D23-names-in-words"])
def test_two_classes_of_one_name_are_refused(how, tmp_path):
    of_file = {"class_names": np.array(["cat", "cat"])} if how.endswith("file") else {}
    root = npz_with(tmp_path, labels=np.arange(40) % 2, **of_file)
    more = () if of_file else ("dataset.class_names=[cat,cat]",)
    found = described("pretrain", "dataset=npz", f"dataset.root={root}", *more)
    assert isinstance(found, Pretraining)
    with pytest.raises(DataError, match="two classes have one name"):
        found.dataset.load()


def test_a_gap_in_very_many_numbers_of_classes_is_found_at_once(tmp_path):
    labels = np.arange(400_000)
    labels[-1] += 1
    images = np.zeros((400_000, 4, 4), np.uint8)
    begun = time.monotonic()
    with pytest.raises(DataError, match="label 399999"):
        loaded(npz_with(tmp_path, images=images, labels=labels))
    assert time.monotonic() - begun < 20


def npy(header: str) -> bytes:
    text = header.encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("name", ["images", "labels"])
@pytest.mark.parametrize("order", ["False", "True"])
def test_an_array_that_declares_more_than_there_is_is_refused_before_it_is_allocated(
    name, order, tmp_path
):
    from zipfile import ZipFile

    shape = "(1000000000000, 8, 8)" if name == "images" else "(1000000000000,)"
    root = npz_with(tmp_path, **({} if name == "labels" else {"labels": np.zeros(40, int)}))
    with ZipFile(tmp_path / "new.npz", "w") as new, ZipFile(root) as old:
        for entry in old.namelist():
            if entry != f"{name}.npy":
                new.writestr(entry, old.read(entry))
        header = f"{{'descr': '|u1', 'fortran_order': {order}, 'shape': {shape}, }}"
        new.writestr(f"{name}.npy", npy(header) + b"\0" * 64)
    with pytest.raises(DataError, match="cannot be read") as refused:
        loaded(str(tmp_path / "new.npz"))
    assert "are declared" in refused.value.why


KINDS: dict[str, tuple[str, str, Callable[[Path], list[str]]]] = {
    "npz": ("own.npz", "npz", lambda path: [f"dataset.root={path}"]),
    "csv_pixels": ("own.csv", "csv_pixels", lambda path: [f"dataset.root={path}"]),
    "parquet": ("own.parquet", "parquet", lambda path: [f"dataset.root={path}"]),
    "table": (
        "own.csv", "folder",
        lambda path: [f"dataset.root={path.parent}", f"dataset.labels_csv={path.name}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"D19-pipe-{kind}")
def test_a_pipe_in_the_place_of_a_file_is_never_opened(kind, tmp_path):
    name, option, words = KINDS[kind]
    os.mkfifo(tmp_path / name)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    found = described("pretrain", f"dataset={option}", *words(tmp_path / name))
    with pytest.raises(DataError):
        found.dataset.load()


@pytest.mark.parametrize("case", ["D19-pipe-idx"])
def test_a_pipe_in_the_place_of_an_idx_file_is_never_opened(case, tmp_path):
    os.mkfifo(tmp_path / "images")
    with pytest.raises(DataError, match="images is damaged"):
        IdxPart(tmp_path / "images", tmp_path / "labels", 10).read()


def test_an_idx_file_that_declares_more_than_any_has_is_refused_before_it_is_read(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(idx, "_MOST_BYTES", 1000)
    (tmp_path / "images").write_bytes(struct.pack(">HBBIII", 0, 8, 3, 2**31, 28, 28))
    with pytest.raises(DataError, match="is damaged") as refused:
        IdxPart(tmp_path / "images", tmp_path / "labels", 10).read()
    assert "its header declares 1,683,627,180,032 bytes" in refused.value.why


def test_a_table_is_bounded_packed_and_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(text_table, "_MOST_BYTES", 1000)
    for name, content in {
        "large.csv": b"path,label\n" * 100,
        "bomb.csv.gz": packed(b"\0" * 10**7),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="cannot be read") as refused:
            read_text_table(tmp_path / name, "x")
        assert "more than 1,000 bytes" in refused.value.why


@pytest.mark.parametrize(
    "content",
    [
        b"path,label\n\0\0\0\n", b'path,label\n"never closed\n', b"a" * 200_000 + b",b\n1,2\n",
        packed(b"path,label\n")[:-9], b"\x1f\x8b\x08nonsense", b"\xff\xfea", b"\n" * 100,
    ],
    ids=["nul", "quote", "wide", "cut", "no-gzip", "half-a-character", "empty-lines"],
)  # fmt: skip
def test_no_table_of_labels_ends_in_a_bug(content, tmp_path):
    (tmp_path / "labels.csv").write_bytes(content)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    words = (f"dataset.root={tmp_path}", "dataset.labels_csv=labels.csv")
    with pytest.raises(DataError):
        described("pretrain", "dataset=folder", *words).dataset.load()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nul.csv", b"label,p0,p1,p2,p3\n1,0,0,0,\0\n"),
        ("wide.csv", b"l" * 200_000 + b",p1\n1,2\n"),
        ("number.csv", b"label,p0,p1,p2,p3\n1,0,0,0,99999999999999999999\n"),
        ("infinite.csv", b"label,p0,p1,p2,p3\n1,0,0,0,1e999\n"),
        ("latin.csv", b"label,p0,p1,p2,p3\n\xe9,0,0,0,1\n"),
        ("cut.csv.gz", packed(b"label,p0,p1,p2,p3\n1,2,3,4,5\n" * 50)[:-12]),
        ("damaged.csv.gz", packed(b"label,p0,p1\n" * 500)[:40] + b"\xff" * 50),
        ("ragged.csv", b"label,p0,p1,p2,p3\n1,0,0,0,5\n1,2\n"),
    ],
)
def test_no_table_of_pixels_ends_in_a_bug(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError):
        described(
            "pretrain", "dataset=csv_pixels", f"dataset.root={tmp_path / name}"
        ).dataset.load()


def test_a_line_without_an_end_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(regular, "LONGEST_LINE", 100)
    (tmp_path / "own.csv").write_text("label,p0,p1,p2,p3\n1,2,3,4,5\n" + "1" * 500)
    with pytest.raises(DataError, match="cannot be read") as refused:
        described(
            "pretrain", "dataset=csv_pixels", f"dataset.root={tmp_path}/own.csv"
        ).dataset.load()
    assert refused.value.why == "line 3 has more than 100 characters"


ODD = (
    b"=cmd.png", b"\x1b[31mred.png", b"\xff\xfe.png", b"a\nb.png", b"a\rb.png", b"@x.png",
    "ä😀.png".encode(), b"a,b.png", b'a"b.png', b" .png", b"-1.png", b"\xe2\x80\xae.png",
)  # fmt: skip
"""Names of files: of formulas, of terminals, in no encoding, with separators."""


@pytest.fixture
def odd_photos(tmp_path: Path) -> Path:
    """Two classes of odd names, each with pictures of odd names."""
    rng, root = np.random.default_rng(0), tmp_path / "photos"
    for label, offset in ((b"=1+1\x1b[0m", 0), (b"caf\xe9", 120)):
        folder = root / os.fsdecode(label)
        folder.mkdir(parents=True)
        for number in range(20):
            odd = ODD[number % len(ODD)]
            name = odd if number < len(ODD) else b"%d%s" % (number, odd)
            pixels = rng.integers(offset, offset + 120, (12, 12)).astype(np.uint8)
            with (folder / os.fsdecode(name)).open("wb") as file:
                Image.fromarray(pixels).save(file, "PNG")
    return root


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


_FORMULA = re.compile(r"[=+\-@\t\r]")


def refuse_odd_text(path: Path) -> None:
    """No control character, whatever the format; no formula in a cell."""
    if path.suffix in {".png", ".svg", ".safetensors", ".npz", ".npy", ".skops", ".sha256"}:
        return
    text = path.read_bytes().decode()  # all that we write is UTF-8
    assert "\x1b" not in text, path
    if path.suffix == ".json":
        json.loads(text, parse_constant=pytest.fail)
    if path.suffix == ".csv":
        for row in csv.reader(io.StringIO(text, newline="")):
            for cell in row:
                harmless = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell) or cell in "+-"
                assert harmless or not _FORMULA.match(cell), (path, cell)


@pytest.mark.parametrize("case", ["D-names"])
def test_names_of_any_bytes_pass_through_every_file_and_stream(
    case, odd_photos, ae_cls, tmp_path, monkeypatch
):
    data = ("dataset=folder", f"dataset.root={odd_photos}", "dataset.image_size=8")
    more = ("dataset.channels=1", "encode=latent")
    ended = ae_cls(*TINY, *data, *more, "figures=true", "head=knn")
    assert ended.code == 0, ended.err
    (run,) = Path("outputs/run").glob("*/*")
    predicted = ae_cls("predict", str(run), str(odd_photos))
    assert predicted.code == 0
    rows = list(csv.reader(io.StringIO(predicted.out, newline="")))
    assert len({row[0] for row in rows[1:]}) == 40  # no two names have become one
    assert ae_cls("predict", str(run), str(odd_photos), "-o", "out.csv").code == 0
    assert ae_cls("check", *data, "dataset.channels=1").code in (0, 3)
    assert ae_cls("report", "outputs/run").code in (0, 3, 8)
    for path in (*files_below(Path("outputs")), Path("out.csv")):
        refuse_odd_text(path)
    for printed in (ended, predicted):
        assert "\x1b" not in printed.out + printed.err
        (printed.out + printed.err).encode()


IN_C = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def in_process(place: Path, *words: str, **environment: str) -> bytes:
    """Standard output of a command in a process of its own, whose locale may be another."""
    ended = subprocess.run(
        [sys.executable, "-m", "ae_cls", *words],
        cwd=place, env={**os.environ, **environment}, capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    assert b"Traceback" not in ended.stderr, ended.stderr.decode()
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout


@pytest.mark.parametrize("case", ["D-locale"])
def test_names_are_the_same_in_a_locale_of_fewer_letters(case, odd_photos, tmp_path):
    (odd_photos / os.fsdecode(b"caf\xe9")).rename(odd_photos / "Schildkröte")
    words = ("check", "dataset=folder", f"dataset.root={odd_photos}", "dataset.channels=1")
    said = in_process(tmp_path, *words, **IN_C)
    assert rb"Schildkr\xf6te" in said
    assert said.decode("ascii")  # the terminal has no other letters
    (page,) = tmp_path.glob("outputs/check/folder/*/*.html")
    assert "Schildkröte" in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("case", ["D-locale-files"])
def test_files_are_the_same_in_a_locale_of_fewer_letters(case, odd_photos, tmp_path):
    (odd_photos / "=1+1\x1b[0m").rename(odd_photos / "Schildkröte")
    data = ("dataset=folder", f"dataset.root={odd_photos}", "dataset.image_size=8")
    made = []
    for name, environment in (("c", IN_C), ("utf-8", {"LC_ALL": "C.UTF-8"})):
        place = tmp_path / name
        place.mkdir()
        environment = {**environment, "AE_CLS_CACHE": str(place / "cache")}
        more = ("dataset.channels=1", "head=knn", "folder=R")
        in_process(place, *TINY, *data, *more, **environment)
        in_process(place, "predict", "R", str(odd_photos), "-o", "out.csv", **environment)
        names = ("R/metrics.json", "R/predictions.csv", "R/model/config.json", "out.csv")
        made.append([(place / name).read_bytes() for name in names])
    assert made[0] == made[1]
    for words in (["verify", "R"], ["cache", "ls"]):
        in_process(tmp_path / "c", *words, **IN_C)


@pytest.mark.parametrize("case", ["D19-loop"])
def test_a_link_to_itself_is_a_row_with_an_error(case, odd_photos, ae_cls, tmp_path):
    assert ae_cls(*TINY).code == 0
    (run,) = Path("outputs/run").glob("*/*")
    photos = tmp_path / "more"
    photos.mkdir()
    Image.new("L", (8, 8), 99).save(photos / "a.png")
    (photos / "l.png").symlink_to("l.png")
    (photos / "f.png").symlink_to("g.png")
    (photos / "g.png").symlink_to("f.png")
    os.mkfifo(photos / "p.jpg")
    for words in ([str(photos)], [str(photos), "-o", str(photos / "l.csv")]):
        ended = ae_cls("predict", str(run), *words)
        assert ended.code == 8, ended.err
    (tmp_path / "loop").symlink_to("loop")
    for words in (["loop"], [str(photos / "a.png"), "-o", "loop"]):
        ended = ae_cls("predict", str(run), *words)
        # What is a link is not written to.
        assert ended.code == (2 if "-o" in words else 3), (words, ended)
        assert "Traceback" not in ended.err
    for root in ("loop", str(photos)):
        ended = ae_cls("pretrain", "dataset=folder", f"dataset.root={root}")
        assert ended.code == 3 and "Traceback" not in ended.err, (root, ended)


@pytest.mark.parametrize("case", ["O13"])
def test_a_second_command_says_that_the_test_part_is_read_again(case, ae_cls):
    assert ae_cls("pretrain", *TINY[1:2], *TINY[2:3], *TINY[4:]).code == 0
    (encoder,) = (path.parent for path in Path("outputs").rglob("status.json"))
    words = ("classify", f"encoder={encoder}", "figures=false", "encode=latent")
    first, second, third = (ae_cls(*words, *more) for more in ([], [], ["head=knn"]))
    assert (first.code, second.code, third.code) == (0, 0, 0)
    assert "test part read" not in first.out
    assert "test part read" in second.out and "2 times" in second.out
    assert "test part read" in third.out and "2 runs" in third.out
