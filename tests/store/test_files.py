"""Files appear whole or not at all."""

import errno
import json
import os
import resource
from pathlib import Path

import pytest

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.store import manifest
from ae_cls.store.files import file_sha256, json_bytes, linked_sha256, publish, write_json
from ae_cls.store.manifest import check_files, listed_files, write_files


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_published_file_has_its_content_and_leaves_no_other(tmp_path):
    publish(tmp_path / "a.txt", b"old")
    publish(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_in_the_middle_keeps_the_old_file_and_no_rest(tmp_path, monkeypatch, call):
    publish(tmp_path / "a.txt", b"old")

    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    owner = os if call == "fsync" else Path
    monkeypatch.setattr(owner, call, fail)
    with pytest.raises(StorageError, match="No space left") as refused:
        publish(tmp_path / "a.txt", b"new")
    monkeypatch.undo()
    assert refused.value.code == 6
    assert "free some space" in refused.value.fix
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


def test_a_limit_on_the_size_of_files_is_named_and_the_old_file_stays(tmp_path):
    publish(tmp_path / "a", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))  # as `ulimit -f` does
    try:
        with pytest.raises(StorageError, match="File too large") as refused:
            publish(tmp_path / "a", bytes(2**20 + 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "ulimit -f" in refused.value.fix
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_json_that_a_strict_parser_would_refuse_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"accuracy": float("nan")})
    assert names(tmp_path) == []
    write_json(tmp_path / "a.json", {"name": "Kätzchen"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": "Kätzchen"}


FILES = {"a.bin": bytes(range(200)), "b.json": b"{}"}


def read_files(folder: Path) -> dict[str, bytes]:
    listed = listed_files(folder)
    return {name: listed.read(name) for name in listed.names}


def damaged(folder: Path, how: str) -> None:
    path = folder / "a.bin"
    content = path.read_bytes()
    match how:
        case "flipped bit":
            path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        case "cut":
            path.write_bytes(content[:-1])
        case "longer":
            path.write_bytes(content + b"x")
        case "gone":
            path.unlink()
        case "a link":
            path.rename(folder / "c.bin")
            path.symlink_to(folder / "c.bin")
        case "a folder":
            path.unlink()
            path.mkdir()


def test_what_was_written_is_read(tmp_path):
    write_files(tmp_path, FILES)
    assert read_files(tmp_path) == FILES


@pytest.mark.parametrize("how", ["flipped bit", "cut", "longer", "gone", "a link", "a folder"])
def test_a_file_that_differs_from_the_manifest_is_refused(tmp_path, how):
    write_files(tmp_path, FILES)
    damaged(tmp_path, how)
    for read in (read_files, check_files):
        with pytest.raises(ModelFileError) as refused:
            read(tmp_path)
        assert refused.value.code == 5
        assert "a.bin" in refused.value.where


@pytest.mark.parametrize("how", ["cut", "longer"])
def test_a_file_of_another_size_is_refused_before_it_is_read(tmp_path, monkeypatch, how):
    def read(*_):
        raise AssertionError("it was read")

    write_files(tmp_path, FILES)
    damaged(tmp_path, how)
    monkeypatch.setattr(manifest, "file_sha256", read)
    with pytest.raises(ModelFileError, match="bytes, the manifest says"):
        check_files(tmp_path)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "sub/../../outside"])
def test_a_manifest_cannot_name_a_file_outside(tmp_path, name):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside").write_bytes(b"secret")
    listed = {name: {"size": 6, "sha256": "0" * 64}}
    write_json(folder / "manifest.json", {"format": 2, "files": listed})
    with pytest.raises(ModelFileError, match="not a regular file"):
        read_files(folder)


FACTS = {"size": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    "value",
    [
        [], {"format": 3}, {"format": 3, "files": {"a": 1}}, {"files": {}},
        {"format": "3", "files": {}}, {"format": 3, "files": {"a": FACTS | {"size": -1}}},
        {"format": 3, "files": {"a": FACTS | {"size": 1.0}}}, {"format": 3, "files": [FACTS]},
        {"format": 3, "files": {"a": FACTS | {"sha256": "0"}}},
        {"format": 3, "files": {"a": FACTS | {"more": 1}}},
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(tmp_path, value):
    write_json(tmp_path / "manifest.json", value)
    with pytest.raises(ModelFileError, match="not as ae-cls writes it"):
        read_files(tmp_path)


@pytest.mark.parametrize("text", ["", "{", '{"format":3,"files":{}}'])
def test_a_manifest_is_spelt_in_one_way(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ModelFileError, match="not as ae-cls writes it"):
        read_files(tmp_path)


def test_a_manifest_of_a_newer_format_is_refused_with_both_versions(tmp_path):
    write_json(tmp_path / "manifest.json", {"format": 99, "files": {}})
    with pytest.raises(ModelFileError, match="format 99; this ae-cls reads formats 2 to 3"):
        read_files(tmp_path)


def test_a_folder_without_a_model_is_refused_with_the_fix(tmp_path):
    with pytest.raises(ModelFileError, match="no saved model") as refused:
        read_files(tmp_path)
    assert "finished run" in refused.value.fix


def test_a_name_that_is_not_utf_8_round_trips_through_json() -> None:
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    assert json.loads(json_bytes({"path": name, "\\udce9": "ü"})) == {"path": name, "\\udce9": "ü"}


def test_data_of_users_may_be_links_and_what_is_read_back_may_not(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"pictures")
    (tmp_path / "b.npz").symlink_to("a.npz")
    assert linked_sha256(tmp_path / "b.npz") == file_sha256(tmp_path / "a.npz")
    with pytest.raises(ModelFileError, match="it is a link"):
        file_sha256(tmp_path / "b.npz")
