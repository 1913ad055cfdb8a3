"""Every test has data and cache folders of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder; nothing of the user's is read or written."""
    monkeypatch.setenv("AE_CLS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AE_CLS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"
