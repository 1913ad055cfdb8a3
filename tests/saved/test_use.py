"""A saved run decodes files as it did while it learnt."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from ae_cls.dataset.decoding import Decoding, Frame
from ae_cls.dataset.rows import ImageRows
from ae_cls.saved.likeness import learn
from ae_cls.saved.predict import decoded
from ae_cls.saved.use import decoding_of
from tests.composed import described, experiment
from tests.dataset.chosen import whole

WORDS = {
    "dataset.fit=stretch": Decoding(fit="stretch"),
    "dataset.black=180 dataset.white=340": Decoding("crop", black=180.0, white=340.0),
    "dataset.background=0": Decoding("crop", background=0),
    "dataset.background=[1,2,3]": Decoding("crop", background=(1, 2, 3)),
    "dataset.channels=1 dataset.bands=[2]": Decoding("crop", bands=(2,)),
    "dataset.bands=[3,2,4]": Decoding("crop", bands=(3, 2, 4)),
}


@pytest.mark.parametrize("command", ["run", "pretrain"])
@pytest.mark.parametrize("words", WORDS)
def test_every_key_of_decoding_is_handed_over(command: str, words: str) -> None:
    told = described(command, "dataset=folder", "dataset.root=x", *words.split())
    again = type(told).model_validate_json(told.model_dump_json())
    assert decoding_of(again, None) == WORDS[words]


def test_where_no_files_were_read_they_are_shown_whole_on_white() -> None:
    assert decoding_of(experiment("dataset=digits"), None) == Decoding("pad", background=255)


def test_or_on_the_colour_at_the_border_of_the_training_images() -> None:
    images = torch.full((20, 1, 6, 6), 7, dtype=torch.uint8)
    rows = ImageRows(images, np.arange(20))
    likeness = learn(rows, rows, None, seed=0)
    expected = Decoding("pad", background=(7, 7, 7))
    assert decoding_of(experiment("dataset=digits"), likeness) == expected


def test_files_are_decoded_to_the_bytes_that_the_run_had(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(180, 341, (8, 16, 20, 4), np.uint16)
    for number, picture in enumerate(values):
        place = tmp_path / "images" / ("disc", "bar")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(place / f"{number}.tif", picture, photometric="rgb", extrasamples=[0])
    words = ["dataset.image_size=12", "dataset.black=180", "dataset.white=340", "dataset.fit=pad"]
    told = experiment(
        "dataset=folder", f"dataset.root={tmp_path / 'images'}", *words, "dataset.bands=[4,2,1]",
        "dataset.background=[9,8,7]",
    )  # fmt: skip
    dataset = told.dataset.load()
    files = [tmp_path / "images" / path for path in dataset.paths]
    (batch,) = decoded(files, dataset.image_shape, decoding_of(told, None))
    assert np.array_equal(batch.images.numpy(), whole(dataset.images))
    assert len(np.unique(batch.images)) > 100
    plain = Frame(3, 12, 12, Decoding("pad"))
    (other,) = decoded(files, plain.image_shape, plain.decoding)
    assert not np.array_equal(other.images, batch.images)
