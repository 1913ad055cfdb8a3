"""Published files: where they are looked for, how they are fetched, what Debian ships."""

import contextlib
import gc
import gzip
import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from ae_cls.dataset.sources import mnist
from ae_cls.errors import DataError, StorageError
from ae_cls.machine import network
from tests.dataset import written
from tests.dataset.chosen import chosen

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server on this machine that publishes tmp_path/published."""
    (tmp_path / "published").mkdir()
    handler = partial(_Silent, directory=str(tmp_path / "published"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def publisher(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KMNIST's files as the server has them, with their true checksums."""
    folder = tmp_path / "published"
    written.mnist_like(folder, folder, packed=True)
    sums = [
        (path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(folder.iterdir())
    ]
    monkeypatch.setattr("torchvision.datasets.KMNIST.mirrors", [address])
    monkeypatch.setattr("torchvision.datasets.KMNIST.resources", sums)
    return folder


def test_files_are_fetched_when_asked_and_only_then(publisher: Path, places: Path) -> None:
    with pytest.raises(DataError, match="are missing"):
        chosen("kmnist").load()
    assert not places.exists()
    dataset = chosen("kmnist", download=True).load()
    assert len(dataset.train) == written.TRAIN
    assert sorted(path.name for path in places.iterdir()) == ["KMNIST"]  # no staging folder is left
    assert torch.equal(chosen("kmnist").load().images, dataset.images)


def test_files_that_are_there_are_not_fetched(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(kind: str, folder: Path) -> None:
        raise AssertionError("fetched")

    written.mnist_like(places, places)
    monkeypatch.setattr(mnist, "_fetch", fetch)
    assert len(chosen("kmnist", download=True).load().train) == written.TRAIN


# torchvision leaves the answer 404 open; it is collected here, before it troubles another test.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("content", [b"<html>moved</html>", b"", None])
def test_a_failed_download_leaves_nothing_and_says_what_to_do(
    content: bytes | None, publisher: Path, places: Path
) -> None:
    victim = publisher / "train-images-idx3-ubyte.gz"
    victim.unlink() if content is None else victim.write_bytes(content)
    with pytest.raises(DataError) as caught:
        chosen("kmnist", download=True).load()
    block, fix = caught.value.block(), caught.value.fix
    assert "cannot be downloaded" in block
    assert str(places / "KMNIST" / "raw") in block
    assert "train-images-idx3-ubyte" in fix
    assert list(places.rglob("*")) == []
    del caught
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("after", [b"", b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nhalf"])
def test_a_server_that_falls_silent_is_not_waited_for(
    after: bytes, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_LONGEST", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(server.accept()[0])
                    held[-1].sendall(after)

        thread = threading.Thread(target=answer)
        thread.start()
        mirrors = [f"http://127.0.0.1:{server.getsockname()[1]}/"]
        monkeypatch.setattr("torchvision.datasets.KMNIST.mirrors", mirrors)
        with pytest.raises(DataError, match="cannot be downloaded"):
            chosen("kmnist", download=True).load()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in held:
        connection.close()
    assert list(places.rglob("*")) == []
    assert socket.getdefaulttimeout() is None
    gc.collect()


def test_an_interrupted_download_is_not_mistaken_for_a_whole_one(
    publisher: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(kind: str, folder: Path) -> None:
        written.mnist_like(folder / "KMNIST" / "raw", folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mnist, "_fetch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            chosen("kmnist", download=True).load()
    assert list(places.rglob("*")) == []
    assert len(chosen("kmnist", download=True).load().train) == written.TRAIN


def test_no_address_answers_is_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.KMNIST.mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError, match="cannot be downloaded"):
        chosen("kmnist", download=True).load()


def test_a_data_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        chosen("kmnist", download=True, root=str(tmp_path / "file")).load()


@pytest.mark.parametrize("word", ["mnist", "fashion_mnist", "kmnist"])
@pytest.mark.parametrize("packed", [False, True])
def test_any_folder_of_idx_files_will_do_as_root(word: str, packed: bool, tmp_path: Path) -> None:
    written.mnist_like(tmp_path / "any", tmp_path, packed=packed)
    assert len(chosen(word, root=str(tmp_path / "any")).load().test) == written.TEST


@pytest.mark.parametrize("word", ["mnist", "fashion_mnist", "kmnist", "emnist", "qmnist"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_with_a_dot_before_idx_will_do_as_well(
    word: str, packed: bool, tmp_path: Path
) -> None:
    found = written.WRITERS[word](tmp_path)
    for path in [path for path in tmp_path.rglob("*idx*") if path.is_file()]:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        name = path.name.removesuffix(".gz").replace("-idx", ".idx")
        if packed:
            path.with_name(f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            path.with_name(name).write_bytes(content)
        path.unlink()
    dataset = chosen(word, root=str(tmp_path)).load()
    assert dataset.labels.tolist() == found.labels.tolist()


def test_fashion_mnist_is_found_where_debian_puts_it(
    tmp_path: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.mnist_like(tmp_path / "debian", tmp_path, packed=True)
    monkeypatch.setattr(mnist, "_DEBIAN", tmp_path / "debian")
    assert len(chosen("fashion_mnist").load().test) == written.TEST
    with pytest.raises(DataError):  # a root that is given is the only place
        chosen("fashion_mnist", root=str(places)).load()


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_the_published_one() -> None:
    dataset = chosen("fashion_mnist").load()
    assert [len(dataset.train), len(dataset.test)] == [60_000, 10_000]
    assert dataset.image_shape == (1, 28, 28)
    assert torch.bincount(dataset.labels[dataset.test]).tolist() == [1000] * 10
    assert dataset.class_names[dataset.labels[0]] == "Ankle boot"
    for rows, name in ((dataset.train, "train"), (dataset.test, "t10k")):
        content = gzip.decompress((DEBIAN / f"{name}-images-idx3-ubyte.gz").read_bytes())
        images = dataset.images.index_select(0, torch.from_numpy(rows))
        assert images.numpy().tobytes() == content[16:]
    everything = dataset.images.index_select(0, torch.arange(70_000))
    assert hashlib.sha256(everything.numpy().tobytes()).hexdigest() == (
        "0fbbfcb392782b3b702472ead3688778e1509e8cf40f5c24d9d3303618b193ab"
    )
