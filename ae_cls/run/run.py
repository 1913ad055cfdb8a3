"""The whole program: pretrain, encode, classify, evaluate, write."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from ae_cls.dataset.split import Part
from ae_cls.experiment.descriptions import Classification, Experiment, Pretraining
from ae_cls.run import figures
from ae_cls.run.data import Data, prepare, refuse_without_labels
from ae_cls.run.environment import environment
from ae_cls.run.features import PartFeatures
from ae_cls.run.files import write_history, write_predictions
from ae_cls.run.repeated_folds import is_small, repeated_folds
from ae_cls.run.scores import (
    evaluate_classifier,
    label_counts,
    labels_read,
    protocol,
    warnings_of,
)
from ae_cls.run.stages import Classify, Figures, Pretrain, Reconstruct, Trained
from ae_cls.run.work import Work, work_on
from ae_cls.saved.encoder_run import read_encoder_run
from ae_cls.saved.model import save_model
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
        kept: stages whose output was kept from an earlier run and not made again.
    """

    folder: Path
    metrics: dict[str, Any]
    seconds: dict[str, float]
    kept: tuple[str, ...] = ()


def run(experiment: Experiment, continued: Mapping[str, str] = NOTHING) -> Result:
    """Pretrain, encode, classify, evaluate: the main job.

    Args:
        experiment: what to do.
        continued: stages.json of a run whose trainings continue here.
    """
    data = prepare(experiment)
    refuse_without_labels(data, test=experiment.test)
    with work_on(experiment, data, {"command": "run"}, continued) as work:
        log.info("pretrain: %s on %s", experiment.autoencoder.name, _count(data))
        trained = work.take(Pretrain(experiment, data))
        return _classify_and_report(experiment, data, trained, work, {})


def pretrain(pretraining: Pretraining, continued: Mapping[str, str] = NOTHING) -> Result:
    """The first stage alone; the run folder's model can be given to `classify`."""
    data = prepare(pretraining)
    with work_on(pretraining, data, {"command": "pretrain"}, continued) as work:
        log.info("pretrain: %s on %s", pretraining.autoencoder.name, _count(data))
        trained = work.take(Pretrain(pretraining, data))
        metrics: dict[str, Any] = {
            **_reconstruction(pretraining, data, trained, "valid", work),
            "protocol": {
                **protocol(pretraining, data),
                "chosen_on": "validation images without their labels",
                **work.continuation(),
            },
            "encoder": {"weights_sha256": trained.weights_sha256},
        }
        pictures = work.take(Figures(pretraining, data, trained))
        with work.stopwatch.stage("report"):
            names, model = data.dataset.class_names, trained.model
            save_model(
                work.folder / "model", pretraining, model, class_names=names, head=None,
                likeness=data.likeness(None, pretraining.seed),
            )  # fmt: skip
            figures.write_pictures(work.folder / "figures", pictures)
        return _written(work, data, metrics, trained.history)


def classify(classification: Classification) -> Result:
    """The stages after pretraining, on the encoder of an earlier run."""
    source = read_encoder_run(Path(classification.encoder))
    return classify_on(source.folder, classification.on(source.pretraining), NOTHING)


def classify_on(encoder: Path, experiment: Experiment, continued: Mapping[str, str]) -> Result:
    """The stages after pretraining of this experiment, on the encoder of the run in that folder."""
    source = read_encoder_run(encoder)
    data = prepare(experiment)
    model, weights = source.model_for(data.dataset, data.split, data.compute)
    refuse_without_labels(data, test=experiment.test)
    facts = {"command": "classify", "encoder": str(source.folder.resolve())}
    with work_on(experiment, data, facts, continued) as work:
        origin = {"from_run": source.folder.name}
        return _classify_and_report(experiment, data, Trained(model, weights), work, origin)


def _classify_and_report(
    experiment: Experiment, data: Data, trained: Trained, work: Work, origin: dict[str, Any]
) -> Result:
    """Fit the head on the labelled rows, read the test part once or never, write the run folder."""
    features = PartFeatures(experiment, data, trained, work)
    learned = work.take(Classify(experiment, data, trained, features.to_learn_from))
    classifier, history = learned.classifier, [*trained.history, *learned.history]
    with work.stopwatch.stage("evaluate"):
        scored = evaluate_classifier(
            lambda part: features.probabilities(classifier, part), data, test=experiment.test
        )
    again: dict[str, Any] = {}
    if is_small(experiment, data):
        with work.stopwatch.stage("repeated folds"):
            again = repeated_folds(experiment, data, features.of_labelled)
    metrics = {
        **scored.metrics,
        **({"repeated_folds": again} if again else {}),
        "warnings": warnings_of(experiment, data, scored, again),
        **_reconstruction(experiment, data, trained, scored.part, work),
        "labels": label_counts(data),
        "protocol": {
            **protocol(experiment, data),
            **labels_read(experiment, data, classifier.head),
            **work.continuation(),
        },
        "encoder": {"weights_sha256": trained.weights_sha256, **origin},
        "head": dict(classifier.head.facts),
    }
    pictures = work.take(Figures(experiment, data, trained))
    with work.stopwatch.stage("report"):
        save_model(
            work.folder / "model", experiment, classifier.encoder.model,
            class_names=data.dataset.class_names, head=classifier.head,
            likeness=data.likeness(classifier, experiment.seed),
        )  # fmt: skip
        if experiment.test:
            write_predictions(work.folder, data.dataset, data.split, scored.probabilities)
        figures.write_pictures(work.folder / "figures", pictures)
        if learned.history:  # then the curves go on where those of pretraining end
            figures.write_history(work.folder / "figures", history)
        figures.write_classification(work.folder / "figures", data, scored)
    return _written(work, data, metrics, history)


def _reconstruction(
    description: Experiment | Pretraining, data: Data, trained: Trained, part: Part, work: Work
) -> dict[str, Any]:
    """Empty for a control that does not decode."""
    if not description.autoencoder.decodes:
        return {}
    return {"reconstruction": work.take(Reconstruct(description, data, trained, part))}


def _written(
    work: Work, data: Data, metrics: dict[str, Any], history: Sequence[EpochRecord]
) -> Result:
    """Write what every command leaves behind; metrics.json last: then the run is whole."""
    seconds = work.stopwatch.seconds
    write_history(work.folder, history)
    conditions = environment(data.compute, seconds) | {
        "stages": [entry.as_dict() for entry in work.entries],
        "epochs": [record.speed() for record in history],
        "processes": work.followers.world.size,
    }
    write_json(work.folder / "environment.json", conditions)
    write_json(work.folder / "metrics.json", metrics)
    for warning in metrics.get("warnings", []):
        log.warning("%s", warning)
    return Result(work.folder, metrics, dict(seconds), work.kept())


def _count(data: Data) -> str:
    return f"{len(data.split.pretrain)} images"
