"""Large tables of features lie in a file and are the same to whoever reads them."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_cls.compute import Compute
from ae_cls.encode import Encoder, feature_table
from ae_cls.encode.feature_table import joined
from ae_cls.errors import StorageError
from ae_cls.head.contract import FeatureHeadConfig
from ae_cls.head.fitted import Labelled
from tests.autoencoder.variants import table, variant
from tests.composed import described, options
from tests.encode.test_encode import way

FEATURES = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
LABELS = np.arange(60) % 3
PARTS = [FEATURES[:25], FEATURES[25:50], FEATURES[50:]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def in_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_table, "LARGEST_IN_MEMORY", 0)


def is_mapped(features: np.ndarray) -> bool:
    return isinstance(features.base, np.memmap)


def test_small_tables_stay_in_memory(cache: Path):
    found = joined(60, PARTS)
    assert np.array_equal(found, FEATURES)
    assert not is_mapped(found)
    assert not cache.exists()


def test_large_tables_lie_in_a_file_that_has_no_name(in_file, cache: Path):
    found = joined(60, PARTS)
    assert np.array_equal(found, FEATURES)
    assert is_mapped(found)
    assert list(cache.iterdir()) == []


def test_no_image_has_no_features():
    assert joined(0, []).shape == (0, 0)


def test_an_encoder_gives_the_same_from_a_file(monkeypatch: pytest.MonkeyPatch):
    encoder = Encoder(
        variant("conv", (1, 28, 28)), way("multiscale"), Compute(torch.device("cpu"), "fp32")
    )
    expected = encoder.features(table((1, 28, 28), 600))  # two batches
    monkeypatch.setattr(feature_table, "LARGEST_IN_MEMORY", 0)
    found = encoder.features(table((1, 28, 28), 600))
    assert is_mapped(found)
    assert np.array_equal(found, expected)


def head(name: str) -> FeatureHeadConfig | None:
    found = described("classify", "encoder=somewhere", f"head={name}").head
    takes_any = isinstance(found, FeatureHeadConfig) and not found.reads_clusters
    return found if takes_any else None


@pytest.mark.parametrize("name", [name for name in options("head") if head(name)])
def test_every_head_learns_the_same_from_a_file(name: str, monkeypatch: pytest.MonkeyPatch):
    def probabilities() -> np.ndarray:
        features = joined(60, PARTS)
        train, valid = Labelled(features[:45], LABELS[:45]), Labelled(features[45:], LABELS[45:])
        fitted = head(name).fit(
            train, valid, class_count=3, choose_by="accuracy", seed=0, progress=False
        )
        return fitted.predict_proba(features)

    expected = probabilities()
    monkeypatch.setattr(feature_table, "LARGEST_IN_MEMORY", 0)
    assert np.array_equal(probabilities(), expected)


def test_a_full_disk_is_a_storage_error(in_file, monkeypatch: pytest.MonkeyPatch):
    def full(dir: object) -> io.FileIO:
        return open("/dev/full", "wb", buffering=0)  # noqa: PTH123

    monkeypatch.setattr(feature_table, "TemporaryFile", full)
    with pytest.raises(StorageError, match="cannot be stored") as caught:
        joined(60, PARTS)
    assert "No space" in caught.value.why
