"""What earlier calls of a study have left: its folder, its plan, how long its runs took."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ae_cls.errors import ModelFileError, StorageError
from ae_cls.experiment.common import HOW, WHERE
from ae_cls.jobs.plan import short_hash
from ae_cls.jobs.record import PLAN, Job, SweepFolder, is_finished
from ae_cls.saved.config import read_config
from ae_cls.saved.metrics import read_environment
from ae_cls.saved.names import CONFIG, DAMAGED, STUDY
from ae_cls.saved.study import WrittenStudy, written_study
from ae_cls.saved.whole import refuse_other_config
from ae_cls.saved.written_by import refuse_later
from ae_cls.store.ours import is_file
from ae_cls.store.received import MOST_PER_CLASS
from ae_cls.study.budgets import title_of
from ae_cls.study.cells import Extent
from ae_cls.study.cost import Measured, own_seconds_in
from ae_cls.study.fit import MOST_DRAWS
from ae_cls.study.request import Request
from ae_cls.study.settings import StudySettings

_LOG = logging.getLogger(__name__)

_MAY_GROW = frozenset({"study.draws", "study.seeds", "study.repeats", "study.minutes"})
_OF_LABELS = ("labels.per_class", "labels.fraction")


def place_of(request: Request, settings: StudySettings, base: Mapping[str, Any]) -> Path:
    """The same words find the same folder, whatever may grow."""
    if settings.folder:
        return Path(settings.folder)
    matter = [word for word in request.words if not _may_change(word)]
    own = [f"arm.{name}={' '.join(words)}" for name, words in request.arms.items()]
    name = f"study-{short_hash(sorted([*matter, *own]))}"
    return Path(base["outputs"]) / "run" / name


def _may_change(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return key in {*WHERE, *HOW, *_MAY_GROW} or key.partition(".")[0] == "launch"


def planned_in(path: Path) -> WrittenStudy:
    """What study.json says; where it is damaged or missing, as much of that as the runs tell.

    Raises:
        ModelFileError: a later version wrote it.
        StorageError: it cannot be read.
    """
    try:
        written = written_study(path)
    except ModelFileError:
        refuse_later(path / STUDY, most=MOST_PER_CLASS)
        return _told_by_runs(path)
    return written if written.asked else _told_by_runs(path)


def refuse_unknown_epochs(path: Path, settings: StudySettings, earlier: WrittenStudy) -> None:
    """Say that a plan was lost; stop where networks might then pretrain for other times.

    Raises:
        ModelFileError: it says nowhere else how long the runs that there are have pretrained.
    """
    if earlier.asked or not _begun_in(path):
        return
    # A folder that the words name had the same words; one that the user names may have had others.
    if settings.pretrain_minutes is not None and (settings.folder or not earlier.cells):
        raise ModelFileError(
            "the plan of a study is damaged", where=str(path / STUDY),
            why="it alone says for how many epochs its networks pretrain in "
            f"study.pretrain_minutes={settings.pretrain_minutes:g}",
            fix="restore it from a copy; or begin anew with another study.folder",
        )  # fmt: skip
    _LOG.warning(
        "%s was lost or damaged and is written anew: which runs there are is read from %s and "
        "their configs; how many are compared is decided anew", path / STUDY, PLAN,
    )  # fmt: skip


def _begun_in(path: Path) -> list[str]:
    """Names of the runs of a study."""
    runs = [config.parent.name for config in sorted(path.glob(f"*/{CONFIG}"))]
    return [name for name in runs if not name.startswith(DAMAGED)]


def _told_by_runs(path: Path) -> WrittenStudy:
    cells = {job.name: (job.keys["arm"], _budget_of(job)) for job in _jobs_in(path)}
    alike = {_without_numbers(name): kind for name, kind in cells.items()}
    of_earlier_plans = {
        name: alike[_without_numbers(name)]
        for name in _begun_in(path)
        if _without_numbers(name) in alike
    }
    cells |= of_earlier_plans
    epochs = {arm: count for name, (arm, _) in cells.items() for count in _epochs_of(path / name)}
    return WrittenStudy(cells=cells, pretrain_epochs=epochs)


def _jobs_in(path: Path) -> list[Job]:
    try:
        return [job for job in SweepFolder(path).jobs() if "arm" in job.keys]
    except (ModelFileError, StorageError):
        return []


def _budget_of(job: Job) -> str:
    word = next((word for word in job.words if word.startswith(_OF_LABELS)), "")
    try:
        return title_of(word)
    except ValueError:
        return word  # which no study has written


def _without_numbers(name: str) -> str:
    """The name of a run without what runs of one arm and budget differ in, and without its hash."""
    return re.sub(r"(draw|seed|fold)-\d+", r"\1", name.rpartition("-")[0])


def _epochs_of(run: Path) -> Iterator[int]:
    """Of its pretraining, if its config is whole and says so."""
    try:
        refuse_other_config(run)
        epochs = read_config(run)["pretrain"].get("epochs") if is_file(run / CONFIG) else None
    except (ModelFileError, StorageError):
        return
    if isinstance(epochs, int) and epochs > 0:
        yield epochs


def measured_in(path: Path, earlier: WrittenStudy) -> Measured:
    """By the runs in the folder of the study: the mean of what each kind of cell took."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for name, kind in earlier.cells.items():
        if is_finished(path / name):
            seconds.setdefault(kind, []).extend(_seconds_of(path / name))
    return {kind: sum(times) / len(times) for kind, times in seconds.items() if times}


def _seconds_of(run: Path) -> Iterator[float]:
    """What a run took, unless that is damaged: then it will be done again."""
    try:
        yield own_seconds_in(read_environment(run))
    except (ModelFileError, StorageError):
        return


def epochs_before(settings: StudySettings, earlier: WrittenStudy) -> Mapping[str, int]:
    """Of pretraining by arm, as the first call has set them; empty where none has."""
    asked = earlier.asked or {"pretrain_minutes": settings.pretrain_minutes}
    same = asked.get("pretrain_minutes") == settings.pretrain_minutes
    return earlier.pretrain_epochs if same else {}


def planned_before(settings: StudySettings, whole: Extent, earlier: WrittenStudy) -> Extent | None:
    """What an earlier call with the same keys has planned, though it measured another speed.

    None where it has planned nothing, or what is no part of what these keys ask for.
    """
    if earlier.asked != settings.model_dump(mode="json"):
        return None
    planned = replace(
        whole,
        arms=tuple(arm for arm in whole.arms if arm.name in earlier.arms),
        budgets=tuple(one for one in whole.budgets if one.title in earlier.budgets),
        draws=earlier.draws,
        more_draws=earlier.more_draws,
        repeats=earlier.repeats,
    )
    most = MOST_DRAWS if settings.draws is None else 0
    few = all(earlier.draws + more <= most for more in earlier.more_draws.values())
    return planned if few and planned.is_part_of(whole) else None
