"""The curves measure the default network; a small one of each runs."""

import runpy
from pathlib import Path

import numpy as np

from ae_cls.dataset.stored import StoredImages
from ae_cls.experiment.descriptions import Pretraining
from tests.composed import described

curves = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "curves.py"))


def test_the_curves_are_of_the_default_network_and_schedule():
    default = described("pretrain")
    assert isinstance(default, Pretraining)
    assert default.autoencoder == curves["NETWORK"]
    assert default.pretrain == curves["SCHEDULE"]


def test_rows_hold_numbers():
    assert curves["rate"](4, 1, 8, 8).startswith("| 4 a step, 8x8x1 | ")
    cells = curves["stored"](300).strip("| ").split(" | ")
    assert cells[0] == "300"
    assert all(float(cell.replace(",", "")) >= 0 for cell in cells)


def test_noise_is_written_as_a_table_that_can_be_read(tmp_path):
    curves["_write_noise"](tmp_path / "noise.npy", 2_500)
    images = StoredImages(tmp_path / "noise.npy")
    assert images.shape == (2_500, 3, 32, 32)
    assert np.load(tmp_path / "noise.npy").std() > 70  # of 0..255 at random it is 73.9
