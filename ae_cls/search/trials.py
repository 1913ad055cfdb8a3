"""The trials of a search, kept by Optuna in one SQLite file."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, final

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from ae_cls.errors import StorageError, UsageError
from ae_cls.jobs.record import Record
from ae_cls.search.settings import SearchSettings
from ae_cls.search.space import Drawn, Space
from ae_cls.store.received import opened

Direction = Literal["maximize", "minimize"]

_NAME = "search"
_IDENTITY = "identity"  # what the study was begun with


@final
@dataclass(frozen=True)
class Trial:
    """A trial that is to be carried out.

    Attributes:
        number: Optuna's, from 0.
        drawn: a value for each searched key.
    """

    number: int
    drawn: Mapping[str, Drawn]


@final
@dataclass(frozen=True)
class Ended:
    """A trial that has ended.

    Attributes:
        trial: what was drawn.
        name: of its job; trials that drew the same config have the same one.
        record: how the job went, with the metrics that the table needs.
    """

    trial: Trial
    name: str
    record: Record


@final
class Trials:
    """Draws trials and remembers how they ended, over any number of calls.

    The sampler draws anew for each trial, by the seed and how many came before. So a search that
    was stopped, however, goes on as if it had not been.
    """

    def __init__(
        self, study: optuna.Study, space: Space, settings: SearchSettings, seed: int
    ) -> None:
        self._study, self._settings, self._seed = study, settings, seed
        self._distributions = space.distributions()

    def ended(self) -> list[Ended]:
        """All trials that have ended, in their order."""
        kept = self._study.user_attrs
        return [
            Ended(_trial(frozen), *_name_and_record(**kept[str(frozen.number)]))
            for frozen in self._drawn()
            if frozen.state.is_finished()
        ]

    def following(self) -> list[Trial]:
        """The next trials to carry out at one time; none when there have been enough.

        Those that an earlier call left come first, and are not drawn again.
        """
        drawn = self._drawn()
        left = [_trial(frozen) for frozen in drawn if frozen.state == TrialState.RUNNING]
        left = left[: self._settings.jobs]
        new = min(self._settings.jobs - len(left), self._settings.trials - len(drawn))
        return [*left, *(self._draw(len(drawn) + place) for place in range(new))]

    def tell(self, ended: Ended, score: float | None) -> None:
        """Write down how a trial ended; without a score it has failed."""
        number, kept = ended.trial.number, {"name": ended.name, "record": asdict(ended.record)}
        self._study.set_user_attr(str(number), kept)
        failed = TrialState.FAIL if score is None else None
        self._study.tell(number, score, state=failed)

    def drop_half_drawn(self) -> None:
        """A process that was killed while it drew leaves a trial that lacks values."""
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if frozen.params.keys() != self._distributions.keys():
                self._study.tell(frozen.number, state=TrialState.FAIL)

    def _drawn(self) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=False)
        wanted = self._distributions.keys()
        return [frozen for frozen in trials if frozen.params.keys() == wanted]

    def _draw(self, place: int) -> Trial:
        self._study.sampler = self._sampler(_seed_of(self._seed, place))
        drawn = self._study.ask(self._distributions)
        return Trial(drawn.number, drawn.params)

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        if self._settings.sampler == "random":
            return optuna.samplers.RandomSampler(seed)
        return optuna.samplers.TPESampler(n_startup_trials=self._settings.startup_trials, seed=seed)


def _seed_of(seed: int, place: int) -> int:
    """The seed of one trial's sampler, of 32 bits."""
    digest = hashlib.sha256(f"{seed}/search/{place}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _name_and_record(name: str, record: dict[str, Any]) -> tuple[str, Record]:
    return name, Record.read(record)


def _trial(frozen: FrozenTrial) -> Trial:
    return Trial(frozen.number, frozen.params)


@contextmanager
def open_trials(
    path: Path,
    space: Space,
    settings: SearchSettings,
    *,
    direction: Direction,
    seed: int,
    identity: Sequence[str],
) -> Iterator[Trials]:
    """The study in a file, which is made where it is missing.

    Args:
        path: the file.
        space: what may be chosen.
        settings: how, and how often.
        direction: whether a large score is good.
        seed: of the sampler.
        identity: all that makes it this search and no other.

    Raises:
        UsageError: the file holds another search.
        ModelFileError: it is no regular file.
        StorageError: it cannot be read or written.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _storage(path) as storage:
        found = optuna.create_study(
            storage=storage, study_name=_NAME, direction=direction, load_if_exists=True
        )
        _refuse_other_search(found, path, identity)
        trials = Trials(found, space, settings, seed)
        trials.drop_half_drawn()
        yield trials


@contextmanager
def _storage(path: Path) -> Iterator[RDBStorage]:
    storage = None
    with suppress(FileNotFoundError):
        opened(path).close()  # SQLite would wait for a pipe
    try:
        storage = RDBStorage(_url(path))
        yield storage
    except (StorageInternalError, SQLAlchemyError) as error:
        raise StorageError(
            "the trials of this search cannot be read or written", where=str(path),
            why=str(error.__cause__ or error).splitlines()[0],
            fix="repair it, or start again in another folder: search.folder=...",
        ) from error  # fmt: skip
    finally:
        if storage:
            storage.remove_session()
            storage.engine.dispose()


def _url(path: Path) -> str:
    url = URL.create("sqlite", database=str(path.resolve()))
    return url.render_as_string().replace("{", "{{").replace("}", "}}")  # Optuna formats it


def _refuse_other_search(study: optuna.Study, path: Path, identity: Sequence[str]) -> None:
    before = study.user_attrs.get(_IDENTITY)
    if before is None:
        study.set_user_attr(_IDENTITY, list(identity))
    elif before != list(identity):
        raise UsageError(
            "this folder holds another search", where=str(path.parent),
            why="\n".join(sorted(set(before) ^ set(identity))),
            fix="another folder, or none: search.folder=...",
        )  # fmt: skip
