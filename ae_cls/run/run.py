"""The whole program: pretrain, encode, classify, evaluate, write."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from ae_cls.experiment.common import CommonKeys
from ae_cls.experiment.descriptions import Classification, Experiment, Pretraining
from ae_cls.processes.crew import crew_of
from ae_cls.processes.helper import be_silent, leave_signals_to
from ae_cls.processes.launch import launched
from ae_cls.processes.meeting import world_of
from ae_cls.run import figures as figures
from ae_cls.run.data import Prepared, prepare, refuse_without_labels
from ae_cls.run.environment import environment
from ae_cls.run.files import write_history, write_predictions, write_split
from ae_cls.run.folder import run_folder
from ae_cls.run.scores import evaluate_classifier, label_counts, protocol
from ae_cls.run.shared_work import help_first
from ae_cls.run.stages import Stages
from ae_cls.run.stopwatch import Stopwatch
from ae_cls.run.store_folder import store_folder
from ae_cls.saved.encoder_run import read_encoder_run
from ae_cls.saved.model import save_model
from ae_cls.store.entries import opened
from ae_cls.store.files import write_json
from ae_cls.train.record import EpochRecord

log = logging.getLogger(__name__)

NOTHING: Mapping[str, str] = MappingProxyType({})


@final
@dataclass(frozen=True)
class Result:
    """What a command leaves behind.

    Attributes:
        folder: the run folder.
        metrics: as in metrics.json.
        seconds: of each stage.
        kept: stages whose output had been kept from earlier and was not made again.
    """

    folder: Path
    metrics: dict[str, Any]
    seconds: dict[str, float]
    kept: tuple[str, ...] = ()


def run(experiment: Experiment, continued: Mapping[str, str] = NOTHING) -> Result:
    """Pretrain, encode, classify, evaluate: the main job.

    Args:
        experiment: what to do.
        continued: stage: name of the entry whose training goes on, where that is another one.
    """
    prepared = prepare(experiment)
    refuse_without_labels(prepared, test=experiment.test)
    with _begun(experiment, prepared, {"command": "run"}, continued) as work:
        return classify_and_report(experiment, work, learn_without_labels(experiment, work), {})


def pretrain(pretraining: Pretraining, continued: Mapping[str, str] = NOTHING) -> Result:
    """The first stage alone; the run folder's model can be given to `classify`."""
    prepared = prepare(pretraining)
    with _begun(pretraining, prepared, {"command": "pretrain"}, continued) as work:
        history = learn_without_labels(pretraining, work)
        with work.stopwatch.stage("evaluate"):
            metrics: dict[str, Any] = {
                **work.stages.reconstruction(pretraining, "valid"),
                "protocol": protocol(pretraining, prepared) | work.stages.continuation(),
                "encoder": {"weights_sha256": work.stages.weights},
            }
        with work.stopwatch.stage("report"):
            names, folder = prepared.dataset.class_names, work.folder
            save_model(folder / "model", pretraining, prepared.model, class_names=names, head=None)
            work.stages.draw(pretraining, history, folder / "figures")
        return _written(work, metrics, history)


def classify(classification: Classification) -> Result:
    """The stages after pretraining, on the encoder of an earlier run."""
    source = read_encoder_run(Path(classification.encoder))
    return classify_on(source.folder, classification.on(source.pretraining), NOTHING)


def classify_on(encoder: Path, experiment: Experiment, continued: Mapping[str, str]) -> Result:
    """The stages after pretraining of this experiment, on the encoder of the run in that folder."""
    source = read_encoder_run(encoder)
    prepared = prepare(experiment)
    prepared = replace(prepared, model=source.model_for(prepared.split, prepared.compute))
    refuse_without_labels(prepared, test=experiment.test)
    facts = {"command": "classify", "encoder": str(source.folder.resolve())}
    with _begun(experiment, prepared, facts, continued) as work:
        return classify_and_report(experiment, work, [], {"from_run": source.folder.name})


def helped(described: CommonKeys) -> bool:
    """Whether this is a process of several that is not the first; then its work is done, too.

    Raises:
        TrainingError: another process ended before its time.
    """
    launch = launched(os.environ)
    if launch is None or launch.world.is_first:
        return False
    be_silent()
    leave_signals_to(None)
    if isinstance(described, Classification):
        described = described.on(read_encoder_run(Path(described.encoder)).pretraining)
    help_first(described.model_dump_json())
    return True


@final
@dataclass(frozen=True)
class Work:
    """A run that goes on: its folder, what it reads, where its stages are kept."""

    folder: Path
    prepared: Prepared
    stages: Stages
    stopwatch: Stopwatch


@contextmanager
def _begun(
    described: Experiment | Pretraining,
    prepared: Prepared,
    facts: Mapping[str, Any],
    continued: Mapping[str, str],
) -> Iterator[Work]:
    with run_folder(described, facts) as folder:
        stopwatch, root = Stopwatch(folder.enter), store_folder(described, folder.path)
        world, told = world_of(described.devices), described.model_dump_json()
        device = prepared.compute.device
        with (
            opened(root) as store,
            crew_of(world, device, described.threads, help_first, told) as crew,
        ):
            stages = Stages(
                store, crew, prepared, stopwatch, folder.path, described.checkpoint_seconds,
                continued,
            )  # fmt: skip
            yield Work(folder.path, prepared, stages, stopwatch)
        if described.store == "own":
            shutil.rmtree(root, ignore_errors=True)


def learn_without_labels(description: Experiment | Pretraining, work: Work) -> list[EpochRecord]:
    """Train the prepared network in place on all training images; labels are not even passed."""
    count = len(work.prepared.split.pretrain)
    log.info("pretrain: %s on %d images", description.autoencoder.name, count)
    return work.stages.pretrain(description)


def classify_and_report(
    experiment: Experiment, work: Work, pretrained: list[EpochRecord], origin: dict[str, Any]
) -> Result:
    """Fit the head on the labelled rows, read the test part once or never, write the run folder."""
    prepared, folder = work.prepared, work.folder
    features = work.stages.features(experiment)
    classified = work.stages.classify(experiment, features)
    classifier, history = classified.classifier, [*pretrained, *classified.history]
    with work.stopwatch.stage("evaluate"):
        scored = evaluate_classifier(classified.probabilities, prepared, test=experiment.test)
        metrics = {
            **scored.as_metrics(),
            **work.stages.reconstruction(experiment, scored.part),
            "labels": label_counts(prepared),
            "protocol": protocol(experiment, prepared) | work.stages.continuation(),
            "encoder": {"weights_sha256": features.weights, **origin},
            "head": dict(classifier.head.facts),
        }
    with work.stopwatch.stage("report"):
        save_model(
            folder / "model", experiment, classifier.encoder.model,
            class_names=prepared.dataset.class_names, head=classifier.head,
        )  # fmt: skip
        if experiment.test:
            write_predictions(folder, prepared.dataset, prepared.split, scored.probabilities)
        work.stages.draw(experiment, pretrained, folder / "figures")
        if classified.history:  # then the curves go on where those of pretraining end
            figures.write_history(folder / "figures", history)
        figures.write_classification(folder / "figures", prepared, scored)
    return _written(work, metrics, history)


def _written(work: Work, metrics: dict[str, Any], history: list[EpochRecord]) -> Result:
    """Write what every command leaves behind; metrics.json last: it tells of a whole run."""
    folder, seconds = work.folder, work.stopwatch.seconds
    write_split(folder, work.prepared.split)
    write_history(folder, history)
    entries = [entry.as_dict() for entry in work.stages.entries]
    told = environment(work.prepared.compute, seconds) | {
        "stages": entries, "epochs": [record.speed() for record in history],
        "processes": work.stages.crew.world.size,
    }  # fmt: skip
    write_json(folder / "environment.json", told)
    write_json(folder / "metrics.json", metrics)
    for warning in metrics.get("warnings", []):
        log.warning("%s", warning)
    return Result(folder, metrics, dict(seconds), work.stages.kept())
