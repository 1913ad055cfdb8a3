"""What Optuna draws, and that it is the same whoever was stopped in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ae_cls.errors import UsageError
from ae_cls.jobs.record import Record
from ae_cls.search.settings import SearchSettings
from ae_cls.search.space import Interval, Space
from ae_cls.search.trials import Ended, Trial, Trials, open_trials

SPACE = Space({"key": Interval(0.0, 1000.0, log=False)})


def settings(trials: int, *, sampler: str = "tpe", jobs: int = 1) -> SearchSettings:
    told = {"sampler": sampler, "trials": trials, "jobs": jobs}
    return SearchSettings.model_validate(
        {**told, "startup_trials": 5, "seed": None, "folder": None}
    )


@contextmanager
def study(
    place: Path, given: SearchSettings, seed: int = 0, identity: str = "this"
) -> Iterator[Trials]:
    with open_trials(
        place / "study.db", SPACE, given, direction="maximize", seed=seed, identity=[identity]
    ) as found:
        yield found


def tell(found: Trials, trial: Trial) -> None:
    """The nearer to 1, the better."""
    score = 1 / (1 + abs(float(trial.drawn["key"]) - 1))
    found.tell(Ended(trial, "job", Record("finished")), score)


def drawn(place: Path, given: SearchSettings, seed: int = 0) -> list[float]:
    """All that a search draws."""
    place.mkdir(exist_ok=True)
    with study(place, given, seed) as found:
        while trials := found.following():
            for trial in trials:
                tell(found, trial)
        return [float(trial.drawn["key"]) for trial in (ended.trial for ended in found.ended())]


def test_tpe_learns_where_it_is_good_and_random_does_not(tmp_path: Path) -> None:
    def near(sampler: str) -> int:
        """Of 2 x 20 trials after the first five; 6 are expected at random."""
        searches = [
            drawn(tmp_path / f"{sampler}{seed}", settings(25, sampler=sampler), seed)
            for seed in range(2)
        ]
        return sum(value < 150 for values in searches for value in values[5:])

    assert near("random") < 12 < near("tpe")


def test_the_first_trials_are_those_of_the_random_sampler(tmp_path: Path) -> None:
    tpe = drawn(tmp_path / "tpe", settings(7))
    random = drawn(tmp_path / "random", settings(7, sampler="random"))
    assert tpe[:5] == random[:5] and tpe[5:] != random[5:]


def test_trials_that_are_drawn_at_one_time_differ(tmp_path: Path) -> None:
    with study(tmp_path, settings(12, jobs=4)) as found:
        for count in (4, 4, 4, 0):
            trials = found.following()
            assert len(trials) == count
            assert len({trial.drawn["key"] for trial in trials}) == count
            for trial in trials:
                tell(found, trial)


def test_trials_left_open_come_first_and_more_are_drawn_beside_them(tmp_path: Path) -> None:
    with study(tmp_path, settings(5, jobs=3)) as found:
        first, second, third = found.following()
        tell(found, second)
    with study(tmp_path, settings(5, jobs=3)) as found:
        again = found.following()
        assert again[:2] == [first, third] and len(again) == 3
        for trial in again:
            tell(found, trial)
        assert len(found.following()) == 1


def test_how_trials_ended_is_read_back(tmp_path: Path) -> None:
    failed = Record("failed", code=4, reason="no memory")
    good = Record("finished", metrics={"valid": {"accuracy": 0.5, "log_loss": 1.25}})
    with study(tmp_path, settings(2)) as found:
        for record, score in ((failed, None), (good, 0.5)):
            (trial,) = found.following()
            found.tell(Ended(trial, "job", record), score)
    with study(tmp_path, settings(2)) as found:
        assert [ended.record for ended in found.ended()] == [failed, good]
        assert not found.following()


def test_a_file_of_another_search_is_refused(tmp_path: Path) -> None:
    with study(tmp_path, settings(1)):
        pass
    with (
        pytest.raises(UsageError, match="another search"),
        study(tmp_path, settings(1), identity="it"),
    ):
        pass
