"""Numbers in image files against the array that was written: equal, or refused."""

import io
import struct
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ae_cls.dataset.decoding import Decoding, Frame
from ae_cls.dataset.files.decode import decode, picture_of
from ae_cls.dataset.files.read import read
from ae_cls.errors import DataError
from tests.dataset.tiffs import DEFLATE, LZW, PACKBITS, compressed, packed, write_tiff

HEIGHT, WIDTH = 12, 20
BACKGROUND = 255


def decoded(path: Path, channels: int = 1, **decoding: Any) -> np.ndarray:
    """Rows, columns, channels, not resized."""
    frame = Frame(channels, HEIGHT, WIDTH, Decoding(**{"fit": "stretch", **decoding}))
    return decode(path, frame).transpose(1, 2, 0).astype(int)


def why(path: Path, channels: int = 1, **decoding: Any) -> str:
    with pytest.raises(DataError) as caught:
        decoded(path, channels, **decoding)
    return caught.value.why


def shades(bands: int, seed: int = 0) -> np.ndarray:
    """Numbers from 0 to 1, both among them."""
    values = np.random.default_rng(seed).random((HEIGHT, WIDTH, bands))
    values[0, 0], values[-1, -1] = 0, 1
    return values


def as_kind(values: np.ndarray, kind: str, bits: int) -> np.ndarray:
    """The same shades as numbers of this type."""
    if kind == "f":
        return values.astype(f"f{bits // 8}")
    largest = 2 ** (bits - (kind == "i")) - 1
    return np.rint(values * largest).astype(f"{kind}{max(1, 2 ** (bits - 1).bit_length() // 8)}")


KINDS = [
    *(("u", bits) for bits in range(1, 17)),
    *(("i", bits) for bits in (8, 16)),
    *(("f", bits) for bits in (16, 32, 64)),
]
SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}


@given(
    kind=st.sampled_from(KINDS),
    order=st.sampled_from("<>"),
    big=st.booleans(),
    white_is_zero=st.booleans(),
    compression=st.sampled_from([1, LZW, DEFLATE, PACKBITS]),
    layout=st.sampled_from(["one strip", "strips", "tiles"]),
    colours=st.sampled_from([1, 3, 4]),
    separate=st.booleans(),
    extra=st.lists(st.sampled_from([0, 1, 2]), max_size=2),
    reverse=st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_every_layout_of_tiff_is_read_as_written_or_refused(
    kind: tuple[str, int], order: str, big: bool, white_is_zero: bool, compression: int,
    layout: str, colours: int, separate: bool, extra: list[int], reverse: bool,
) -> None:  # fmt: skip
    letter, bits = kind
    bands = colours + len(extra)
    values = as_kind(shades(bands), letter, bits)
    photometric = {1: 0 if white_is_zero else 1, 3: 2, 4: 5}[colours]
    tags: dict[int, Any] = {
        256: WIDTH, 257: HEIGHT, 258: [bits] * bands, 259: compression, 262: photometric,
        277: bands, 284: 2 if separate else 1, 339: [SAMPLE_FORMATS[letter]] * bands,
    }  # fmt: skip
    tags |= {338: extra} if extra else {}
    tags |= {266: 2} if reverse else {}
    side = {"one strip": (HEIGHT, WIDTH), "strips": (5, WIDTH), "tiles": (16, 16)}[layout]
    tags |= {322: 16, 323: 16} if layout == "tiles" else {278: side[0]}
    planes = [values[:, :, [band]] for band in range(bands)] if separate else [values]
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    segments = []
    for plane in planes:
        for row in range(0, HEIGHT, side[0]):
            for column in range(0, WIDTH, side[1]):
                part = plane[row : row + side[0], column : column + side[1]]
                if layout == "tiles":
                    missing = (16 - part.shape[0], 16 - part.shape[1])
                    part = np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)))
                content = packed(part.reshape(len(part), -1), bits, order)
                content = compressed(content, compression)
                segments.append(content.translate(turned) if reverse else content)
    with TemporaryDirectory() as folder:
        path = write_tiff(Path(folder, "a.tif"), segments, tags, order=order, big=big)
        check(path, values, colours, extra, kind, white_is_zero)


def check(
    path: Path, values: np.ndarray, colours: int, extra: list[int], kind: tuple[str, int],
    white_is_zero: bool,
) -> None:  # fmt: skip
    """Compare a file with what was written into it, by arithmetic of our own."""
    letter, bits = kind
    largest = 1 if letter == "f" else 2 ** (bits - (letter == "i")) - 1
    unit = values.astype(np.float64) / largest
    channels = 1 if colours == 1 else 3
    if colours == 1 and 0 in extra:
        assert "dataset.bands" in why(path, channels)
        return
    found = decoded(path, channels)
    shown = unit[:, :, :colours]
    opacity = next((i for i, meaning in enumerate(extra) if meaning), None)
    if colours == 4:
        shown = np.rint(shown * 255) / 255
        shown = (1 - shown[:, :, :3]) * (1 - shown[:, :, 3:])
        assert np.abs(found - 255 * shown).max() <= 2  # Pillow multiplies bytes
        return
    alpha = np.ones((HEIGHT, WIDTH, 1))
    if opacity is not None:
        alpha = unit[:, :, [colours + opacity]]
        if extra[opacity] == 1:
            shown = np.minimum(np.where(alpha > 0, shown / np.where(alpha > 0, alpha, 1), 0), 1)
    shown = 1 - shown if colours == 1 and white_is_zero else shown
    if colours == 1 and white_is_zero and opacity is not None and extra[opacity] == 1:
        return  # what white multiplied by opacity is, TIFF does not say
    expected = shown * alpha + BACKGROUND / 255 * (1 - alpha)
    # Bytes are rounded before they lie on the background; without one they are exact.
    assert np.abs(found - 255 * expected).max() <= (0.51 if opacity is None else 1.6)


@pytest.mark.parametrize("predictor", [2, 3])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_predictors_of_libtiff_are_undone(predictor: int, compression: str, tmp_path: Path) -> None:
    values = shades(1)[:, :, 0].astype(np.float32 if predictor == 3 else np.float64)
    values = values if predictor == 3 else np.rint(values * 65535).astype(np.uint16)
    path = tmp_path / "a.tif"
    Image.fromarray(values).save(path, compression=compression, tiffinfo={317: predictor})
    with tifffile.TiffFile(path) as file:
        assert file.pages.first.predictor == predictor
    assert np.array_equal(read(path, 99).samples[:, :, 0], values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u2", "u4", "i2", "u1"])
def test_differences_run_along_each_band(order: str, kind: str, tmp_path: Path) -> None:
    values = np.rint(shades(3) * 99).astype(kind)
    options: dict[str, Any] = {"compression": "zlib", "predictor": True, "byteorder": order}
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", **options)
    assert np.array_equal(read(tmp_path / "a.tif", 99).samples, values)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_palettes_have_the_colours_that_they_hold(
    bits: int, as_bytes: bool, tmp_path: Path
) -> None:
    index = np.random.default_rng(0).integers(0, 2**bits, (HEIGHT, WIDTH))
    colours = np.random.default_rng(1).integers(0, 256, (3, 2**bits))
    table = colours if as_bytes else colours * 257
    options: dict[str, Any] = {"photometric": "palette", "colormap": table.astype(np.uint16)}
    tifffile.imwrite(tmp_path / "a.tif", index.astype(f"u{bits // 8}"), **options)
    assert np.array_equal(decoded(tmp_path / "a.tif", 3), colours.T[index])


@pytest.mark.parametrize(
    ("shape", "options", "named"),
    [
        ((HEIGHT, WIDTH), {"photometric": "minisblack", "dtype": "c8"}, "complex"),
        ((HEIGHT, WIDTH, 3), {"photometric": "cielab", "dtype": "u2"}, "Lab"),
        ((HEIGHT, WIDTH), {"photometric": "cfa", "dtype": "u2"}, "CFA"),
        ((HEIGHT, WIDTH), {"photometric": "logl", "dtype": "i2"}, "LOGL"),
        ((2, HEIGHT, WIDTH), {"photometric": 1, "volumetric": True, "dtype": "u2"}, "volume"),
        ((HEIGHT, WIDTH, 13), {"photometric": 1, "planarconfig": 1, "dtype": "u2"}, "13 bands"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_its_name(
    shape: tuple[int, ...], options: dict[str, Any], named: str, tmp_path: Path
) -> None:
    values = np.ones(shape, options["dtype"])
    options = {key: value for key, value in options.items() if key != "dtype"}
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    assert named in why(tmp_path / "a.tif", 3)


@pytest.mark.parametrize(("photometric", "mode"), [("ycbcr", "YCbCr"), ("cielab", "LAB")])
def test_other_colour_spaces_become_red_green_and_blue(
    photometric: str, mode: str, tmp_path: Path
) -> None:
    values = np.rint(shades(3) * 255).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric=photometric)
    image = Image.frombytes(mode, (WIDTH, HEIGHT), values.tobytes())
    assert np.array_equal(decoded(tmp_path / "a.tif", 3), np.asarray(image.convert("RGB")))


def test_subsampled_colours_without_jpeg_are_refused(tmp_path: Path) -> None:
    tags = {256: 16, 257: 16, 258: [8] * 3, 259: 1, 262: 6, 277: 3, 278: 16, 530: (2, 2)}
    assert "YCbCr" in why(write_tiff(tmp_path / "a.tif", [bytes(16 * 16 * 3)], tags), 3)


def test_a_tiff_that_ends_too_early_is_refused_at_every_length(tmp_path: Path) -> None:
    values = np.rint(shades(3) * 65535).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", rowsperstrip=4)
    content = (tmp_path / "a.tif").read_bytes()
    for length in range(1, len(content), 37):
        (tmp_path / "b.tif").write_bytes(content[:length])
        assert why(tmp_path / "b.tif", 3)


def test_a_tiff_that_declares_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    tags = {256: 9000, 257: 9000, 258: [16] * 13, 259: 1, 262: 1, 277: 13, 278: 9000}
    assert "million bytes" in why(write_tiff(tmp_path / "a.tif", [b"0"], tags))
    tags |= {256: 90_000, 258: [16], 277: 1}
    assert "million" in why(write_tiff(tmp_path / "b.tif", [b"0"], tags))


def filtered(rows: np.ndarray, step: int) -> bytes:
    """Rows of bytes as PNG filters them (PNG 1.2, section 6), each row by another filter."""
    left = np.pad(rows, ((0, 0), (step, 0)))[:, :-step].astype(int)
    up = np.pad(rows, ((1, 0), (0, 0)))[:-1].astype(int)
    corner = np.pad(up, ((0, 0), (step, 0)))[:, :-step]
    guess = left + up - corner
    near = np.abs(np.stack([guess - left, guess - up, guess - corner]))
    paeth = np.choose(near.argmin(axis=0), [left, up, corner])
    taken = [np.zeros_like(left), left, up, (left + up) // 2, paeth]
    return b"".join(
        bytes([row % 5]) + ((rows[row] - taken[row % 5][row]) % 256).astype(np.uint8).tobytes()
        for row in range(len(rows))
    )


def write_png(path: Path, values: np.ndarray, kind: int, **more: bytes) -> Path:
    """Sixteen bits of any colour type, with other chunks before the pixels."""
    rows = np.frombuffer(values.astype(">u2").tobytes(), np.uint8).reshape(len(values), -1)
    pixels = zlib.compress(filtered(rows, 2 * values.shape[2]))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    chunks = {"IHDR": header, **more, "IDAT": pixels, "IEND": b""}
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks.items():
        word = name.encode() + data
        content += struct.pack(">I", len(data)) + word + struct.pack(">I", zlib.crc32(word))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("kind", "bands"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_a_png_of_sixteen_bits_keeps_them_all(kind: int, bands: int, tmp_path: Path) -> None:
    values = np.random.default_rng(kind).integers(0, 65536, (HEIGHT, WIDTH, bands))
    path = write_png(tmp_path / "a.png", values, kind, iCCP=b"broken\0\0x", tEXt=b"a\0b")
    found = read(path, 99)
    assert np.array_equal(found.samples, values)
    assert (found.bits, found.alpha) == (16, bands - 1 if kind >= 4 else None)
    content = path.read_bytes()
    for length in range(1, len(content) - 20, 97):
        (tmp_path / "b.png").write_bytes(content[:length])
        assert why(tmp_path / "b.png")


@pytest.mark.parametrize(("kind", "bands"), [(0, 1), (2, 3)])
def test_the_transparent_colour_of_a_deep_png_lies_on_the_background(
    kind: int, bands: int, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(0, 4, (HEIGHT, WIDTH, bands)) * 257 * 60
    rare = struct.pack(f">{bands}H", *values[3, 3])
    path = write_png(tmp_path / "a.png", values, kind, tRNS=rare)
    hidden = (values == values[3, 3]).all(axis=2, keepdims=True)
    expected = np.where(hidden, 7, values // 257)
    assert np.array_equal(decoded(path, bands, background=7), expected)


@pytest.mark.parametrize("most", [256, 1023, 4095, 65535])
@pytest.mark.parametrize(("kind", "bands"), [("P5", 1), ("P2", 1), ("P6", 3), ("P3", 3)])
def test_netpbm_files_are_scaled_by_their_own_largest_number(
    kind: str, bands: int, most: int, tmp_path: Path
) -> None:
    values = np.rint(shades(bands) * most).astype(int)
    header = f"{kind} # a remark\n{WIDTH} {HEIGHT}\n# another\n{most}\n".encode()
    plain = " ".join(map(str, values.ravel())).encode()
    body = values.astype(">u2").tobytes() if kind in ("P5", "P6") else plain
    (tmp_path / "a.pnm").write_bytes(header + body)
    assert np.array_equal(read(tmp_path / "a.pnm", 99).samples, values)
    found = decoded(tmp_path / "a.pnm", bands)
    assert np.abs(found - values * 255 / most).max() <= 0.51
    (tmp_path / "b.pnm").write_bytes(header + body[: len(body) // 2])
    assert "end after" in why(tmp_path / "b.pnm", bands)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "bands"), [("Pf", 1), ("PF", 3)])
def test_portable_float_maps_begin_at_the_bottom(
    kind: str, bands: int, order: str, tmp_path: Path
) -> None:
    values = shades(bands).astype(np.float32)
    header = f"{kind}\n{WIDTH} {HEIGHT}\n{'-' if order == '<' else ''}1.0\n".encode()
    (tmp_path / "a.pfm").write_bytes(header + values[::-1].astype(f"{order}f4").tobytes())
    assert np.array_equal(read(tmp_path / "a.pfm", 99).samples, values)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "f4", "f8"])
def test_black_and_white_are_numbers_of_the_file(kind: str, tmp_path: Path) -> None:
    values = np.linspace(20, 120, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    expected = np.clip((values.astype(float) - 40) * 255 / 60, 0, 255)[:, :, None]
    found = decoded(tmp_path / "a.tif", black=40.0, white=100.0)
    assert np.abs(found - expected).max() <= 0.51
    inverted = decoded(tmp_path / "a.tif", black=100.0, white=40.0)
    assert np.abs(inverted - (255 - expected)).max() <= 0.51


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_bands_are_chosen_by_number_from_one(planes: str, tmp_path: Path) -> None:
    values = np.rint(shades(13) * 65535).astype(np.uint16)
    written = values if planes == "contig" else np.moveaxis(values, 2, 0)
    tifffile.imwrite(
        tmp_path / "a.tif", written, photometric="minisblack", planarconfig=planes,
        extrasamples=[0] * 12,
    )  # fmt: skip
    found = decoded(tmp_path / "a.tif", 3, bands=(13, 1, 4))
    assert np.abs(found - values[:, :, [12, 0, 3]] / 257).max() <= 0.51
    assert "number 14" in why(tmp_path / "a.tif", bands=(14,))


@pytest.mark.parametrize("background", [0, 90, 255, (10, 200, 30)])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_the_background_is_behind_and_around(
    background: int | tuple[int, int, int], fit: str, tmp_path: Path
) -> None:
    Image.new("RGBA", (WIDTH, WIDTH), (1, 2, 3, 0)).save(tmp_path / "a.png")
    found = decoded(tmp_path / "a.png", 3, background=background, fit=fit)
    assert np.array_equal(found, np.broadcast_to(background, found.shape))


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.gif", {}), ("a.tif", {}), ("a.webp", {"lossless": True}), ("a.avif", {}), ("a.apng", {})],
)
def test_of_several_pictures_the_first_is_decoded_and_all_are_counted(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    pages = [Image.new("RGB", (WIDTH, HEIGHT), (level, level, level)) for level in (200, 90, 10)]
    kind = {"a.apng": "PNG", "a.tif": "TIFF"}.get(name)
    pages[0].save(tmp_path / name, kind, save_all=True, append_images=pages[1:], **options)
    frame = Frame(1, HEIGHT, WIDTH, Decoding("stretch"))
    found = picture_of(tmp_path / name, frame)
    assert np.abs(found.image.astype(int) - 200).max() <= 2
    assert found.facts.pictures == 3


def heic(path: Path) -> Path:
    import pillow_heif

    values = np.rint(shades(3) * 255).astype(np.uint8)
    file = pillow_heif.from_pillow(Image.fromarray(values).resize((64, 64)))
    content = io.BytesIO()
    file.save(content, quality=90)
    path.write_bytes(content.getvalue())
    return path


def test_a_heic_is_read_whatever_its_name(tmp_path: Path) -> None:
    assert read(heic(tmp_path / "a.jpg"), 99).samples.shape == (64, 64, 3)


def test_a_heic_without_the_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = heic(tmp_path / "a.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "ae-cls[heif]" in why(path)


@pytest.mark.parametrize("bits", [8, 16])
def test_facts_are_those_of_the_upright_picture(bits: int, tmp_path: Path) -> None:
    values = np.rint(shades(3) * (2**bits - 1)).astype(f"u{bits // 8}")
    lying = np.ascontiguousarray(values.swapaxes(0, 1))
    tifffile.imwrite(tmp_path / "a.tif", lying, photometric="rgb", extratags=[(274, 3, 1, 5, True)])
    frame = Frame(3, HEIGHT, WIDTH, Decoding("stretch"))
    found = picture_of(tmp_path / "a.tif", frame)
    assert (
        np.abs(found.image.transpose(1, 2, 0) - values / (257 if bits == 16 else 1)).max() <= 0.51
    )
    facts = found.facts
    assert (facts.height, facts.width, facts.bands, facts.bits) == (HEIGHT, WIDTH, 3, bits)
    assert (facts.lowest, facts.highest, facts.format) == (0, 2**bits - 1, "TIFF")


def test_a_jpeg_that_was_shrunk_keeps_its_size_in_the_facts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (800, 600), (9, 9, 9)).save(tmp_path / "a.jpg", exif=exif)
    facts = picture_of(tmp_path / "a.jpg", Frame(3, 16, 16)).facts
    assert (facts.height, facts.width) == (800, 600)
