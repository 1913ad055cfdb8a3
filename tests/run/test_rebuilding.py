"""What a run says of rebuilt images."""

import numpy as np
import pytest
import torch

from ae_cls.autoencoder.contract import build
from ae_cls.compute import Compute
from ae_cls.dataset.rows import ImageRows
from ae_cls.experiment.descriptions import Pretraining
from ae_cls.run.rebuilding import reconstruction_of
from ae_cls.run.stages import has_learnt_to_rebuild
from tests.autoencoder.variants import config, table, unit
from tests.composed import described

CPU = Compute(torch.device("cpu"), "fp32")


def rebuilt(name: str) -> dict:
    images = table((1, 8, 8), 40)
    model = build(config(name).small(), (1, 8, 8), seed=0)
    train, valid = (ImageRows(images.images, np.arange(*ends)) for ends in ((0, 24), (24, 40)))
    return reconstruction_of(model, train, valid, 0, CPU)


def test_intact_and_corrupted_images_are_told_apart_and_set_beside_simple_answers():
    found = rebuilt("conv")
    errors = {name: one["mse"] for name, one in found.items() if isinstance(one, dict)}
    assert set(errors) == {"intact", "corrupted", "mean_image", "mean_colour", "pca"}
    assert errors["intact"] != errors["corrupted"]
    assert found["mean_image"]["explained"] == 0
    model = build(config("conv").small(), (1, 8, 8), seed=0).eval()
    clean = unit(table((1, 8, 8), 40))[24:]
    with torch.inference_mode():
        expected = (model.decode(model.encode(clean)) - clean).square().mean().item()
    assert errors["intact"] == pytest.approx(expected, rel=1e-5)


def test_a_network_that_sees_intact_images_has_no_error_of_corrupted_ones():
    assert "corrupted" not in rebuilt("deep") and "code" not in rebuilt("deep")


def test_a_vae_says_what_its_mean_code_and_its_samples_rebuild_and_how_much_it_codes():
    found = rebuilt("vae")
    assert found["intact"]["mse"] != found["mean_of_samples"]["mse"]
    assert found["code"]["size"] == 16
    assert 0 <= found["code"]["active"] <= 16 and found["code"]["kl"] > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("autoencoder=conv",), True),
        (("autoencoder=conv", "pretrain=none"), False),
        (("autoencoder=pixels", "pretrain=none"), True),
        (("autoencoder=hog",), False),
    ],
)
def test_random_weights_and_encoders_without_decoder_rebuild_nothing(words, says):
    description = described("pretrain", *words)
    assert isinstance(description, Pretraining)
    assert has_learnt_to_rebuild(description) == says
