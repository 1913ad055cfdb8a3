"""The whole program: pretrain, encode, classify, evaluate, write."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import ae_cls.report.run_figures as figures
from ae_cls.bench.compare import compare
from ae_cls.bench.description import Benchmark
from ae_cls.encode import Encoder
from ae_cls.evaluation import evaluate_classifier, label_counts, protocol, reconstruction
from ae_cls.experiment import Classification, Experiment, Pretraining
from ae_cls.head.task import Task
from ae_cls.prepared import Prepared, prepare, refuse_without_labels
from ae_cls.pretrain import EpochRecord
from ae_cls.stopwatch import Stopwatch
from ae_cls.store.encoder_run import read_encoder_run
from ae_cls.store.environment import environment
from ae_cls.store.files import write_json
from ae_cls.store.model import save_model, weights_sha256
from ae_cls.store.run_files import write_history, write_predictions, write_split
from ae_cls.store.run_folder import run_folder

log = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Result:
    """What a command leaves behind.

    Attributes:
        folder: the run folder.
        metrics: as in metrics.json.
        seconds: of each stage.
    """

    folder: Path
    metrics: dict[str, Any]
    seconds: dict[str, float]


def run(experiment: Experiment) -> Result:
    """Pretrain, encode, classify, evaluate: the main job."""
    prepared = prepare(experiment)
    refuse_without_labels(prepared)
    stopwatch = Stopwatch()
    with run_folder(experiment.outputs, experiment.folder, experiment.words()) as folder:
        write_json(folder / "config.json", experiment.model_dump(mode="json"))
        history = learn_without_labels(experiment.pretraining(), prepared, stopwatch)
        return classify_and_report(experiment, prepared, history, stopwatch, folder, {})


def pretrain(pretraining: Pretraining) -> Result:
    """The first stage alone; the run folder's model can be given to `classify`."""
    prepared, stopwatch = prepare(pretraining), Stopwatch()
    with run_folder(pretraining.outputs, pretraining.folder, pretraining.words()) as folder:
        write_json(folder / "config.json", pretraining.model_dump(mode="json"))
        history = learn_without_labels(pretraining, prepared, stopwatch)
        with stopwatch.stage("evaluate"):
            metrics: dict[str, Any] = {
                "reconstruction": reconstruction(prepared, "valid"),
                "protocol": protocol(pretraining, prepared),
                "encoder": {"weights_sha256": weights_sha256(prepared.model)},
            }
        names = prepared.dataset.class_names
        save_model(folder / "model", pretraining, prepared.model, class_names=names, head=None)
        figures.write_pretraining(folder / "figures", prepared, history, seed=pretraining.seed)
        return _written(folder, prepared, metrics, history, stopwatch)


def classify(classification: Classification) -> Result:
    """The stages after pretraining, on the encoder of an earlier run."""
    source = read_encoder_run(Path(classification.encoder))
    experiment = classification.on(source.pretraining)
    prepared = source.into(prepare(experiment))
    refuse_without_labels(prepared)
    with run_folder(experiment.outputs, experiment.folder, experiment.words()) as folder:
        write_json(folder / "config.json", experiment.model_dump(mode="json"))
        origin = {"from_run": source.folder.name}
        return classify_and_report(experiment, prepared, [], Stopwatch(), folder, origin)


def bench(benchmark: Benchmark) -> Result:
    """How fast this machine trains; its metrics are what bench.json holds."""
    return Result(*compare(benchmark))


COMMANDS = {"run": run, "pretrain": pretrain, "classify": classify, "bench": bench}
"""Word on the command line: what it does."""


def learn_without_labels(
    pretraining: Pretraining, prepared: Prepared, stopwatch: Stopwatch
) -> list[EpochRecord]:
    """Train the prepared network in place on all training images; labels are not even passed."""
    train, valid = prepared.images(prepared.split.pretrain), prepared.images(prepared.split.valid)
    log.info("pretrain: %s on %d images", pretraining.autoencoder.name, len(train))
    with stopwatch.stage("pretrain"):
        return pretraining.pretrain.fit(
            prepared.model,
            train,
            valid,
            mirrored_is_same=prepared.dataset.mirrored_is_same,
            seed=pretraining.seed,
            compute=prepared.compute,
        )


def classify_and_report(
    experiment: Experiment,
    prepared: Prepared,
    history: list[EpochRecord],
    stopwatch: Stopwatch,
    folder: Path,
    origin: dict[str, Any],
) -> Result:
    """Fit the head on the labelled rows, read the test part once, write the run folder."""
    before = weights_sha256(prepared.model)
    learned = experiment.head.classify(_task(experiment, prepared, stopwatch))
    # A head must leave the encoder it was given as it was, buffers of batch norm included.
    assert weights_sha256(prepared.model) == before
    classifier, history = learned.classifier, [*history, *learned.history]
    with stopwatch.stage("evaluate"):
        scored = evaluate_classifier(classifier, prepared)
        metrics = {
            **scored.as_metrics(),
            "reconstruction": reconstruction(prepared, "test"),
            "labels": label_counts(prepared),
            "protocol": protocol(experiment, prepared),
            "encoder": {"weights_sha256": before, **origin},
            "head": dict(classifier.head.facts),
        }
    names = prepared.dataset.class_names
    save_model(
        folder / "model", experiment, classifier.encoder.model, class_names=names,
        head=classifier.head,
    )  # fmt: skip
    write_predictions(folder, prepared.dataset, prepared.split, scored.test_probabilities)
    figures.write_pretraining(folder / "figures", prepared, history, seed=experiment.seed)
    figures.write_classification(folder / "figures", prepared, scored)
    return _written(folder, prepared, metrics, history, stopwatch)


def _task(experiment: Experiment, prepared: Prepared, stopwatch: Stopwatch) -> Task:
    return Task(
        encoder=Encoder(prepared.model, experiment.encode, prepared.compute),
        train=prepared.labelled(prepared.split.labelled),
        valid=prepared.labelled(prepared.split.valid),
        class_names=prepared.dataset.class_names,
        mirrored_is_same=prepared.dataset.mirrored_is_same,
        seed=experiment.seed,
        stopwatch=stopwatch,
    )


def _written(
    folder: Path,
    prepared: Prepared,
    metrics: dict[str, Any],
    history: list[EpochRecord],
    stopwatch: Stopwatch,
) -> Result:
    """Write what every command leaves behind; metrics.json last: it tells of a whole run."""
    write_split(folder, prepared.split)
    write_history(folder, history)
    write_json(folder / "environment.json", environment(prepared.compute, stopwatch.seconds))
    write_json(folder / "metrics.json", metrics)
    for warning in metrics.get("warnings", []):
        log.warning("%s", warning)
    return Result(folder, metrics, dict(stopwatch.seconds))
