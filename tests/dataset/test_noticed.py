"""Whole folders whose numbers, bands or backgrounds are not what they seem: refused, or told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.files import image_table
from ae_cls.dataset.range_in_use import rounded_outward
from ae_cls.errors import DataError
from tests.dataset.chosen import chosen, whole

SIDE = 24


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that holds nothing else."""
    return tmp_path / "images"


def load(root: Path, **changes: object) -> Dataset:
    options = {"image_size": SIDE, "channels": 1, "fit": "stretch"} | changes
    return chosen("folder", root=str(root), **options).load()


def refused(root: Path, **changes: object) -> DataError:
    with pytest.raises(DataError) as caught:
        load(root, **changes)
    assert caught.value.code == 3
    return caught.value


def words(fix: str) -> dict[str, float]:
    """The first black and white that a fix says."""
    found = [word.split("=") for word in fix.replace(";", " ").split() if "=" in word][:2]
    assert [key for key, _ in found] == ["dataset.black", "dataset.white"]
    return {key.removeprefix("dataset."): float(value) for key, value in found}


def textures(count: int = 12, seed: int = 0) -> np.ndarray:
    """Pictures from 0 to 1, with both ends in each."""
    values = np.random.default_rng(seed).random((count, SIDE, SIDE))
    values[:, 0, 0], values[:, -1, -1] = 0, 1
    return values


def tiffs(root: Path, pictures: np.ndarray, **options: Any) -> Path:
    options = {"photometric": "minisblack"} | options
    for number, picture in enumerate(pictures):
        place = root / ("disc", "bar")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(place / f"{number:02}.tif", picture, **options)
    return root


def pngs(root: Path, images: list[Image.Image]) -> Path:
    for number, image in enumerate(images):
        place = root / ("disc", "bar")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        image.save(place / f"{number:02}.png")
    return root


NARROW = {
    "10 bits in 16": (180 + 160 * textures()).astype(np.uint16),
    "12 bits in 16": (100 + 3900 * textures()).astype(np.uint16),
    "signed": (500 + 3000 * textures()).astype(np.int16),
    "bytes in 32 bits": (255 * textures()).astype(np.int32),
    "dim floats": (0.02 * textures()).astype(np.float32),
}
OUTSIDE = {
    "Hounsfield": (-1000 + 3000 * textures()).astype(np.int16),
    "-1 to 1": (2 * textures() - 1).astype(np.float32),
    "0.0 to 255.0": (255 * textures()).astype(np.float64),
    "all of 32 bits": (4e9 * textures()).astype(np.uint32),
}


@pytest.mark.parametrize("pictures", [*NARROW.values(), *OUTSIDE.values()], ids=[*NARROW, *OUTSIDE])
def test_a_range_in_doubt_is_refused_with_words_that_mend_it(
    pictures: np.ndarray, root: Path
) -> None:
    said = words(refused(tiffs(root, pictures)).fix)
    dataset = load(root, **said)
    found = whole(dataset.images)[:, 0].astype(float)
    expected = np.concatenate([pictures[1::2], pictures[::2]]).astype(float)  # bar before disc
    scaled = (expected - said["black"]) * 255 / (said["white"] - said["black"])
    assert np.abs(found - np.clip(scaled, 0, 255)).max() <= 0.51
    assert np.quantile(found, 0.99) - np.quantile(found, 0.01) > 180


@pytest.mark.parametrize("pictures", NARROW.values(), ids=NARROW.keys())
def test_a_few_hot_and_dead_pixels_hide_no_narrow_range(pictures: np.ndarray, root: Path) -> None:
    kind = pictures.dtype
    hot = 1 if kind.kind == "f" else min(np.iinfo(kind).max, 65535)
    spoilt = pictures.copy()
    spoilt[:, 3, 3] = hot
    spoilt[:, 7, 9] = 0
    spoilt[5] = hot  # and one picture of a lamp
    assert words(refused(tiffs(root, spoilt)).fix) == words(
        refused(tiffs(root / "clean", pictures)).fix
    )


def test_white_is_zero_turns_the_words_round(root: Path) -> None:
    refusal = refused(tiffs(root, 4000 - NARROW["12 bits in 16"] // 2, photometric="miniswhite"))
    said = words(refusal.fix)
    assert said["black"] > said["white"]
    assert load(root, **said)


@pytest.mark.parametrize(
    "pictures",
    [
        (65535 * textures()).astype(np.uint16),
        (20000 + 20000 * textures()).astype(np.uint16),
        (32767 * textures()).astype(np.int16),
        textures().astype(np.float32),
        (60 * textures()).astype(np.uint8),
        np.concatenate([(900 * textures(6)), 65535 * textures(6)]).astype(np.uint16),
    ],
    ids=["all of 16 bits", "a third", "signed", "floats", "dark bytes", "dark and bright"],
)
def test_numbers_that_use_their_range_change_by_no_byte(pictures: np.ndarray, root: Path) -> None:
    largest = {"u1": 255, "u2": 65535, "i2": 32767, "f4": 1}[pictures.dtype.str[1:]]
    dataset = load(tiffs(root, pictures))
    expected = np.rint(pictures.astype(np.float32) * (255.0 / largest)).astype(np.uint8)
    found = whole(dataset.images)[:, 0]
    assert np.array_equal(found, np.concatenate([expected[1::2], expected[::2]]))


def test_the_second_run_decodes_nothing_and_says_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiffs(root / "narrow", NARROW["10 bits in 16"])
    pngs(root / "wide", [Image.new("L", (90, 20), level) for level in range(6)])
    first = refused(root / "narrow").block(), load(root / "wide", fit="crop").notes
    monkeypatch.setattr(image_table, "picture_of", None)
    assert (
        refused(root / "narrow").block(),
        load(root / "wide", fit="crop").notes,
    ) == first
    assert first[1]


def test_facts_have_a_row_for_each_row_of_the_data_set(root: Path) -> None:
    pngs(root, [Image.new("L", (10 + number, 20), number) for number in range(6)])
    (root / "bar" / "01.png").write_bytes(b"torn")
    dataset = load(root, on_bad="skip")
    assert dataset.facts is not None
    assert dataset.paths == (
        "bar/03.png",
        "bar/05.png",
        "disc/00.png",
        "disc/02.png",
        "disc/04.png",
    )
    assert dataset.facts.width.tolist() == [13, 15, 10, 12, 14]
    assert dataset.facts.highest.tolist() == [3, 5, 0, 2, 4]
    assert set(dataset.facts.format) == {"PNG"}


def icons(colour: int, count: int = 6) -> list[Image.Image]:
    """Figures that only opacity shows."""
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    alpha[5:12, 5:18] = 255
    image = Image.new("RGBA", (SIDE, SIDE), (colour, colour, colour))
    image.putalpha(Image.fromarray(alpha))
    return [image] * count


@pytest.mark.parametrize(("colour", "background", "other"), [(255, 255, 0), (0, 0, 255)])
def test_a_figure_on_its_own_colour_is_refused_with_another_background(
    colour: int, background: int, other: int, root: Path
) -> None:
    pngs(root, icons(colour))
    refusal = refused(root, background=background)
    assert "6 of 6 training images are of one colour" in refusal.what
    assert refusal.fix.endswith(f"dataset.background={other}")
    found = whole(load(root, background=other).images)
    assert set(np.unique(found)) == {0, 255}


def test_a_few_pictures_of_one_colour_are_told(root: Path) -> None:
    pngs(root, [*icons(255, 2), *icons(0, 6)])
    (note,) = load(root).notes
    assert note.startswith("2 of 8 images are of one colour after decoding, first bar/01.png")
    assert "dataset.background=0" in note


def test_files_of_one_colour_are_told_and_not_refused(root: Path) -> None:
    pngs(root, [Image.new("L", (SIDE, SIDE), level) for level in range(6)])
    assert load(root).notes == ("6 of 6 images are of one colour after decoding, first bar/01.png",)


def test_black_and_white_beside_the_numbers_are_refused(root: Path) -> None:
    tiffs(root, NARROW["12 bits in 16"])
    refusal = refused(root, black=10000.0, white=20000.0)
    assert "one colour" in refusal.what
    assert "dataset.black" in refusal.fix


@pytest.mark.parametrize(("size", "told"), [((90, 20), "78%"), ((30, 20), None), ((20, 31), "35%")])
def test_what_crop_cuts_away_is_told_with_the_other_words(
    size: tuple[int, int], told: str | None, root: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), np.uint8)
    pngs(root, [Image.fromarray(noise)] * 6)
    notes = load(root, fit="crop").notes
    assert len(notes) == (told is not None)
    for note in notes:
        assert told in note
        assert "dataset.fit=pad" in note and "dataset.fit=stretch" in note
    assert load(root, fit="pad").notes == ()


def test_pictures_behind_the_first_are_told_once(root: Path) -> None:
    noise = (65535 * textures()).astype(np.uint16)
    tiffs(root, noise)
    tifffile.imwrite(root / "bar" / "01.tif", noise[:7], photometric="minisblack")
    (note,) = load(root).notes
    assert note.startswith("1 of 12 image files hold several pictures (first bar/01.tif: 7)")


def test_bands_that_are_not_used_are_told(root: Path) -> None:
    noise = np.moveaxis((65535 * textures(60)).astype(np.uint16).reshape(12, 5, SIDE, SIDE), 1, 3)
    tiffs(root, noise, photometric="rgb", extrasamples=[0, 0])
    (note,) = load(root, channels=3).notes
    assert note.startswith(
        "12 of 12 image files have bands that are not used (first bar/01.tif: 2 of 5)"
    )
    (note,) = load(root, channels=3, bands=[5, 4, 1]).notes
    assert "2 of 5" in note


def test_a_mixture_of_depths_is_told(root: Path) -> None:
    tiffs(root, (65535 * textures()).astype(np.uint16))
    Image.fromarray((255 * textures(1)[0]).astype(np.uint8)).save(root / "bar" / "x.png")
    (note,) = load(root).notes
    assert note.startswith("12 of 13 image files have more than 8 bits")


def test_clipped_numbers_are_told(root: Path) -> None:
    tiffs(root, (65535 * textures()).astype(np.uint16))
    (note,) = load(root, black=0.0, white=30000.0).notes
    assert note.startswith("12 of 12 image files reach beyond dataset.black and dataset.white")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"black": 1.0}, "give both"),
        ({"white": 1.0}, "give both"),
        ({"black": 1.0, "white": 1.0}, "must differ"),
        ({"bands": [1, 2]}, "channels=1"),
        ({"bands": [0]}, "bands"),
        ({"background": 256}, "background"),
        ({"background": [1, 2]}, "background"),
    ],
)
def test_keys_that_cannot_be_meant_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        chosen("folder", root="x", channels=1, **changes)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_a_rounded_range_holds_the_range_and_is_not_much_wider(low: float, width: float) -> None:
    high = low + width
    if high - low < 1e-5 * abs(low):  # what twelve digits cannot tell apart
        return
    black, white = rounded_outward(low, high)
    slack = 1e-6 * (high - low)
    assert black <= low + slack and high - slack <= white
    assert white - black <= 1.21 * (high - low)


def test_bits_that_no_decoder_gives_are_told(root: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra heif is missing")
    (root / "bar").mkdir(parents=True)
    for row, picture in enumerate((65535 * textures(4)).astype(np.uint16)):
        deep, size = np.stack([picture] * 3, axis=2), (SIDE, SIDE)
        if row == 0:
            plain = Image.fromarray((deep // 257).astype(np.uint8))
            pillow_heif.from_pillow(plain).save(root / "bar" / "0.heic")
            continue
        file = pillow_heif.from_bytes(mode="RGB;16", size=size, data=deep.tobytes())
        file.save(root / "bar" / f"{row}.heic", bit_depth=10)
    (note,) = load(root).notes
    assert note.startswith("3 of 4 image files have more than the 8 bits")
    assert "first bar/1.heic: 10 bits" in note
