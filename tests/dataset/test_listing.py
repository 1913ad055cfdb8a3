"""What in a folder is data: not what systems or ae-cls wrote; links; files of other kinds."""

import os
from pathlib import Path

import pytest
from PIL import Image

from ae_cls.dataset.files.listing import images_below, list_images
from ae_cls.errors import DataError
from tests.dataset.listed import classes, pictures_at

OF_SYSTEMS = [
    "node_modules", "venv", "ae_cls.egg-info", "wandb", "lightning_logs",
    "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", "lost+found",
    ".ipynb_checkpoints", "__pycache__", ".git", "@Recycle", ".Trash-1000", ".@__thumb",
    ".picasaoriginals", "RECYCLER", "Network Trash Folder", "found.000", ".thumbnails", "#snapshot",
    "LOST.DIR", "_gsdata_", "0.png@SynoEAStream",
]  # fmt: skip


@pytest.mark.parametrize("name", [*OF_SYSTEMS, "@EADIR", "__macosx"])
@pytest.mark.parametrize("place", ["", "cat/", "train/cat/"])
def test_what_systems_make_is_hidden_and_noted(name: str, place: str, tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "cat/0.png", "train/cat/0.png", f"{place}{name}/x/thumb.png")
    found = list_images(root)
    assert found.files == ("cat/0.png", "train/cat/0.png")
    assert not any(name in folder for folder in found.folders)
    (note,) = found.notes
    assert name in note and "1 entry" in note


@pytest.mark.parametrize(
    "name", ["Thumbs.db", ".DS_Store", "desktop.ini", "ehthumbs_vista.db", "._0.png"]
)
def test_files_of_systems_are_told_once_by_name(name: str, tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "cat/0.png", "dog/0.png")
    for folder in ("cat", "dog"):
        (root / folder / name).write_bytes(b"x")
    (note,) = list_images(root).notes
    assert note.count(name) == 1 and "2 entries" in note


@pytest.mark.parametrize("signs", [("status.json", "config.json"), ("key.json", "manifest.json")])
@pytest.mark.parametrize("place", ["run1", "outputs/run/2026", "cat/runs/a"])
def test_what_ae_cls_wrote_is_no_class(signs: tuple[str, str], place: str, tmp_path: Path) -> None:
    root = pictures_at(tmp_path, *classes(""), f"{place}/figures/confusion.png")
    for sign in signs:
        (root / place / sign).write_text("{}")
    found = list_images(root)
    assert found.files == tuple(sorted(classes("")))
    assert set(found.folders) == {"cat", "dog"}
    assert place in found.notes[0] and "ae-cls" in found.notes[0]


def test_the_store_is_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = pictures_at(tmp_path, *classes(""), "cache/any/a.png")
    monkeypatch.setenv("AE_CLS_CACHE", str(root / "cache"))
    assert set(list_images(root).folders) == {"cat", "dog"}


def test_a_config_alone_makes_no_run(tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "cat/0.png")
    (root / "cat" / "config.json").write_text("{}")
    assert list_images(root).files == ("cat/0.png",)


def test_a_run_may_be_the_root_itself(tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "figures/0.png")
    for name in ("config.json", "status.json"):
        (root / name).write_text("{}")
    assert list_images(root).files == ("figures/0.png",)


def test_other_files_are_counted_by_suffix_and_pictures_among_them_are_told(tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "cat/0.png", "cat/1.png", "cat/2.jpg", "cat/3.png")
    (root / "cat" / "1.png").rename(root / "cat" / "1")
    (root / "cat" / "2.jpg").rename(root / "cat" / "2.jpg_large")
    for name in ("a.txt", "b.TXT", "c.txt", "d.txt"):
        (root / "cat" / name).write_text("no picture")
    os.mkfifo(root / "cat" / "pipe")  # which nobody may open
    first, second = list_images(root).notes
    assert first.startswith("7 files left out")
    assert "4 .txt (a.txt, b.TXT, c.txt, and 1 more)" in first
    assert "2 without a suffix (1, pipe)" in first
    assert "2 are pictures by content: 1, 2.jpg_large" in second


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "JPEG2000"])
def test_pictures_are_known_by_their_first_bytes(kind: str, tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "0.png")
    Image.new("RGB", (16, 16)).save(root / "named.bin", kind)
    assert "it is a picture by content: named.bin" in list_images(root).notes[1]


def test_the_table_of_labels_needs_no_note(tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "0.png")
    (root / "labels.csv").write_text("path,label\n")
    assert list_images(root, table=root / "labels.csv").notes == ()
    assert "labels.csv" in list_images(root).notes[0]


def linked(tmp_path: Path) -> Path:
    """A folder whose pictures are links to files and to a folder elsewhere."""
    outside = pictures_at(tmp_path / "outside", *(f"{number}.png" for number in range(3)))
    root = tmp_path / "root"
    (root / "cat").mkdir(parents=True)
    (root / "cat" / "a.png").symlink_to(outside / "0.png")
    (root / "cat" / "b.png").symlink_to(outside / "0.png")
    (root / "dog").symlink_to(outside, target_is_directory=True)
    return root


def test_links_are_followed_when_asked_one_row_a_link(tmp_path: Path) -> None:
    found = list_images(linked(tmp_path), "follow")
    assert found.files == ("cat/a.png", "cat/b.png", "dog/0.png", "dog/1.png", "dog/2.png")


def test_links_are_refused_with_ways_that_keep_the_data(tmp_path: Path) -> None:
    root = linked(tmp_path)
    for place in ("dog", "cat/a.png"):
        with pytest.raises(DataError) as caught:
            list_images(root)
        assert place in caught.value.where
        assert "dataset.links=follow" in caught.value.fix
        assert f"cp -rL {root} {root}-copied" in caught.value.fix
        (root / place).unlink()


@pytest.mark.parametrize("target", [".", "..", "../dog", "../.."])
def test_loops_of_links_end(target: str, tmp_path: Path) -> None:
    root = pictures_at(tmp_path / "root", *classes("", count=1))
    (root / "cat" / "loop").symlink_to(target, target_is_directory=True)
    (root / "dog" / "loop").symlink_to("../cat", target_is_directory=True)
    found = list_images(root, "follow")
    assert {"cat/0.png", "dog/0.png"} <= set(found.files) and len(found.files) < 9
    assert any("not followed" in note for note in found.notes)


@pytest.mark.parametrize("name", ["broken.png", "broken"])
@pytest.mark.parametrize("links", ["refuse", "follow"])
def test_broken_links_are_errors(name: str, links, tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "cat/0.png")
    (root / name).symlink_to("gone")
    with pytest.raises(DataError, match="cannot be used") as caught:
        list_images(root, links)
    assert "broken link to gone" in caught.value.why and caught.value.fix


@pytest.mark.parametrize("links", ["refuse", "follow"])
def test_pipes_named_like_images_are_errors(links, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        list_images(tmp_path, links)
    assert "pipe" in caught.value.why and caught.value.fix


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_bytes(b"")])
def test_what_is_no_folder_is_refused_with_a_way_on(make, tmp_path: Path) -> None:
    make(tmp_path / "root")
    with pytest.raises(DataError) as caught:
        list_images(tmp_path / "root")
    assert str(tmp_path / "root") in caught.value.where and caught.value.fix


def test_a_model_gets_the_same_files_and_the_same_notes(tmp_path: Path) -> None:
    root = pictures_at(tmp_path, "b.png", "a/0.png", "@eaDir/0.png", "out.png")
    (root / "0.photo").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    outside = pictures_at(tmp_path.parent / f"{tmp_path.name}-outside", "0.png")
    (root / "more").symlink_to(outside, target_is_directory=True)
    files, notes = images_below(root, root / "out.png")
    assert [file.relative_to(root).as_posix() for file in files] == ["a/0.png", "b.png"]
    assert any("@eaDir" in note for note in notes)
    assert any("it is a picture by content: 0.photo" in note for note in notes)
    assert any("1 link to folders not followed: more" in note for note in notes)
