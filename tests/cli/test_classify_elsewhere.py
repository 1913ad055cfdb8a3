"""`classify` on other data than the encoder was pretrained on, and on data that were moved."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_cls.experiment.descriptions import Pretraining
from ae_cls.run.run import pretrain, run
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import described, experiment
from tests.dataset.pictures import leaves

pytestmark = with_hydra

QUICK = ("autoencoder=pca", "autoencoder.latent_dim=4", "threads=1", "figures=false")
# So few images are judged by repeated folds, each of which would try every C.
ONE_TRIAL = ("head.C=[0.1]", "figures=false")
SMALL = ("dataset.image_size=8", "dataset.channels=1")
CLASSES = ("bee", "wasp")


def draw(folder: Path, count: int, seed: int, side: int = 8) -> list[np.ndarray]:
    """Grey pictures in a flat folder, one of the classes brighter."""
    folder.mkdir(parents=True)
    pictures = [
        leaf[:, :, 0] // (1 + place % 2)
        for place, leaf in enumerate(leaves(count, side, seed=seed))
    ]
    for place, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{place:03}.png")
    return pictures


def sort_into_classes(folder: Path, pictures: list[np.ndarray]) -> None:
    for place, picture in enumerate(pictures):
        (folder / CLASSES[place % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / CLASSES[place % 2] / f"{place:03}.png")


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures `flat`, without labels, and a run `p` on them."""
    folder = tmp_path_factory.mktemp("pretrained")
    draw(folder / "flat", 40, seed=1)
    words = (
        "dataset=folder", f"dataset.root={folder}/flat", *SMALL, *QUICK,
        "dataset.fit=stretch", "dataset.background=7", f"folder={folder}/p",
    )  # fmt: skip
    described_here = described("pretrain", *words)
    assert isinstance(described_here, Pretraining)
    result = pretrain(described_here)
    assert "ae-cls classify encoder=" in result.hint and "dataset.root=" in result.hint
    return folder


@pytest.fixture
def encoder(pretrained: Path, tmp_path: Path) -> list[np.ndarray]:
    """The run as `p` in the test's own folder; the pictures that it was given."""
    shutil.copytree(pretrained / "p", tmp_path / "p")
    files = sorted((pretrained / "flat").iterdir())
    return [np.asarray(Image.open(file)) for file in files]


def protocol(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())["protocol"]


def config(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())["dataset"]


def test_a_flat_folder_without_labels_says_how_to_go_on(
    ae_cls: AeCls, encoder: object, tmp_path: Path
) -> None:
    outcome = ae_cls("classify", "encoder=p", "folder=c")
    assert outcome.code == 3 and not (tmp_path / "c").exists()
    assert "ae-cls classify encoder=p dataset=folder dataset.root=" in outcome.err


def test_pictures_of_other_data_come_as_the_encoder_takes_them(
    ae_cls: AeCls, encoder: object, tmp_path: Path
) -> None:
    sort_into_classes(tmp_path / "other", draw(tmp_path / "unused", 40, seed=2, side=12))
    words = ("dataset=folder", "dataset.root=other", "folder=c", *ONE_TRIAL)
    outcome = ae_cls("classify", "encoder=p", *words)
    assert outcome.code == 0, outcome.err
    assert "pretrained on other data: " in outcome.err
    used = config(tmp_path / "c")
    assert (used["image_size"], used["channels"]) == ([8, 8], 1)
    assert (used["fit"], used["background"]) == ("stretch", 7)
    said = protocol(tmp_path / "c")
    facts, before = said["pretrained_on"], protocol(tmp_path / "p")
    assert facts["data_sha256"] == before["data_sha256"] != said["data_sha256"]
    assert facts["images"] == before["images"]["pretrain"] == said["images"]["pretrain"]
    assert facts["seen_by_encoder"] == {"train": 0, "valid": 0, "test": 0}
    assert "other data" in said["encoder_saw"] and not facts["seen_test_images"]


def test_test_images_that_the_encoder_has_seen_are_counted_and_named(
    ae_cls: AeCls, encoder: list[np.ndarray], tmp_path: Path
) -> None:
    others = draw(tmp_path / "unused", 20, seed=2)
    sort_into_classes(tmp_path / "mixed", [*encoder[:20], *others])
    words = ("dataset=folder", "dataset.root=mixed", "folder=c", *ONE_TRIAL)
    outcome = ae_cls("classify", "encoder=p", *words)
    assert outcome.code == 0, outcome.err
    with np.load(tmp_path / "p" / "split.npz") as split:
        pretrained = {f"{row:03}.png" for row in split["pretrain"]}
    files = sorted((tmp_path / "mixed").rglob("*.png"))
    with np.load(tmp_path / "c" / "split.npz") as split:
        tested = [files[row] for row in split["test"]]
    seen = [path for path in tested if int(path.stem) < 20 and path.name in pretrained]
    facts = protocol(tmp_path / "c")["pretrained_on"]
    assert facts["seen_by_encoder"]["test"] == len(seen) > 0
    assert facts["seen_test_images"] == [f"{path.parent.name}/{path.name}" for path in seen]
    assert "(transductive)" in outcome.err
    # Another head on the run that was made so is on the same encoder, which saw the same.
    assert ae_cls("classify", "encoder=c", "head=knn", "folder=d", "figures=false").code == 0
    assert protocol(tmp_path / "d")["pretrained_on"] == facts


@pytest.mark.parametrize("kind", ["npz", "npz of another shape"])
def test_data_of_another_kind_are_taken_if_their_shape_fits(
    ae_cls: AeCls, encoder: object, tmp_path: Path, kind: str
) -> None:
    side = 8 if kind == "npz" else 10
    images = np.stack(draw(tmp_path / "unused", 40, seed=2, side=side))
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(40) % 2)
    words = ("dataset=npz", "dataset.root=own.npz", "folder=c", *ONE_TRIAL)
    outcome = ae_cls("classify", "encoder=p", *words)
    assert outcome.code == (0 if kind == "npz" else 3)
    if outcome.code:
        assert "takes 8x8 pixels in grey, and these are 10x10 pixels in grey" in outcome.err
        assert "(n, 1, 8, 8)" in outcome.err and not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("word", "code", "said"),
    [
        ("dataset.image_size=9", 2, "dataset.image_size=[8,8] dataset.channels=1"),
        ("dataset.channels=3", 2, "dataset.image_size=[8,8] dataset.channels=1"),
        ("dataset.fitt=pad", 2, "did you mean dataset.fit?"),
        ("dataset.root=missing", 3, "no such folder"),
    ],
)
def test_wrong_words_about_the_data_are_refused(
    ae_cls: AeCls, encoder: object, tmp_path: Path, word: str, code: int, said: str
) -> None:
    sort_into_classes(tmp_path / "other", draw(tmp_path / "unused", 40, seed=2))
    words = [] if "root" in word else ["dataset.root=other"]
    outcome = ae_cls("classify", "encoder=p", "dataset=folder", *words, word, "folder=c")
    assert outcome.code == code
    assert said in outcome.err and not (tmp_path / "c").exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run `r` on class folders, which then moved from `photos` to `moved`."""
    folder = tmp_path_factory.mktemp("finished")
    sort_into_classes(folder / "photos", draw(folder / "unused", 40, seed=1))
    words = (
        "dataset=folder",
        *SMALL,
        *QUICK,
        "encode=latent",
        "head.C=[0.1]",
        f"folder={folder}/r",
    )
    before = Path.cwd()
    os.chdir(folder)  # roots are typed as they are seen from here
    try:
        run(experiment("dataset.root=photos", *words))
    finally:
        os.chdir(before)
    (folder / "photos").rename(folder / "moved")
    return folder


@pytest.fixture
def labelled(ae_cls: AeCls, finished: Path, tmp_path: Path) -> AeCls:
    """That run and its data in the test's own folder."""
    shutil.copytree(finished / "r", tmp_path / "r")
    shutil.copytree(finished / "moved", tmp_path / "moved")
    return ae_cls


def test_a_root_is_kept_absolute(finished: Path) -> None:
    assert config(finished / "r")["root"] == str(finished / "photos")


def test_data_that_were_moved_are_named_anew(labelled: AeCls, tmp_path: Path) -> None:
    gone = labelled("classify", "encoder=r", "head=knn", "folder=c")
    assert gone.code == 3 and "dataset.root=" in gone.err
    words = ("encoder=r", "head=knn", "folder=c", "dataset.root=moved", "figures=false")
    moved = labelled("classify", *words)
    assert moved.code == 0, moved.err
    assert "pretrained_on" not in protocol(tmp_path / "c")
    assert config(tmp_path / "c")["root"] == str(tmp_path / "moved")
    assert labelled("encode", "r", "-o", "f.npz").code == 3
    assert labelled("encode", "r", "dataset.root=moved", "-o", "f.npz").code == 0
    assert labelled("encode", "r", "dataset.size=moved", "-o", "f.npz").code == 2


def test_other_data_at_the_new_place_are_refused(labelled: AeCls, tmp_path: Path) -> None:
    first = next((tmp_path / "moved" / "bee").iterdir())
    Image.fromarray(255 - np.asarray(Image.open(first))).save(first)
    for words in (
        ("classify", "encoder=r", "head=knn", "folder=c", "dataset.root=moved"),
        ("encode", "r", "dataset.root=moved", "-o", "f.npz"),
        ("resume", "r", "dataset.root=moved", "head.C=[1]"),
    ):
        outcome = labelled(*words)
        assert outcome.code == (2 if words[0] == "resume" else 3)
    assert (
        "1 image changed, first bee/"
        in labelled("classify", "encoder=r", "head=knn", "dataset.root=moved").err
    )


def test_a_run_that_was_stopped_goes_on_where_its_data_are_now(
    labelled: AeCls, tmp_path: Path
) -> None:
    finished = (tmp_path / "r" / "metrics.json").read_bytes()
    (tmp_path / "r" / "metrics.json").unlink()
    status = json.loads((tmp_path / "r" / "status.json").read_text())
    (tmp_path / "r" / "status.json").write_text(json.dumps(status | {"state": "interrupted"}))
    assert labelled("resume", "r").code == 3
    assert labelled("resume", "r", "dataset.root=moved").code == 0
    assert (tmp_path / "r" / "metrics.json").read_bytes() == finished
    assert config(tmp_path / "r")["root"] == str(tmp_path / "moved")
