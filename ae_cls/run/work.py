"""A run in progress: each stage taken from the store, or made and kept there."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, final

import torch

from ae_cls.errors import ModelFileError
from ae_cls.experiment.common import StagedKeys
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.processes.leader import Followers, followers_of
from ae_cls.processes.rendezvous import world_of
from ae_cls.processes.world import ALONE, World
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.run.data import Data
from ae_cls.run.files import write_split
from ae_cls.run.folder import own_store, run_folder
from ae_cls.run.log import RunLog
from ae_cls.run.others import take_part
from ae_cls.run.stage import Conditions, Stage
from ae_cls.run.stopped import stopped_run
from ae_cls.run.stopwatch import Stopwatch
from ae_cls.saved.data import refuse_other_data
from ae_cls.saved.names import STAGES
from ae_cls.saved.whole import write_sealed
from ae_cls.store.cleaning import tidy
from ae_cls.store.entries import Entry, Store, opened
from ae_cls.store.key import Key
from ae_cls.store.ours import remove_folder
from ae_cls.store.places import shared_store

_LOG = logging.getLogger(__name__)

CONTINUED = "continued_from"
Output = TypeVar("Output")


@final
@dataclass(frozen=True)
class Work:
    """A run in progress.

    Attributes:
        folder: of the run, where it is recorded under which names its stages are kept.
        log: of the run.
        store: where their outputs are kept.
        followers: the processes that train and encode together.
        stopwatch: where the seconds of each stage go.
        checkpoint_seconds: between two checkpoints of a training.
        continued: stages.json of a run whose trainings continue here; empty for a new run.
        entries: what was taken or made so far, in order.
        names: of these, by stage.
        threads: on how many those were computed that had to be made.
    """

    folder: Path
    log: RunLog
    store: Store
    followers: Followers
    stopwatch: Stopwatch
    checkpoint_seconds: float
    continued: Mapping[str, str]
    entries: list[Entry] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    threads: dict[str, int] = field(default_factory=dict)

    def take(self, stage: Stage[Output]) -> Output:
        """The output of a stage, made where the store has none."""
        key = self._key(stage)
        self.names.update(stage.marks() | {stage.name: key.name})
        write_sealed(self.folder / STAGES, self.names)
        with self.stopwatch.stage(stage.name):
            stage.data.compute.on_all_threads()
            while True:
                with self.store.making(key, stage.check) as folder:
                    if folder is not None:
                        with self._together(stage) as world:
                            stage.make(folder, Conditions(self._checkpoints(key), world))
                        self.threads[stage.name] = torch.get_num_threads()
                entry = self.store.entry(key, was_kept=folder is None)
                try:
                    output = stage.load(entry.folder)
                    break
                except (ModelFileError, FileNotFoundError) as error:
                    if not entry.was_kept:
                        raise
                    # It is as its manifest says, and yet not what this stage writes: once more.
                    self.store.set_aside(entry.folder, error)
            self.entries.append(entry)
            if stage.most_bytes is not None and not entry.was_kept:
                tidy(self.store.root, stage.name, stage.most_bytes)
            return output

    def kept(self) -> tuple[str, ...]:
        """The stages of which nothing had to be made."""
        names = dict.fromkeys(entry.key.stage for entry in self.entries)
        made = {entry.key.stage for entry in self.entries if not entry.was_kept}
        return tuple(name for name in names if name not in made)

    def continuation(self) -> dict[str, Any]:
        """What the protocol says of trainings that began in another run; empty without any."""
        origins = {
            entry.key.stage: entry.key.inputs[CONTINUED]
            for entry in self.entries
            if CONTINUED in entry.key.inputs
        }
        return {CONTINUED: origins} if origins else {}

    def _key(self, stage: Stage[Any]) -> Key:
        key = stage.key()
        origin = self.continued.get(stage.name, key.name)
        if origin == key.name or not stage.may_continue(self.continued):
            return key
        return key.with_inputs({CONTINUED: origin})

    @contextmanager
    def _together(self, stage: Stage[Any]) -> Iterator[World]:
        """The processes that make the stage: all of the run, or this one alone."""
        if not stage.is_made_together:
            yield ALONE
            return
        with self.followers.called(stage.title):
            yield self.followers.world

    def _checkpoints(self, key: Key) -> CheckpointFolder:
        origin = key.inputs.get(CONTINUED)
        places = self.store.places_of(key.stage, str(origin)) if origin else ()
        return CheckpointFolder(
            self.store.unfinished(key),
            of=f"{key.stage}-{key.name}",
            every=self.checkpoint_seconds,
            elsewhere=dict.fromkeys(places, f"{key.stage}-{origin}"),
        )


@contextmanager
def work_on(
    description: Experiment | Pretraining,
    data: Data,
    facts: Mapping[str, Any],
    continued: Mapping[str, str],
) -> Iterator[Work]:
    """The run folder, the store and the other processes, for as long as the run takes.

    The same run that was stopped goes on in its own folder. A run that is continued is given the
    data that it was given before, or refused.

    Args:
        description: of the run.
        data: what it reads.
        facts: what status.json says throughout.
        continued: stages.json of a run whose trainings continue here.
    """
    with run_folder(_in_its_folder(description, data, facts, continued), facts) as folder:
        refuse_other_data(folder.path, data.dataset, data.split)
        write_split(folder.path, data.dataset, data.split, data.seen_by_encoder)
        stopwatch, root = Stopwatch(folder.enter), store_root(description, folder.path)
        world = world_of(description.devices)
        followers = followers_of(
            world, data.compute.device, description.fixed_threads, take_part,
            description.model_dump_json(),
        )  # fmt: skip
        with opened(root) as store, followers as others:
            yield Work(
                folder.path, folder.log, store, others, stopwatch,
                description.checkpoint_seconds, continued,
            )  # fmt: skip
        if description.store == "own":
            remove_folder(root, within=folder.path)


def _in_its_folder(
    description: Experiment | Pretraining,
    data: Data,
    facts: Mapping[str, Any],
    continued: Mapping[str, str],
) -> Experiment | Pretraining:
    """The description with the folder of the same run that was stopped, where it names none."""
    if description.folder or continued:
        return description
    folder = stopped_run(description, facts, data)
    if folder is None:
        return description
    _LOG.info("this run was stopped before and goes on in %s", folder)
    return description.model_copy(update={"folder": str(folder)})


def store_root(description: StagedKeys, folder: Path) -> Path:
    """Where the outputs of a run's stages are kept."""
    return shared_store() if description.store == "shared" else own_store(folder)
