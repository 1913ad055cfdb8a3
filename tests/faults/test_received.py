"""What stands in the place of a file of a run, a model or a store: a pipe, a link, a device, tons.

None of them is opened, followed, waited for or read without a bound; the file is named.
"""

import os
import re
import stat
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from ae_cls.errors import AeClsError, ModelFileError
from ae_cls.run.folder import read_status
from ae_cls.run.resume import resume
from ae_cls.saved.data import remembered
from ae_cls.saved.encoder_run import read_encoder_run
from ae_cls.saved.metrics import read_metrics
from ae_cls.saved.predict import predict_to_csv
from ae_cls.store.entries import Store, opened
from ae_cls.store.key import Key
from ae_cls.store.received import MOST, read_bytes, read_json
from tests.cli.conftest import AeCls
from tests.faults.whole_run import one_image, whole_run

pytestmark = pytest.mark.timeout(240)  # a hang is a failure


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


THINGS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "folder": Path.mkdir,
    "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "a terabyte": _sparse,
}
TEXTS = {
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep behind texts": b'{"a\\"[[": "' + b"[" * 200 + b'", "b": ' + b"[" * 100_000,
    "two equal keys": b'{"state": "finished", "state": "running"}',
    "NaN": b'{"state": NaN}',
    "infinity": b'{"state": -Infinity}',
    "too large a number": b'{"state": 1e999}',
    "UTF-16": '{"state": "finished"}'.encode("utf-16"),
    "no UTF-8": b'{"state": "\xff"}',
    "no object": b"[]",
    "nothing": b"",
    "cut": b'{"state": "fin',
    "too many lists": b'{"a": [' + b"[]," * 1_300_000 + b"[]]}",
    "a very long number": b'{"a": ' + b"9" * 1_000_000 + b"}",
    "bytes of zero": bytes(1000),
}


def put(path: Path, thing: str) -> None:
    """Let this stand in place of a file."""
    path.unlink(missing_ok=True)
    if thing in THINGS:
        THINGS[thing](path)
    else:
        path.write_bytes(TEXTS[thing])


@pytest.mark.parametrize("thing", THINGS)
def test_only_regular_files_of_bounded_size_are_opened(tmp_path: Path, thing: str) -> None:
    path = tmp_path / "a.json"
    put(path, thing)
    for read in (read_bytes, read_json):
        with pytest.raises(ModelFileError) as refused:
            read(path)
        assert refused.value.code == 5 and str(path) in refused.value.where
        assert refused.value.why


def test_a_device_is_not_opened() -> None:
    with pytest.raises(ModelFileError, match="device"):
        read_bytes(Path("/dev/null"))


def test_a_file_may_be_as_large_as_its_kind_and_no_larger(tmp_path: Path) -> None:
    path = tmp_path / "a"
    os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), MOST)
    assert len(read_bytes(path)) == MOST
    os.truncate(path, MOST + 1)
    with pytest.raises(ModelFileError, match="16,777,217"):
        read_bytes(path)


@pytest.mark.parametrize("text", TEXTS)
def test_json_is_strict_and_refused_soon(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(TEXTS[text])
    begin = time.monotonic()
    tracemalloc.start()
    with pytest.raises(ModelFileError) as refused:
        read_json(tmp_path / "a.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.code == 5 and "a.json" in refused.value.where
    assert time.monotonic() - begin < 20 and peak < 2 * 10**8


def test_what_is_ours_is_read_with_texts_that_look_like_brackets(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": ["[[[", "\\\\", "\\"{{{"], "b": 1.5, "c": "\\udcff"}')
    assert read_json(tmp_path / "a.json")["a"] == ["[[[", "\\", '"{{{']
    assert read_json(tmp_path / "none.json") == {}


READERS: dict[str, Callable[[Path], object]] = {
    "status.json": read_status,
    "metrics.json": read_metrics,
    "config.json": lambda run: resume(run, {}),
    "stages.json": lambda run: resume(run, {"pretrain.epochs": 2}),
    "split.npz": lambda run: remembered(run, "identity"),
    "model/manifest.json": read_encoder_run,
    "model/config.json": read_encoder_run,
    "model/model.safetensors": lambda run: predicted(run),
    "model/head.json": lambda run: predicted(run),
    "model/head.safetensors": lambda run: predicted(run),
    "model/likeness.safetensors": lambda run: predicted(run),
}
"""Each file that is read back of a run, and what reads it."""


def predicted(run: Path) -> object:
    return predict_to_csv(run, [run.parent / "photos"], run.parent / "out.csv", "cpu")


@pytest.mark.parametrize(
    "thing", ["pipe", "endless device", "a terabyte", "deep", "two equal keys"]
)
@pytest.mark.parametrize("name", READERS)
def test_no_file_of_a_run_is_trusted(tmp_path: Path, name: str, thing: str) -> None:
    run = whole_run(tmp_path)
    one_image(tmp_path / "photos")
    put(run / name, thing)
    with pytest.raises(AeClsError) as refused:
        READERS[name](run)
    assert refused.value.code == 5
    assert name.rpartition("/")[2] in refused.value.where


@pytest.mark.parametrize("thing", ["pipe", "endless device"])
@pytest.mark.parametrize("words", ["predict R photos", "encode R -o f.npz", "resume R", "report R"])
def test_the_commands_end_with_5_or_8(
    ae_cls: AeCls, tmp_path: Path, words: str, thing: str
) -> None:
    run = whole_run(tmp_path).rename(tmp_path / "R")
    one_image(tmp_path / "photos")
    for name in ("status.json", "metrics.json", "model/manifest.json"):
        put(run / name, thing)
    ended = ae_cls(*words.split())
    # A report names what it could not read; where nothing is left, it has no data.
    assert ended.code == (3 if words == "report R" else 5)
    assert re.search(r"regular file", ended.err) and "Traceback" not in ended.err


KEY = Key("classify", {"seed": 0})


def entry(store: Path) -> Path:
    with opened(store) as there:
        return there.take_or_make(KEY, lambda folder: (folder / "a.bin").write_bytes(b"a")).folder


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("name", ["manifest.json", "a.bin"])
def test_an_entry_of_the_store_that_holds_such_things_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, thing: str
) -> None:
    put(entry(tmp_path) / name, thing)
    assert not Store(tmp_path).is_whole(KEY)
    with opened(tmp_path) as store:
        made = store.take_or_make(KEY, lambda folder: (folder / "a.bin").write_bytes(b"b"))
    assert not made.was_kept and (made.folder / "a.bin").read_bytes() == b"b"
    assert "made again" in caplog.text


@pytest.mark.parametrize("thing", ["pipe", "endless device", "folder", "deep"])
@pytest.mark.parametrize("action", ["ls", "verify", "prune"])
def test_the_cache_commands_end_whatever_a_store_holds(
    ae_cls: AeCls, tmp_path: Path, action: str, thing: str
) -> None:
    for name in ("key.json", "manifest.json"):
        store = tmp_path / f"store-{name}"
        put(entry(store) / name, thing)
        ended = ae_cls("cache", action, "--folder", str(store))
        assert ended.code in (0, 5) and "Traceback" not in ended.err
