"""One picture in every guise that a file can have."""

import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from ae_cls.dataset.decoding import Decoding, Fit, Frame
from ae_cls.dataset.files.decode import decode
from ae_cls.errors import DataError

HEIGHT, WIDTH = 24, 32


def colour() -> np.ndarray:
    """Smooth and without any symmetry: red grows rightwards, green downwards, blue along both."""
    down, right = np.meshgrid(np.linspace(0, 1, HEIGHT), np.linspace(0, 1, WIDTH), indexing="ij")
    return np.rint(255 * np.stack([right, down**2, (down + right) / 2], axis=2)).astype(np.uint8)


def grey() -> np.ndarray:
    return colour()[:, :, 2]


def read(path: Path, *, channels: int = 3, fit: Fit = "stretch") -> np.ndarray:
    return decode(path, Frame(channels, HEIGHT, WIDTH, Decoding(fit))).astype(int)


def saved(tmp_path: Path, image: Image.Image, name: str = "a.png", **options: Any) -> Path:
    image.save(tmp_path / name, **options)
    return tmp_path / name


def difference(path: Path, expected: np.ndarray, *, channels: int = 3) -> int:
    return int(np.abs(read(path, channels=channels) - expected).max())


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm", "webp", "gif"])
def test_lossless_files_keep_every_byte(suffix: str, tmp_path: Path) -> None:
    options = {"webp": {"lossless": True}}.get(suffix, {})
    image = Image.fromarray(grey() if suffix == "gif" else colour())
    path = saved(tmp_path, image, f"a.{suffix}", **options)
    expected = grey()[None] if suffix == "gif" else colour().transpose(2, 0, 1)
    assert difference(path, expected) == 0


def test_result_is_bytes_with_channels_first(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(colour()))
    image = decode(path, Frame(1, 6, 10, Decoding("crop")))
    assert image.dtype == np.uint8
    assert image.shape == (1, 6, 10)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I"])
def test_modes_agree_with_the_picture(mode: str, tmp_path: Path) -> None:
    values = np.where(grey() > 127, 255, 0).astype(np.uint8) if mode == "1" else grey()
    if mode.startswith("I"):
        image = Image.fromarray(values.astype({"I": np.int32, "I;16": np.uint16}[mode]) * 257)
    else:
        image = Image.fromarray(values).convert("RGB" if mode == "YCbCr" else mode)
    jpeg = mode in ("CMYK", "YCbCr")
    path = saved(
        tmp_path, image, "a.jpg" if jpeg else "a.tiff", **({"quality": 100} if jpeg else {})
    )
    with Image.open(path) as reopened:
        assert reopened.mode in (mode, "RGB")
    assert difference(path, values, channels=1) <= (3 if jpeg else 0)
    assert difference(path, values[None], channels=3) <= (3 if jpeg else 0)


def test_colour_becomes_grey_by_luma(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(colour()))
    luma = colour() @ np.array([0.299, 0.587, 0.114])  # ITU-R 601
    assert difference(path, np.rint(luma), channels=1) <= 1


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bits_are_scaled_not_clipped(name: str, order: str, tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    path = saved(tmp_path, Image.fromarray(levels.astype(np.dtype(order))), name)
    assert difference(path, np.rint(levels / 257), channels=1) <= 1
    assert len(np.unique(read(path, channels=1))) == 256


def test_sixteen_bit_colour_is_scaled(tmp_path: Path) -> None:
    wide = (colour().astype(">u2") * 257).reshape(HEIGHT, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
    (tmp_path / "a.png").write_bytes(content)
    assert difference(tmp_path / "a.png", colour().transpose(2, 0, 1)) <= 1


def test_numbers_from_0_to_1_are_scaled_and_others_refused(tmp_path: Path) -> None:
    unit = grey().astype(np.float32) / 255
    assert difference(saved(tmp_path, Image.fromarray(unit), "a.tiff"), grey(), channels=1) == 0
    for wrong in (unit * 255, unit - 0.5, np.where(unit > 0.5, np.nan, unit)):
        path = saved(tmp_path, Image.fromarray(wrong.astype(np.float32)), "b.tiff")
        with pytest.raises(DataError) as caught:
            read(path)
        assert "unknown" in caught.value.why or "NaN" in caught.value.why


@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_lies_on_white(channels: int, tmp_path: Path) -> None:
    alpha = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    alpha[: HEIGHT // 2] = 255
    image = Image.fromarray(grey()).convert("RGB")
    image.putalpha(Image.fromarray(alpha))
    expected = np.where(alpha == 255, grey(), 255)[None]
    assert difference(saved(tmp_path, image), expected, channels=channels) == 0
    assert (
        difference(saved(tmp_path, image.convert("LA"), "b.png"), expected, channels=channels) == 0
    )


def test_a_transparent_palette_entry_lies_on_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.where(grey() > 127, 1, 0).astype(np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 0])
    path = saved(tmp_path, image, transparency=0)
    expected = np.where(grey() > 127, np.array([200, 100, 0])[:, None, None], 255)
    assert difference(path, expected) == 0


TURNED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image.swapaxes(0, 1)[::-1],
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: image.swapaxes(0, 1)[:, ::-1],
}
"""How a camera held that way stores the picture (EXIF 2.3, tag 0x0112)."""


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "webp"])
def test_orientation_is_undone(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNED[orientation](colour())))
    options = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}
    path = saved(tmp_path, stored, f"a.{suffix}", exif=exif, **options.get(suffix, {}))
    assert difference(path, colour().transpose(2, 0, 1)) <= (6 if suffix == "jpg" else 0)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03",
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_broken_orientation_counts_as_upright(exif: bytes, suffix: str, tmp_path: Path) -> None:
    options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    path = saved(tmp_path, Image.fromarray(colour()), f"a.{suffix}", exif=exif, **options)
    assert difference(path, colour().transpose(2, 0, 1)) <= (6 if suffix == "jpg" else 0)


def test_a_colour_profile_does_not_matter(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path, Image.fromarray(colour()), icc_profile=profile)
    assert difference(path, colour().transpose(2, 0, 1)) == 0


def test_large_photographs_shrink_to_the_same_picture(tmp_path: Path) -> None:
    large = Image.fromarray(colour()).resize((WIDTH * 20, HEIGHT * 20), Image.Resampling.BICUBIC)
    jpeg, png = saved(tmp_path, large, "a.jpg", quality=95), saved(tmp_path, large)
    assert np.abs(read(jpeg) - read(png)).mean() < 2


def test_crop_fills_pad_shows_all_and_stretch_distorts(tmp_path: Path) -> None:
    black_with_red_ends = np.zeros((10, 40, 3), dtype=np.uint8)
    black_with_red_ends[:, :4, 0] = black_with_red_ends[:, -4:, 0] = 255
    path = saved(tmp_path, Image.fromarray(black_with_red_ends))
    crop, pad, stretch = (
        decode(path, Frame(3, 20, 20, Decoding(fit))).astype(int)
        for fit in ("crop", "pad", "stretch")
    )
    assert crop.max() == 0
    assert (pad[:, 0] == 255).all() and (pad[:, -1] == 255).all()  # white bars above and below
    assert pad[:, 10, 0].tolist()[0] > 200 and pad[2, 10, 0] < 50  # a red end is seen
    assert stretch[0, :, 0].min() > 200 and stretch[1].max() < 10


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "bmp"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(suffix: str, share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), f"a.{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: max(1, int(len(content) * share))])
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(path) in caught.value.where


@pytest.mark.parametrize(
    "content", [b"", b"<html>sorry</html>", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"SIMPLE  =" + b" " * 100]
)
def test_what_is_no_image_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "a.jpg")
    assert caught.value.code == 3
    assert caught.value.why


@pytest.mark.parametrize("suffix", ["pcx", "tga", "ico", "eps", "jp2", "dds"])
def test_formats_off_the_list_are_refused(suffix: str, tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(colour()), f"a.{suffix}")
    with Image.open(path) as image:
        assert image.format  # Pillow alone would read it
    with pytest.raises(DataError) as caught:
        read(path)
    assert "JPEG, PNG" in caught.value.why


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(colour()))
    renamed = path.rename(tmp_path / "a.jpg")
    assert difference(renamed, colour().transpose(2, 0, 1)) == 0


def test_a_huge_header_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    for name, side in (("bomb", 60_000), ("large", 9_440)):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
        content += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT"
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError) as caught:
            read(tmp_path / name)
        assert "pixels" in caught.value.why


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "a.jpg")
    assert "regular" in caught.value.why


@pytest.mark.parametrize("name", ["missing.png", ""])
def test_missing_files_and_folders_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read(tmp_path / name)


def test_decoding_says_nothing_on_the_terminal(tmp_path: Path) -> None:
    image = Image.fromarray(grey()).convert("P")
    path = saved(tmp_path, image, transparency=bytes(range(256)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(path)
    assert caught == []
