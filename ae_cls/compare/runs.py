"""Finished runs as they lie in their folders: settings, answers on the test part, costs."""

import csv
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Int64

from ae_cls.dataset.identity import identity_sha256
from ae_cls.errors import AeClsError, ModelFileError, StorageError, UsageError
from ae_cls.saved.config import read_config
from ae_cls.saved.data import SPLIT
from ae_cls.saved.metrics import METRICS, read_environment, read_metrics
from ae_cls.saved.names import CONFIG, DAMAGED, ENVIRONMENT, MODEL, PREDICTIONS, STATUS, STUDY
from ae_cls.saved.status import written_status
from ae_cls.saved.study import written_study
from ae_cls.saved.whole import refuse_damage
from ae_cls.store.arrays import read_arrays
from ae_cls.store.received import opened
from ae_cls.store.tensor_file import tensors_of
from ae_cls.store.weights import WEIGHTS

_NOT_WHAT_IT_IS = frozenset(
    {"seed", "labels", "split", "dataset", "folder", "outputs", "threads", "store",
     "checkpoint_seconds", "devices", "figures", "test", "device"}
)  # fmt: skip
"""Keys that do not tell one way of classifying from another: data, draw, place."""

_LINK = "it is a link, which is not followed: name the folder that it leads to"
_NAMES_ARE_LOST = "arms are named by their words; the command of the study writes it anew"


@final
@dataclass(frozen=True)
class FinishedRun:
    """A run that has read its test part.

    Attributes:
        folder: of the run.
        config: as in config.json.
        metrics: as in metrics.json.
        environment: as in environment.json.
        arm: the name that a study gives it; empty for any other run.
        correct: whether each test image was answered rightly, in the order of the test part.
        units: a number for each test image, the same for those that count once.
        test_sha256: the same for the same test images.
    """

    folder: Path
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    environment: Mapping[str, Any]
    arm: str
    correct: Bool[np.ndarray, " images"]
    units: Int64[np.ndarray, " images"]
    test_sha256: str

    @property
    def data_sha256(self) -> str:
        """Of all images, labels and names."""
        return self.metrics["protocol"]["data_sha256"]

    @property
    def method(self) -> dict[str, Any]:
        """The settings that tell it from other ways of classifying."""
        return {key: value for key, value in self.config.items() if key not in _NOT_WHAT_IT_IS}

    @property
    def labels(self) -> int:
        """How many it was shown, in all."""
        return self.metrics["labels"]["count"]

    @property
    def budget(self) -> str:
        """How many labels were asked for, and what settings were chosen on, for people."""
        asked = self.config["labels"]
        said = {"per_class": "{} a class", "count": "{} labels", "fraction": "{:.3g} of the labels"}
        given = [text.format(asked[key]) for key, text in said.items() if asked[key] is not None]
        regime = " + validation" if given and asked.get("choose") == "validation" else ""
        return (given[0] if given else "all labels") + regime

    @property
    def draw(self) -> int:
        """Seed of its labels."""
        drawn = self.config["labels"]["draw"]
        return self.seed if drawn is None else drawn

    @property
    def seed(self) -> int:
        """Of the network."""
        return self.config["seed"]

    @property
    def accuracy(self) -> float:
        """On the test part, in [0, 1]."""
        return self.metrics["test"]["accuracy"]

    @cached_property
    def is_pretrained(self) -> bool:
        """Whether a network was trained by gradients without labels, here or where it was kept."""
        return any(is_pretraining(one["stage"]) for one in self.environment.get("epochs", []))

    @property
    def trains_encoder(self) -> bool:
        """Whether the head changed the encoder."""
        return any(not is_pretraining(one["stage"]) for one in self.environment.get("epochs", []))

    @property
    def seconds(self) -> float:
        """Of all that was computed for it, also where it was kept from an earlier run."""
        epochs = self.environment.get("epochs", [])
        stages = self.environment.get("seconds", {})
        pretraining = sum(one["seconds"] for one in epochs if is_pretraining(one["stage"]))
        fitting = sum(one["seconds"] for one in epochs if not is_pretraining(one["stage"]))
        return pretraining + max(fitting, stages.get("classify", 0.0)) + stages.get("encode", 0.0)

    @property
    def images_per_second(self) -> float | None:
        """The mean over epochs of pretraining; None without any."""
        rates = [
            one["images_per_second"]
            for one in self.environment.get("epochs", [])
            if is_pretraining(one["stage"])
        ]
        return sum(rates) / len(rates) if rates else None

    @cached_property
    def weights(self) -> int:
        """Numbers in the encoder and decoder that are kept; 0 where they cannot be read."""
        try:
            with opened(self.folder / MODEL / WEIGHTS) as file:
                tensors, _ = tensors_of(file, WEIGHTS)
            return sum(math.prod(facts.shape) for facts in tensors.values())
        except (OSError, ModelFileError, StorageError):
            return 0


@final
@dataclass(frozen=True)
class Unreadable:
    """A run that cannot be compared, and why."""

    folder: Path
    why: str


def is_pretraining(stage: str) -> bool:
    """Whether a stage in the history is of training without labels, of all layers or of one."""
    return stage.startswith("pretrain")


def read_runs(folders: Sequence[Path]) -> tuple[list[FinishedRun], list[Unreadable]]:
    """All runs in these folders and below them, each once, by their paths.

    Raises:
        UsageError: a folder is missing, or there is no run anywhere.
    """
    runs, unreadable = list[FinishedRun](), list[Unreadable]()
    arms: dict[Path, dict[str, str]] = {}
    run_folders = dict.fromkeys(path for one in folders for path in _run_folders(one))
    for folder in run_folders:
        try:
            if folder.parent not in arms:
                arms[folder.parent] = _arms_in(folder.parent, unreadable)
            runs.append(read_finished(folder, arms[folder.parent].get(folder.name, "")))
        except (AeClsError, OSError, ValueError, LookupError, TypeError, csv.Error) as error:
            unreadable.append(Unreadable(folder, _why(error)))
    unreadable += [Unreadable(link, _LINK) for link in _links_to_others(folders, run_folders)]
    if not runs and not unreadable:
        raise UsageError(
            "there is no run in this folder or below it", where=", ".join(map(str, folders)),
            fix="the folder of a run, a sweep, a search or a study, such as outputs/run",
        )  # fmt: skip
    return runs, unreadable


def _arms_in(study: Path, unreadable: list[Unreadable]) -> dict[str, str]:
    """What a study calls its runs, by their names; where it is damaged, nothing, and it is told."""
    try:
        return {name: arm for name, (arm, _) in written_study(study).cells.items()}
    except (ModelFileError, StorageError) as error:
        unreadable.append(Unreadable(study / STUDY, f"{_why(error)}; {_NAMES_ARE_LOST}"))
        return {}


def read_finished(folder: Path, arm: str = "") -> FinishedRun:
    """The run in a folder.

    Args:
        folder: of the run.
        arm: what a study calls it.

    Raises:
        UsageError: it has not finished, or has not read its test part.
        ModelFileError: a file in it is damaged, or none that a run writes.
        StorageError: a file cannot be read.
        OSError, ValueError, LookupError, csv.Error: a file is missing, or is not as runs write it.
    """
    status = written_status(folder)
    state = status.state if status else "unknown"
    if state != "finished" or not (folder / METRICS).is_file():
        raise UsageError(f"it is not finished: {state}")
    refuse_damage(folder, STATUS, CONFIG, ENVIRONMENT, SPLIT, PREDICTIONS, METRICS)
    metrics = read_metrics(folder)
    if "test" not in metrics:
        raise UsageError("it has not read the test part")
    split = read_arrays(folder / SPLIT, "test", "identity", "bonds")
    test, identity = split["test"], split["identity"]
    units = split["bonds"][test] if "bonds" in split else np.arange(len(test))
    correct = read_correct(folder / PREDICTIONS)
    if len(correct) != len(test):
        raise UsageError(f"{PREDICTIONS} has {len(correct)} rows for {len(test)} test images")
    config, environment = read_config(folder), read_environment(folder)
    return FinishedRun(
        folder, config, metrics, environment, arm, correct, units,
        identity_sha256(identity[test]),
    )  # fmt: skip


def read_correct(path: Path) -> Bool[np.ndarray, " _"]:
    """Whether `label` and `predicted` are the same, row by row of a predictions.csv."""
    with TextIOWrapper(opened(path), "utf-8", newline="") as file:
        rows = csv.reader(file)
        columns = next(rows, [])
        label, predicted = columns.index("label"), columns.index("predicted")
        return np.array([row[label] == row[predicted] for row in rows], bool)


def _run_folders(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UsageError("there is no such folder", where=str(folder))
    if (folder / CONFIG).is_file():
        yield folder
        return
    for path in sorted(folder.rglob(CONFIG)):
        is_set_aside = any(part.startswith(DAMAGED) for part in path.relative_to(folder).parts)
        if path.parent.name != MODEL and not is_set_aside:
            yield path.parent


def _links_to_others(folders: Sequence[Path], run_folders: Collection[Path]) -> list[Path]:
    """Links below these folders to runs that are not among those which are read."""
    known = {folder.resolve() for folder in run_folders}
    links = {link for folder in folders for link in _linked_runs(folder)}
    return sorted(link for link in links if link.resolve() not in known)


def _linked_runs(folder: Path) -> Iterator[Path]:
    for above, names, _ in os.walk(folder):
        links = (Path(above, name) for name in sorted(names))
        yield from (link for link in links if link.is_symlink() and (link / CONFIG).is_file())


def _why(error: Exception) -> str:
    if isinstance(error, ModelFileError | StorageError):
        return f"{Path(error.where).name}: {error.what}" + (f" ({error.why})" if error.why else "")
    if isinstance(error, AeClsError):
        return error.what + (f" ({error.why})" if error.why else "")
    return f"{type(error).__name__}: {error}"
