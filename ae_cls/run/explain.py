"""Which stages of a run would be taken from the store, and why the others not."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from ae_cls.dataset.split import Part
from ae_cls.experiment.descriptions import Classification, Experiment, Pretraining
from ae_cls.run.data import Prepared, prepare
from ae_cls.run.keys import classify_key, draw_key, encode_key, pretrain_key
from ae_cls.run.stages import WEIGHTS, read_history
from ae_cls.saved.encoder_run import read_encoder_run
from ae_cls.store.entries import Nearest, Store
from ae_cls.store.key import Key
from ae_cls.store.manifest import hashes_in
from ae_cls.store.places import shared_store
from ae_cls.store.weights import weights_sha256
from ae_cls.train.record import EpochRecord

PARTS: tuple[Part, ...] = ("train", "valid", "test")


@final
@dataclass(frozen=True)
class Explained:
    """What would happen to one stage.

    Attributes:
        stage: its name, with the part of the data where it has one.
        state: kept, unfinished, to be made; unknown where it follows from what is to be made.
        name: of its key; empty where that is not known yet.
        nearest: the kept output that differs least, where this one is to be made.
    """

    stage: str
    state: str
    name: str
    nearest: Nearest | None


def explain(described: Experiment | Pretraining | Classification) -> list[Explained]:
    """The stages of what is described, in their order; nothing is made.

    Raises:
        UsageError: what is described cannot be carried out.
        DataError: the data set is missing or unreadable.
        ModelFileError: the encoder to classify with is damaged.
    """
    if isinstance(described, Classification):
        source = read_encoder_run(Path(described.encoder))
        experiment = described.on(source.pretraining)
        prepared = prepare(experiment)
        prepared = replace(prepared, model=source.model_for(prepared.split, prepared.compute))
        store = Store(shared_store())
        return list(_after(store, experiment, prepared, weights_sha256(prepared.model), []))
    prepared = prepare(described)
    return list(_from_the_start(Store(shared_store()), described, prepared))


def _from_the_start(
    store: Store, described: Experiment | Pretraining, prepared: Prepared
) -> Iterator[Explained]:
    key = pretrain_key(described, prepared)
    first = _explained(store, key, "pretrain")
    yield first
    if isinstance(described, Pretraining):
        later = ["draw"]
    else:
        later = [*_encodings(described), "classify", "draw"]
    if first.state != "kept":
        yield from (Explained(stage, "follows from pretrain", "", None) for stage in later)
        return
    weights = hashes_in(store.folder(key))[WEIGHTS]
    history = read_history(store.folder(key))
    if isinstance(described, Pretraining):
        yield _explained(store, draw_key(described, prepared, weights, history), "draw")
    else:
        yield from _after(store, described, prepared, weights, history)


def _after(
    store: Store,
    experiment: Experiment,
    prepared: Prepared,
    weights: str,
    history: list[EpochRecord],
) -> Iterator[Explained]:
    if not experiment.head.trains_encoder:
        for part in PARTS:
            key = encode_key(experiment, prepared, weights, part)
            yield _explained(store, key, f"encode {part}")
    yield _explained(store, classify_key(experiment, prepared, weights), "classify")
    yield _explained(store, draw_key(experiment, prepared, weights, history), "draw")


def _encodings(experiment: Experiment) -> list[str]:
    return [] if experiment.head.trains_encoder else [f"encode {part}" for part in PARTS]


def _explained(store: Store, key: Key, stage: str) -> Explained:
    if store.is_whole(key):
        return Explained(stage, "kept", key.name, None)
    unfinished = any(store.unfinished(key).glob("*.safetensors"))
    state = "unfinished, goes on" if unfinished else "to be made"
    return Explained(stage, state, key.name, store.nearest(key))


def lines(explained: list[Explained]) -> list[str]:
    """A line a stage; below one that is to be made, what differs from the nearest."""
    found: list[str] = []
    for each in explained:
        found.append(f"{each.stage:<13} {each.state:<22} {each.name}".rstrip())
        if each.nearest is not None:
            found.append(f"{'':<13} nearest is {each.nearest.name}, which differs in")
            found += [
                f"{'':<15} {change.key}: {_short(change.before)} there, {_short(change.now)} here"
                for change in each.nearest.changes
            ]
        elif each.state == "to be made":
            found.append(f"{'':<13} nothing of this stage is kept")
    return found


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 20 else f"{text[:13]}...{text[-3:]}"
