"""What earlier calls of a study have left: its folder, its plan, how long its runs took."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ae_cls.experiment.common import HOW, WHERE
from ae_cls.jobs.plan import short_hash
from ae_cls.saved.metrics import read_environment
from ae_cls.saved.status import is_finished
from ae_cls.saved.study import written_study
from ae_cls.study.cells import Extent
from ae_cls.study.cost import Measured, own_seconds_in
from ae_cls.study.request import Request
from ae_cls.study.settings import StudySettings

_MAY_GROW = frozenset({"study.draws", "study.seeds", "study.repeats", "study.minutes"})


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


def measured_in(path: Path) -> Measured:
    """By the runs in the folder of the study: the mean of what each kind of cell took."""
    seconds: dict[tuple[str, str], list[float]] = {}
    titles = written_study(path).cells
    for name, (arm, budget) in titles.items():
        if is_finished(path / name):
            took = own_seconds_in(read_environment(path / name))
            seconds.setdefault((arm, budget), []).append(took)
    return {kind: sum(times) / len(times) for kind, times in seconds.items()}


def epochs_before(path: Path, settings: StudySettings) -> Mapping[str, int]:
    """Of pretraining by arm, as the first call has set them; empty where none has."""
    earlier = written_study(path)
    same = earlier.asked.get("pretrain_minutes") == settings.pretrain_minutes
    return earlier.pretrain_epochs if same else {}


def planned_before(path: Path, settings: StudySettings, whole: Extent) -> Extent | None:
    """What an earlier call with the same keys has planned, though it measured another speed."""
    earlier = written_study(path)
    if earlier.asked != settings.model_dump(mode="json"):
        return None
    return replace(
        whole,
        arms=tuple(arm for arm in whole.arms if arm.name in earlier.arms),
        budgets=tuple(one for one in whole.budgets if one.title in earlier.budgets),
        draws=earlier.draws,
        more_draws=earlier.more_draws,
        repeats=earlier.repeats,
    )
