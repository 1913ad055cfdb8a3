"""Looks at a test part: which one a run reads, and by how many runs it was read."""

from ae_cls.dataset.identity import identity_of, identity_sha256
from ae_cls.experiment.common import digest_of
from ae_cls.experiment.descriptions import Experiment
from ae_cls.run.data import Data
from ae_cls.store import ledger


def note_look(experiment: Experiment, data: Data, weights_sha256: str) -> None:
    """Count that this run reads its test part; the same run repeated is no further look.

    Args:
        experiment: that looks.
        data: what it reads.
        weights_sha256: of the encoder, which may be that of another run.
    """
    ledger.note_read(_test_part(data), digest_of(experiment, weights_sha256))


def looks(data: Data) -> int:
    """How many different runs on this machine have read the test part."""
    return ledger.readers(_test_part(data))


def reads(data: Data) -> int:
    """How often the test part was read on this machine, by whichever runs."""
    return ledger.reads(_test_part(data))


def _test_part(data: Data) -> str:
    """The same for the same test images with the same labels, whatever the rest of the split."""
    return identity_sha256(identity_of(data.dataset)[data.split.test])
