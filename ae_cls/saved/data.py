"""Whether a data set is still the one that a run was given."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt64

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.identity import identity_of, refuse_other_rows
from ae_cls.dataset.read import read
from ae_cls.dataset.split import Split, make_split
from ae_cls.errors import DataError
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.saved.metrics import read_metrics
from ae_cls.saved.whole import refuse_damage
from ae_cls.store.arrays import read_arrays
from ae_cls.store.received import not_ours

SPLIT, IDENTITY, SEEN = "split.npz", "identity", "seen_by_encoder"
_FIX = "restore the data, or start a new run on what is there now: ae-cls run ..."
_MOVED = "if they lie elsewhere now: dataset.root=FOLDER"

Numbers = UInt64[np.ndarray, " _"]


def data_of(run: Path, description: Experiment | Pretraining) -> tuple[Dataset, Split]:
    """The data that a run was given, read again, and their parts.

    Raises:
        DataError: they are not there, or are not those that the run was given.
        ModelFileError: what the run remembers is damaged.
    """
    dataset = read(description.dataset)
    split = make_split(dataset, description.split, description.labels, description.seed)
    refuse_other_data(run, dataset, split)
    return dataset, split


def refuse_other_data(run: Path, dataset: Dataset, split: Split, otherwise: str = "") -> None:
    """Rows mean something only in the data that the run was given, cut as it was cut.

    Args:
        run: its folder.
        dataset: as it is now, from `read`.
        split: of it, by the run's own settings.
        otherwise: what else can be typed where the data are others.

    Raises:
        DataError: names, labels or pixels of rows differ, or the parts do.
        ModelFileError: what the run remembers is damaged.
    """
    where = f"{run}\ndataset={dataset.name}"
    before = remembered(run, IDENTITY)
    if before is not None:
        fix = "\n".join([_FIX, _MOVED, *([otherwise] if otherwise else [])])
        refuse_other_rows(before, dataset, where, fix)
    recorded = read_metrics(run).get("protocol", {}).get("split_sha256")
    if recorded is not None and recorded != split.parts_sha256():
        raise DataError(
            "the data set is not split as it was for this run", where=where,
            why="its split differs from the one in metrics.json",
            fix=f"leave out the words about the split; or {_FIX}" if otherwise else _FIX,
        )  # fmt: skip


def is_of(run: Path, dataset: Dataset) -> bool:
    """Whether the run was given exactly these data, wherever they lie."""
    before = remembered(run, IDENTITY)
    return before is not None and np.array_equal(before, identity_of(dataset))


def remembered(run: Path, name: str) -> Numbers | None:
    """Numbers that a run keeps of its images.

    None where it has not come so far, or is of a version that did not keep them.

    Raises:
        ModelFileError: the file is damaged.
    """
    refuse_damage(run, SPLIT)
    try:
        numbers = read_arrays(run / SPLIT, name).get(name)
    except FileNotFoundError:
        return None
    if numbers is not None and (numbers.dtype != np.uint64 or numbers.ndim != 1):
        raise not_ours(str(run / SPLIT), f"{name} holds {numbers.dtype} of {numbers.shape}")
    return numbers
