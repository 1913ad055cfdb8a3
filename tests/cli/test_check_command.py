"""`ae-cls check` as it is typed: exit codes, and where the page is."""

import numpy as np
import pytest

from tests.check.drawn import folder, picture, save
from tests.cli.conftest import AeCls, with_hydra

pytestmark = with_hydra
FILES = ("dataset=folder", "dataset.root=photos", "dataset.image_size=16", "dataset.channels=1")


def test_findings_are_no_failure_and_the_page_is_named_last(ae_cls: AeCls, tmp_path) -> None:
    root = folder(tmp_path / "photos", {"ant": 12, "bee": 12})
    save(root / "bee" / "again.png", picture(0, 0))
    (root / "bee" / "broken.png").write_text("no picture")
    outcome = ae_cls("check", *FILES, "dataset.on_bad=skip")
    assert outcome.code == 0, outcome.err
    assert "1 file cannot be decoded" in outcome.out and "more than one label" in outcome.out
    last = outcome.out.splitlines()[-1]
    assert last.startswith("outputs/check/folder/") and (tmp_path / last).is_file()


def test_one_picture_under_two_labels_is_refused_as_a_run_would(ae_cls: AeCls, tmp_path) -> None:
    root = folder(tmp_path / "photos", {"ant": 12, "bee": 12})
    save(root / "bee" / "again.png", picture(0, 0))
    outcome = ae_cls("check", *FILES)
    assert outcome.code == 3 and "1 picture under two labels" in outcome.out
    assert "dataset.on_bad=skip" in outcome.out


def test_what_is_refused_ends_with_3_after_the_page(ae_cls: AeCls, tmp_path) -> None:
    folder(tmp_path / "photos" / "inner", {"ant": 3, "bee": 3})
    outcome = ae_cls("check", *FILES)
    assert outcome.code == 3 and "refused" in outcome.out and "Traceback" not in outcome.err
    assert "dataset.root=photos/inner" in outcome.out


def test_what_a_check_leaves_is_no_data_of_the_next(ae_cls: AeCls, tmp_path) -> None:
    folder(tmp_path / "photos", {"ant": 12, "bee": 12})
    for _ in range(2):
        outcome = ae_cls("check", *FILES, "outputs=photos/outputs")
        assert outcome.code == 0 and "images        24" in outcome.out, outcome.out


@pytest.mark.parametrize("flag", ["-m", "--explain"])
def test_there_is_nothing_to_sweep_or_explain(ae_cls: AeCls, tmp_path, flag: str) -> None:
    outcome = ae_cls("check", flag, *FILES, *(["seed=0,1"] if flag == "-m" else []))
    assert outcome.code == 2 and "check" in outcome.err
    assert not list(tmp_path.iterdir())


def test_a_plain_array_is_looked_at_too(ae_cls: AeCls, tmp_path) -> None:
    images = np.stack([picture(row % 2, row) for row in range(24)])
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(24) % 2)
    outcome = ae_cls("check", "dataset=npz", "dataset.root=own.npz")
    assert outcome.code == 0 and "ae-cls run dataset=npz dataset.root=own.npz" in outcome.out
