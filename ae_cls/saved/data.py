"""Whether a data set is still the one that a run was given."""

from pathlib import Path

import numpy as np

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.identity import Identity, refuse_other_rows
from ae_cls.dataset.split import Split
from ae_cls.errors import DataError, ModelFileError
from ae_cls.saved.metrics import read_metrics

SPLIT = "split.npz"
_FIX = "restore the data, or start a new run on what is there now: ae-cls run ..."


def refuse_other_data(run: Path, dataset: Dataset, split: Split) -> None:
    """Rows mean something only in the data that the run was given, cut as it was cut.

    Args:
        run: its folder.
        dataset: as it is now, from `read`.
        split: of it, by the run's own settings.

    Raises:
        DataError: names, labels or pixels of rows differ, or the parts do.
        ModelFileError: what the run remembers is damaged.
    """
    where = f"{run}\ndataset={dataset.name}"
    before = _remembered(run)
    if before is not None:
        refuse_other_rows(before, dataset, where, _FIX)
    recorded = read_metrics(run).get("protocol", {}).get("split_sha256")
    if recorded is not None and recorded != split.parts_sha256():
        raise DataError(
            "the data set is not cut into parts as it was for this run", where=where,
            why="its split differs from the one in metrics.json", fix=_FIX,
        )  # fmt: skip


def _remembered(run: Path) -> Identity | None:
    """A number for each row; None for a run that has not come so far."""
    try:
        with np.load(run / SPLIT, allow_pickle=False) as file:
            return file["identity"]
    except FileNotFoundError:
        return None
    except Exception as error:  # strangers' bytes
        raise ModelFileError(
            "what the run remembers of its data cannot be read", where=str(run / SPLIT),
            why=str(error) or type(error).__name__,
        ) from error  # fmt: skip
