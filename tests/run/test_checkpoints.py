"""Checkpoints: whole, verified, the newest two."""

import pytest
import torch

from ae_cls.errors import StorageError
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.train.checkpoint import Checkpoint
from tests.train.kept import checkpoint


def same(one: Checkpoint | None, other: Checkpoint) -> bool:
    return (
        one is not None
        and one.step == other.step
        and all(torch.equal(one.tensors[name], tensor) for name, tensor in other.tensors.items())
        and one.facts == other.facts
    )


def test_the_newest_is_read_back_and_two_are_kept(tmp_path):
    folder = CheckpointFolder(tmp_path / "new", of="a", every=60.0)
    assert folder.newest() is None
    for step in (9, 10, 11):
        folder.keep(checkpoint(step))
    assert same(folder.newest(), checkpoint(11))
    assert len(list(folder.folder.iterdir())) == 2


@pytest.mark.parametrize("how", ["flip", "cut", "empty"])
def test_a_damaged_one_is_said_and_the_one_before_is_taken(tmp_path, caplog, how):
    folder = CheckpointFolder(tmp_path, of="a", every=60.0)
    for step in (1, 2):
        folder.keep(checkpoint(step))
    newest = max(tmp_path.iterdir())
    content = newest.read_bytes()
    newest.write_bytes(
        {"flip": content[:-1] + bytes([content[-1] ^ 1]), "cut": content[:-1], "empty": b""}[how]
    )
    assert same(folder.newest(), checkpoint(1))
    assert "damaged" in caplog.text


def test_a_save_that_fails_is_loud_and_the_older_one_stays(tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path, of="a", every=60.0)
    folder.keep(checkpoint(1))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        folder.keep(checkpoint(2))
    assert same(folder.newest(), checkpoint(1))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_checkpoint_is_due_by_time_and_sooner_at_the_end_of_an_epoch(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    folder = CheckpointFolder(tmp_path, of="a", every=60.0)
    now[0] = 102
    assert not folder.is_due(epoch_ended=False)
    assert folder.is_due(epoch_ended=True)
    now[0] = 161
    assert folder.is_due(epoch_ended=False)
    folder.keep(checkpoint(1))
    assert not folder.is_due(epoch_ended=False)


def test_a_longer_training_goes_on_from_what_was_handed_over(tmp_path):
    first = CheckpointFolder(tmp_path / "first", of="a", every=60.0)
    first.keep(checkpoint(7))
    (tmp_path / "entry").mkdir()
    first.hand_over(tmp_path / "entry")
    elsewhere = {tmp_path / "entry": "a"}
    later = CheckpointFolder(tmp_path / "later", of="b", every=60.0, elsewhere=elsewhere)
    assert same(later.newest(), checkpoint(7))
    later.keep(checkpoint(8))
    assert same(later.newest(), checkpoint(8))
