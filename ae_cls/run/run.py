"""The whole program: pretrain, encode, classify, evaluate, write."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from ae_cls.errors import UsageError
from ae_cls.evaluate.health import head_warnings
from ae_cls.experiment.descriptions import Classification, Experiment, Pretraining
from ae_cls.run import figures
from ae_cls.run.data import (
    Data,
    how_to_classify,
    prepare,
    refuse_unfit_encoder,
    refuse_without_labels,
)
from ae_cls.run.environment import environment
from ae_cls.run.features import PartFeatures
from ae_cls.run.files import write_history, write_predictions
from ae_cls.run.health import health_of, labels_of_another_run, warnings_of_encoder
from ae_cls.run.looks import looks, note_look, reads
from ae_cls.run.repeated_folds import is_small, repeated_folds
from ae_cls.run.scores import (
    evaluate_classifier,
    label_counts,
    labels_read,
    protocol,
    unlabelled_read,
    warnings_of,
)
from ae_cls.run.size import refuse_what_does_not_fit
from ae_cls.run.stages import (
    Classify,
    Figures,
    Pretrain,
    Reconstruct,
    Trained,
    has_learnt_to_rebuild,
)
from ae_cls.run.work import Work, work_on
from ae_cls.saved.encoder_run import EncoderRun, read_encoder_run
from ae_cls.saved.model import save_model
from ae_cls.saved.names import ENVIRONMENT
from ae_cls.store.files import write_json
from ae_cls.train.record import EpochRecord, lost_validations

log = logging.getLogger(__name__)

NOTHING: Mapping[str, str] = MappingProxyType({})
OTHER_DATA = "may_be_other_data"
"""In status.json of `classify`: whether the user chose data other than the encoder's."""


@final
@dataclass(frozen=True)
class Result:
    """What a command leaves behind.

    Attributes:
        folder: the run folder.
        metrics: as in metrics.json.
        seconds: of each stage.
        kept: stages whose output was kept from an earlier run and not made again.
        hint: what to type next; empty where nothing follows.
        test_read_by: different runs that have read this test part on this machine.
        test_reads: how often it was read, equal runs included.
        log_failure: why run.log is incomplete; empty where it is.
    """

    folder: Path
    metrics: dict[str, Any]
    seconds: dict[str, float]
    kept: tuple[str, ...] = ()
    hint: str = ""
    test_read_by: int = 0
    test_reads: int = 0
    log_failure: str = ""


def run(experiment: Experiment, continued: Mapping[str, str] = NOTHING) -> Result:
    """Pretrain, encode, classify, evaluate: the main job.

    Args:
        experiment: what to do.
        continued: stages.json of a run whose trainings continue here.
    """
    data = prepare(experiment)
    refuse_without_labels(data, test=experiment.test)
    refuse_unfit_encoder(experiment, data)
    refuse_what_does_not_fit(experiment, data)
    with work_on(experiment, data, {"command": "run"}, continued) as work:
        log.info("pretrain: %s on %s", experiment.autoencoder.name, _count(data))
        trained = work.take(Pretrain(experiment, data))
        return _classify_and_report(experiment, data, trained, work, {})


def pretrain(pretraining: Pretraining, continued: Mapping[str, str] = NOTHING) -> Result:
    """The first stage alone; the run folder's model can be given to `classify`.

    Raises:
        UsageError: a probe is asked for, and there are no labels to read.
    """
    _refuse_a_probe(pretraining)
    data = prepare(pretraining)
    refuse_what_does_not_fit(pretraining, data)
    with work_on(pretraining, data, {"command": "pretrain"}, continued) as work:
        log.info("pretrain: %s on %s", pretraining.autoencoder.name, _count(data))
        trained = work.take(Pretrain(pretraining, data))
        measured = _measured(pretraining, data, trained, work)
        metrics: dict[str, Any] = {
            "warnings": warnings_of_encoder(data, measured),
            **measured,
            "protocol": {
                **protocol(pretraining, data),
                "chosen_on": "validation images without their labels",
                **work.continuation(),
            },
            "encoder": {"weights_sha256": trained.weights_sha256},
        }
        pictures = _pictures(pretraining, data, trained, work)
        with work.stopwatch.stage("report"):
            names, model = data.dataset.class_names, trained.model
            save_model(
                work.folder / "model", pretraining, model, class_names=names, head=None,
                likeness=data.likeness(None, pretraining.seed),
            )  # fmt: skip
            if pretraining.figures:
                figures.write_pictures(work.folder / "figures", pictures)
        result = _written(work, data, metrics, trained.history)
    return replace(result, hint=how_to_classify(result.folder, data))


def _refuse_a_probe(pretraining: Pretraining) -> None:
    if pretraining.pretrain.reads_labels:
        raise UsageError(
            "ae-cls pretrain reads no labels, and a probe needs some", where="pretrain.probe_every",
            fix="ae-cls run with the same words: it has labels; or pretrain.probe_every=null",
        )  # fmt: skip


def classify(classification: Classification) -> Result:
    """The stages after pretraining, on the encoder of an earlier run."""
    source = read_encoder_run(Path(classification.encoder))
    experiment = source.experiment(classification)
    return classify_on(source, experiment, NOTHING, may_be_other=classification.names_data)


def classify_on(
    source: EncoderRun, experiment: Experiment, continued: Mapping[str, str], *, may_be_other: bool
) -> Result:
    """The stages after pretraining of this experiment, on the encoder of an earlier run.

    Args:
        source: the run.
        experiment: what to do.
        continued: stages.json of a run whose trainings continue here.
        may_be_other: whether the data may be others than that run was given.
    """
    data = prepare(experiment, source).with_encoder_from(source, may_be_other=may_be_other)
    model, weights = source.model(data.compute)
    refuse_without_labels(data, test=experiment.test, encoder=source.folder)
    refuse_unfit_encoder(experiment, data)
    refuse_what_does_not_fit(experiment, data, is_trained=True)
    facts = {
        "command": "classify",
        "encoder": str(source.folder.resolve()),
        OTHER_DATA: may_be_other,
    }
    with work_on(experiment, data, facts, continued) as work:
        origin = {"from_run": source.folder.name}
        return _classify_and_report(experiment, data, Trained(model, weights), work, origin)


def _classify_and_report(
    experiment: Experiment, data: Data, trained: Trained, work: Work, origin: dict[str, Any]
) -> Result:
    """Fit the head on the labelled rows, read the test part once or never, write the run folder."""
    features = PartFeatures(experiment, data, trained, work)
    classify = Classify(experiment, data, trained, features.to_learn_from, features.pool)
    learned = work.take(classify)
    classifier, history = learned.classifier, [*trained.history, *learned.history]
    with work.stopwatch.stage("evaluate"):
        if experiment.test:
            note_look(experiment, data, trained.weights_sha256)
        scored = evaluate_classifier(
            lambda part: features.probabilities(classifier, part), data, test=experiment.test
        )
    again: dict[str, Any] = {}
    if is_small(experiment, data):
        with work.stopwatch.stage("repeated folds"):
            again = repeated_folds(experiment, data, features.of_labelled)
    measured = _measured(experiment, data, trained, work)
    variety = None if experiment.head.trains_encoder else features.variety()
    doubts = [
        *warnings_of_encoder(data, measured, variety),
        *(labels_of_another_run(experiment) if origin else []),
        *head_warnings(classifier.head.facts),
        *experiment.head.beyond(len(data.split.labelled)),
    ]
    metrics = {
        **scored.metrics,
        **({"repeated_folds": again} if again else {}),
        "warnings": [*warnings_of(experiment, data, scored, again), *doubts],
        **measured,
        "labels": label_counts(data),
        "protocol": {
            **protocol(experiment, data),
            **labels_read(experiment, data, classifier.head),
            **unlabelled_read(classifier.head),
            **work.continuation(),
        },
        "encoder": {
            "weights_sha256": trained.weights_sha256,
            **origin,
            **(asdict(variety) if variety else {}),
        },
        "head": dict(classifier.head.facts),
    }
    pictures = _pictures(experiment, data, trained, work)
    with work.stopwatch.stage("report"):
        save_model(
            work.folder / "model", experiment, classifier.encoder.model,
            class_names=data.dataset.class_names, head=classifier.head,
            likeness=data.likeness(classifier, experiment.seed),
        )  # fmt: skip
        if experiment.test:
            write_predictions(work.folder, data.dataset, data.split, scored.probabilities)
        if experiment.figures:
            figures.write_pictures(work.folder / "figures", pictures)
            if learned.history:  # then the curves go on where those of pretraining end
                figures.write_history(work.folder / "figures", history)
            figures.write_classification(work.folder / "figures", data, scored)
            if experiment.head.answers_with_code:  # then the classes of the code have got names
                figures.write_samples(
                    work.folder / "figures", classifier.encoder.model, data.compute.device,
                    seed=experiment.seed, class_names=data.dataset.class_names,
                )  # fmt: skip
    return _written(work, data, metrics, history)


def _measured(
    description: Experiment | Pretraining, data: Data, trained: Trained, work: Work
) -> dict[str, Any]:
    """Of the pretrained network: its health after training, and how it rebuilds images."""
    health = health_of(trained.history)
    fine_tuned = isinstance(description, Experiment) and description.head.trains_encoder
    # Random weights, some controls and what a head fine-tunes rebuild nothing.
    if fine_tuned or not has_learnt_to_rebuild(description):
        return health
    return {**health, "reconstruction": work.take(Reconstruct(description, data, trained))}


def _pictures(
    description: Experiment | Pretraining, data: Data, trained: Trained, work: Work
) -> dict[str, bytes]:
    """Of the pretrained network, where figures are wanted."""
    return work.take(Figures(description, data, trained)) if description.figures else {}


def _written(
    work: Work, data: Data, metrics: dict[str, Any], history: Sequence[EpochRecord]
) -> Result:
    """Write what every command leaves behind; metrics.json last: then the run is whole."""
    seconds, test_read_by, test_reads = work.stopwatch.seconds, looks(data), reads(data)
    metrics = {**metrics, "warnings": [*metrics["warnings"], *lost_validations(history)]}
    write_history(work.folder, history)
    conditions = environment(data.compute, seconds) | {
        "stages": [entry.as_dict() for entry in work.entries],
        "epochs": [record.speed() for record in history],
        "threads_of_stages": work.threads,
        "processes": work.followers.world.size,
        "test_read_by": test_read_by,
        "test_reads": test_reads,
    }
    write_json(work.folder / ENVIRONMENT, conditions)
    write_json(work.folder / "metrics.json", metrics)
    for warning in metrics["warnings"]:
        log.warning("%s", warning)
    return Result(
        work.folder, metrics, dict(seconds), work.kept(),
        test_read_by=test_read_by, test_reads=test_reads, log_failure=work.log.failure,
    )  # fmt: skip


def _count(data: Data) -> str:
    return f"{len(data.split.pretrain):,} images"
