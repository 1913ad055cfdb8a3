"""A run that Ctrl-C has stopped, as the user meets it: what is said, and how it goes on."""

from pathlib import Path

import pytest

from ae_cls.run.folder import read_status
from tests.cli.conftest import AeCls, with_hydra
from tests.run.test_resume import RUN, stop_after

pytestmark = with_hydra


def folders(place: Path) -> list[Path]:
    return sorted((place / "outputs" / "run").glob("*/*/"))


def test_it_says_what_was_saved_and_goes_on_in_its_own_folder(
    ae_cls: AeCls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        stopped = ae_cls("run", *RUN, "store=own")
    (folder,) = folders(tmp_path)
    typed = folder.relative_to(tmp_path)
    assert stopped.code == 130
    assert "interrupted\n  saved  pretrain up to step " in stopped.err
    assert f", of {typed}\n  next   ae-cls resume {typed}\n" in stopped.err
    assert read_status(folder)["stage"] == "pretrain"
    again = ae_cls("run", *RUN, "store=own")
    assert again.code == 0
    assert f"stopped before and goes on in {typed}" in again.err and "continues after" in again.err
    assert folders(tmp_path) == [folder]
    assert read_status(folder)["state"] == "finished"
    resumed = ae_cls("resume", "latest")
    assert resumed.code == 0
    assert f"latest is {typed}" in resumed.err and "nothing left to do" in resumed.err
