"""The tables of a run folder: history, predictions, split."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.identity import identity_of
from ae_cls.dataset.split import Split
from ae_cls.head.fitted import Probabilities
from ae_cls.saved.data import IDENTITY, SEEN, SPLIT, Numbers
from ae_cls.saved.names import PREDICTIONS
from ae_cls.store.cells import cell, path_cell, probability_columns, row_writer
from ae_cls.store.files import publish
from ae_cls.train.record import EpochRecord


def write_history(folder: Path, history: Sequence[EpochRecord]) -> None:
    """history.jsonl: one line an epoch, or a stretch of steps."""
    lines = (json.dumps(record.as_dict(), allow_nan=False) + "\n" for record in history)
    publish(folder / "history.jsonl", "".join(lines).encode())


def write_predictions(
    folder: Path, dataset: Dataset, split: Split, probabilities: Probabilities
) -> None:
    """predictions.csv: one line a test image, in the order of the test part.

    `index` is the row within the official test part, or within the data set where there is none.
    """
    rows, labels = split.test.tolist(), dataset.labels_of(split.test).tolist()
    first = int(dataset.test.min()) if len(dataset.test) else 0
    names, predicted = dataset.class_names, probabilities.argmax(axis=1).tolist()
    text = io.StringIO()
    write = row_writer(text)
    path = ["path"] if dataset.paths else []
    write(["index", *path, "label", "predicted", *probability_columns(names)])
    spelt = [cell(name) for name in names]
    # As plain numbers, of which Python formats a line in two thirds of the time.
    lines = zip(rows, labels, predicted, probabilities.tolist(), strict=True)
    for row, label, guess, line in lines:
        path = [path_cell(dataset.paths[row])] if dataset.paths else []
        chances = [f"{chance:.9g}" for chance in line]
        write([row - first, *path, spelt[label], spelt[guess], *chances])
    publish(folder / PREDICTIONS, text.getvalue().encode())


def write_split(folder: Path, dataset: Dataset, split: Split, seen: Numbers | None) -> None:
    """split.npz: which rows of the data set were for what, and numbers for each row of it.

    `identity` is the same for equal rows, `bonds` for rows that belong together. The hash of the
    parts stands in metrics.json as `split_sha256`, that of `identity` as `data_sha256`. By the
    hashes of the pixels that the encoder has seen they are known again in other data sets.
    """
    arrays = {
        "pretrain": split.pretrain,
        "labelled": split.labelled,
        "valid": split.valid,
        "test": split.test,
        IDENTITY: identity_of(dataset),
        "bonds": dataset.bonds,
        **({} if seen is None else {SEEN: seen}),
    }
    buffer = io.BytesIO()
    # The names are ours, and none is that of a flag.
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    publish(folder / SPLIT, buffer.getvalue())
