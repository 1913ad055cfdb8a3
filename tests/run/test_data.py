"""What is refused before any time is spent."""

from pathlib import Path

import pytest

from ae_cls.errors import DataError
from ae_cls.run.data import prepare, refuse_without_labels
from tests.composed import experiment
from tests.dataset.listed import pictures_at

FOLDER = ("dataset=folder", "dataset.image_size=8", "autoencoder=pixels", "encode=latent")


@pytest.mark.parametrize(
    ("place", "counts"),
    [
        ("cat/", "of 20 images 20 are of the class cat, and 0 have no label"),
        ("", "of 20 images 20 have no label"),
    ],
)
def test_a_classifier_of_fewer_than_two_classes_is_refused_with_counts(
    place: str, counts: str, tmp_path: Path
) -> None:
    root = pictures_at(tmp_path, *(f"{place}{number}.png" for number in range(20)))
    data = prepare(experiment(*FOLDER, f"dataset.root={root}"))
    with pytest.raises(DataError) as caught:
        refuse_without_labels(data, test=True)
    assert caught.value.why == counts
    assert "dataset.labels_csv=" in caught.value.fix and "ae-cls pretrain" in caught.value.fix


def test_two_classes_will_do(tmp_path: Path) -> None:
    root = pictures_at(tmp_path, *(f"{name}/{n}.png" for name in ("cat", "dog") for n in range(9)))
    refuse_without_labels(prepare(experiment(*FOLDER, f"dataset.root={root}")), test=True)
