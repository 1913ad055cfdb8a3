"""Pictures unlike those of training are found, and fresh ones of the same kind left in peace."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ae_cls.autoencoder.pixels import PixelsConfig
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows
from ae_cls.encode import Encoder, LatentConfig
from ae_cls.errors import ModelFileError
from ae_cls.head.classifier import Classifier
from ae_cls.head.fitted import FittedHead
from ae_cls.saved.feature_space import FeatureSpace
from ae_cls.saved.likeness import UNLIKE, Likeness, learn, read
from ae_cls.saved.looks import looks_of, measured
from ae_cls.saved.unlike import Seen, reasons, seen, summary

SIDE = 16


class LeftOrRight(FittedHead):
    """Which half is brighter."""

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        halves = features.reshape(len(features), -1, SIDE, SIDE).mean((1, 2)).astype(np.float64)
        left = halves[:, : SIDE // 2].mean(1) > halves[:, SIDE // 2 :].mean(1)
        return np.stack([left, ~left], 1).astype(np.float64)

    def files(self) -> dict[str, bytes]:
        return {}

    @classmethod
    def load(cls, files: object, head: str) -> "LeftOrRight":
        return cls(facts={})


def figures(count: int, seed: int, channels: int = 1) -> Tensor:
    """Bright discs on black ground with a little noise; of any hue where there is colour."""
    draw = np.random.default_rng(seed)
    row, column = np.mgrid[:SIDE, :SIDE]
    images = draw.integers(0, 12, (count, channels, SIDE, SIDE)).astype(np.uint8)
    for image in images:
        y, x, radius = [*draw.uniform(5, 10, 2).tolist(), draw.uniform(2, 4)]
        disc = (row - y) ** 2 + (column - x) ** 2 < radius**2
        image[:, disc] = draw.integers(150, 230, (channels, 1))
    return torch.from_numpy(images)


def classifier(channels: int) -> Classifier:
    model = PixelsConfig(name="pixels").build((channels, SIDE, SIDE))
    encoder = Encoder(model, LatentConfig(name="latent"), Compute(torch.device("cpu"), "fp32"))
    return Classifier(encoder, LeftOrRight(facts={}), ("left", "right"))


def learnt(images: Tensor, count: int, kind: Classifier | None, seed: int = 0) -> Likeness:
    """From the first `count` images, and the rest held out."""
    rows = np.arange(len(images))
    return learn(ImageRows(images, rows[:count]), ImageRows(images, rows[count:]), kind, seed)


def look_at(likeness: Likeness, images: Tensor, kind: Classifier | None) -> list[Seen]:
    if kind is None:
        return seen(likeness, images, None)
    features = kind.encoder.features(ImageRows(images, np.arange(len(images))))
    labels = kind.head.predict_proba(features).argmax(1).tolist()
    return seen(likeness, images, features, labels)


def share(likeness: Likeness, pictures: list[Seen]) -> float:
    return float(np.mean([bool(reasons(likeness, picture)) for picture in pictures]))


def blurred(images: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(images.float(), 5, 1, 2).byte()


def noise(images: Tensor) -> Tensor:
    return torch.from_numpy(np.random.default_rng(9).integers(0, 256, images.shape, np.uint8))


SHIFTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "inverted": (lambda images: 255 - images, "brighter at the border"),
    "brighter": (lambda images: (images.int() + 80).clamp(0, 255).byte(), "brighter at the border"),
    "blurred": (blurred, "more blurred"),
    "noise": (noise, "brighter at the border"),
    "black": (torch.zeros_like, "poorer in contrast"),
    "grainy": (lambda images: (images.int() + noise(images) // 3).clamp(0, 255).byte(), "grainier"),
}


@pytest.fixture(params=[(1, True), (3, True), (1, False), (3, False)], scope="module")
def model(request: pytest.FixtureRequest) -> tuple[Likeness, Classifier | None, int]:
    channels, is_classifier = request.param
    kind = classifier(channels) if is_classifier else None
    return learnt(figures(700, 0, channels), 450, kind), kind, channels


@pytest.mark.parametrize("shift", SHIFTS)
def test_shifted_images_are_found_and_the_reason_is_named(model, shift: str) -> None:
    likeness, kind, channels = model
    change, reason = SHIFTS[shift]
    pictures = look_at(likeness, change(figures(60, 7, channels)), kind)
    assert share(likeness, pictures) > 0.9
    named = [reason in reasons(likeness, picture) for picture in pictures]
    assert np.mean(named) > 0.5
    (said,) = summary(likeness, pictures)
    assert " of 60 images are unlike the training images: " in said
    assert said.endswith("; the labels may be wrong")


def test_fresh_images_are_seldom_called_unlike_and_without_alarm(model) -> None:
    likeness, kind, channels = model
    pictures = look_at(likeness, figures(600, 3, channels), kind)
    assert share(likeness, pictures) <= 3 * UNLIKE
    assert all("may be wrong" not in said for said in summary(likeness, pictures))


@pytest.mark.parametrize("count", [1, 2, 3, 8, 30, 90])
def test_of_few_images_little_is_claimed_and_an_inversion_is_still_found(count: int) -> None:
    kind = classifier(1)
    likeness = learnt(figures(count + max(1, count // 9), 1), count, kind)
    fresh = look_at(likeness, figures(500, 2), kind)
    shifted = look_at(likeness, 255 - figures(50, 2), kind)
    if count >= 8:
        assert share(likeness, fresh) < 0.25
    assert share(likeness, shifted) == 1


@pytest.mark.parametrize("kind", [classifier(1), None], ids=["classifier", "looks alone"])
def test_features_count_where_there_is_a_classifier(kind: Classifier | None) -> None:
    likeness = learnt(figures(300, 0), 200, kind)
    told = [reasons(likeness, each) for each in look_at(likeness, 255 - figures(40, 5), kind)]
    assert all(("far from all training images" in text) == (kind is not None) for text in told)


def test_a_shift_of_all_is_said_though_none_is_out_of_range() -> None:
    kind = classifier(1)
    likeness = learnt(figures(700, 0), 450, kind)
    likeness = replace(likeness, limit=np.array([100], np.float32))
    images = figures(400, 5)
    darker = (images.float() * 0.8).byte()
    assert summary(likeness, look_at(likeness, images, kind)) == []
    (said,) = summary(likeness, look_at(likeness, darker, kind))
    assert said.startswith("the 400 images taken together are ")
    assert summary(likeness, look_at(likeness, darker[:10], kind)) == []
    skewed = images[np.array([s.label == 0 for s in look_at(likeness, images, kind)])]
    assert summary(likeness, look_at(likeness, skewed, kind)) == []


def test_the_bytes_follow_from_the_seed_and_come_back() -> None:
    kind = classifier(3)
    images = figures(400, 0, 3)
    likeness = learnt(images, 280, kind)
    content = likeness.as_bytes()
    assert content == learnt(images, 280, kind).as_bytes()
    again = read(content, (3, SIDE, SIDE))
    pictures = figures(40, 8, 3)
    for ours, theirs in zip(
        look_at(likeness, pictures, kind), look_at(again, pictures, kind), strict=True
    ):
        np.testing.assert_array_equal(ours.far, theirs.far)


def test_of_many_images_the_seed_chooses_which_are_looked_at() -> None:
    images = figures(1500, 0)
    first, same, other = (learnt(images, 1300, None, seed).as_bytes() for seed in (0, 0, 1))
    assert first == same != other


@pytest.mark.parametrize("damage", ["cut", "grey", "nan", "name"])
def test_what_does_not_fit_is_refused(damage: str) -> None:
    likeness = learnt(figures(60, 0, 3), 40, None)
    if damage == "nan":
        likeness = replace(likeness, range=likeness.range * np.float32(np.nan))
    content = likeness.as_bytes()
    if damage == "cut":
        content = content[:-9]
    if damage == "name":
        content = content.replace(b'"limit"', b'"limlt"')
    with pytest.raises(ModelFileError, match=r"likeness\.safetensors"):
        read(content, (1 if damage == "grey" else 3, SIDE, SIDE))


def test_the_colour_at_the_border_is_kept() -> None:
    images = figures(60, 0, 3)
    for channel, level in enumerate((200, 10, 90)):
        images[:, channel, [0, -1]] = level
        images[:, channel, :, [0, -1]] = level
    assert learnt(images, 40, None).border.tolist() == [200, 10, 90]


def test_looks_are_what_their_names_say() -> None:
    image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    image[:, 0] = 255  # red all over
    image[:, :, 2:6, 2:6] = 51
    found = dict(zip(looks_of(3), measured(image)[0].tolist(), strict=True))
    red, dark = 1 / 3, 0.2
    assert found["brightness"] == pytest.approx(0.75 * red + 0.25 * dark)
    assert found["border"] == pytest.approx(red)
    assert found["contrast"] == pytest.approx((red - dark) * (0.25 * 0.75) ** 0.5, abs=1e-5)
    assert found["sharpness"] == pytest.approx(32 / 36 * (red - dark) / found["contrast"])
    assert found["grain"] == pytest.approx((red - dark), abs=1e-6)
    assert found["extremes"] == pytest.approx(0.75)
    assert found["colour"] == pytest.approx(0.75)


def test_distances_of_features_are_in_standard_deviations() -> None:
    draw = np.random.default_rng(0)
    features = (draw.standard_normal((400, 3)) * [1, 100, 0]).astype(np.float32)
    space = FeatureSpace.of(features)
    assert len(space.axes) == 2, "a direction without spread has no standard deviation"
    far = np.array([[50, 0, 0], [0, 5000, 0]], np.float32)
    np.testing.assert_allclose(space.distances(far), 50 - 3, atol=3)
    assert space.distances(features).max() < 0.1
