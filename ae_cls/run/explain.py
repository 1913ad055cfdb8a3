"""Which stages of a run would be taken from the store, and why the others not."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ae_cls.experiment.descriptions import Classification, Experiment, Pretraining
from ae_cls.run.data import Data, prepare
from ae_cls.run.stages import Pretrain, Stage, Trained, stages_after_pretraining
from ae_cls.run.work import store_root
from ae_cls.saved.encoder_run import read_encoder_run
from ae_cls.store.entries import Nearest, Store


@final
@dataclass(frozen=True)
class Explained:
    """What would happen to one stage.

    Attributes:
        title: its name, with the part of the data where it has one.
        state: kept, partly done, or to be made; that it follows from what is to be made.
        name: of its key; empty where that is not known yet.
        nearest: the kept output that differs least, where this one is to be made.
    """

    title: str
    state: str
    name: str
    nearest: Nearest | None


def explain(description: Experiment | Pretraining | Classification) -> list[Explained]:
    """The stages of what is described, in their order; nothing is made.

    Raises:
        UsageError: what is described cannot be carried out.
        DataError: the data set is missing or unreadable.
        ModelFileError: the encoder to classify with is damaged.
    """
    if not isinstance(description, Classification):
        return list(_from_the_start(description, prepare(description)))
    source = read_encoder_run(Path(description.encoder))
    experiment = source.experiment(description)
    data = prepare(experiment, source)
    data = data.with_encoder_from(source, may_be_other=description.names_data)
    trained = Trained(*source.model(data.compute))
    store = _store_of(experiment)
    return [
        _explained(store, stage) for stage in stages_after_pretraining(experiment, data, trained)
    ]


def _from_the_start(description: Experiment | Pretraining, data: Data) -> Iterator[Explained]:
    store, pretrain = _store_of(description), Pretrain(description, data)
    first = _explained(store, pretrain)
    yield first
    if first.state == "kept":
        trained = pretrain.load(store.folder(pretrain.key()))
        for stage in stages_after_pretraining(description, data, trained):
            yield _explained(store, stage)
    else:
        unknown = Trained(data.network, "")
        for stage in stages_after_pretraining(description, data, unknown):
            yield Explained(stage.title, f"follows from {pretrain.title}", "", None)


def _store_of(description: Experiment | Pretraining) -> Store:
    """Of a run with a store of its own: in its folder; a new folder has none yet."""
    return Store(store_root(description, Path(description.folder or "a new folder")))


def _explained(store: Store, stage: Stage) -> Explained:
    key = stage.key()
    if store.is_whole(key):
        return Explained(stage.title, "kept", key.name, None)
    unfinished = any(store.unfinished(key).glob("*.safetensors"))
    state = "partly done, will resume" if unfinished else "to be made"
    return Explained(stage.title, state, key.name, store.nearest(key))


def lines(stages: list[Explained]) -> list[str]:
    """A line a stage; below one that is to be made, what differs from the nearest."""
    text: list[str] = []
    for stage in stages:
        text.append(f"{stage.title:<13} {stage.state:<24} {stage.name}".rstrip())
        if stage.nearest is not None:
            text.append(f"{'':<13} nearest is {stage.nearest.name}, which differs in")
            text += [
                f"{'':<15} {change.key}: {_short(change.before)} there, {_short(change.now)} here"
                for change in stage.nearest.changes
            ]
        elif stage.state == "to be made":
            text.append(f"{'':<13} nothing of this stage is kept")
    return text


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 20 else f"{text[:13]}...{text[-3:]}"
