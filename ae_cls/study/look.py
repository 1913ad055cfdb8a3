"""The facts of a study, by reading its data and timing its networks; imports torch."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from ae_cls.dataset.contract import Dataset
from ae_cls.dataset.folds import stratified_folds
from ae_cls.dataset.rows import to_unit
from ae_cls.dataset.split import Split, make_split
from ae_cls.draws import Draws
from ae_cls.errors import UsageError
from ae_cls.experiment.descriptions import Experiment
from ae_cls.experiment.read import read
from ae_cls.pretrain.layerwise import LayerwisePretraining
from ae_cls.run.data import Data, prepare, refuse_without_labels
from ae_cls.run.stages import Pretrain
from ae_cls.store.entries import Store
from ae_cls.store.places import shared_store
from ae_cls.study.facts import MOST_FOLDS, SMALL, ArmFacts
from ae_cls.train.adam import Adam
from ae_cls.train.operations import OperationCounter
from ae_cls.train.schedule import Schedule

_SMALL, _LARGE = 8, 128  # images of a timed batch
_FEWEST_TIMINGS, _TIMED_SECONDS = 3, 0.25  # of each batch at least
# Times the labelled images: pretraining then does without a fifth of what it could see.
_ENOUGH_UNLABELLED = 3


def facts_of(base: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What `Facts` holds, as JSON can.

    Args:
        base: the composed config of a run with the words of the study.
        arms: that of each arm.

    Raises:
        AeClsError: of the data, or of the words of the study.
    """
    logging.getLogger("ae_cls").addHandler(logging.NullHandler())  # the jobs will say it
    experiment = read(Experiment, dict(base))
    data = prepare(experiment)
    refuse_without_labels(data, test=True)
    if shares := _shares_pretraining(experiment, data.dataset):
        data = replace(data, split=_apart_from_labels(experiment, data.dataset))
    found = {name: asdict(_facts_of_arm(plain, data)) for name, plain in arms.items()}
    passes, _ = _passes(experiment, data)
    return {
        **_facts_of_data(data), "shares_pretraining": shares, "passes": passes, "arms": found,
    }  # fmt: skip


def _shares_pretraining(experiment: Experiment, dataset: Dataset) -> bool:
    """Whether there is enough without a label to pretrain on once for all folds."""
    if experiment.split.pretrain_on is not None:
        return experiment.split.pretrain_on == "unlabelled"
    is_small = not len(dataset.test) and len(dataset.train) < SMALL
    return is_small and len(dataset.unlabelled) >= _ENOUGH_UNLABELLED * len(dataset.train)


def _apart_from_labels(experiment: Experiment, dataset: Dataset) -> Split:
    split = experiment.split.model_copy(update={"pretrain_on": "unlabelled"})
    return make_split(dataset, split, experiment.labels, experiment.seed)


def _facts_of_data(data: Data) -> dict[str, Any]:
    dataset, split = data.dataset, data.split
    classes = len(dataset.class_names)
    of_class = np.bincount(dataset.labels_of(split.train), minlength=classes)
    labels, bonds = dataset.labels_of(dataset.train), dataset.bonds[dataset.train]
    folds = stratified_folds(labels, bonds, most=MOST_FOLDS, seed=0, purpose="test")
    return {
        "classes": classes,
        "train": len(split.train),
        "rarest": int(of_class.min()),
        "pretrain": len(split.pretrain),
        "valid": len(split.valid),
        "judged": len(split.valid) + len(split.test),
        "labelled": len(dataset.train),
        "device": data.compute.device.type,
        "has_official_test": len(dataset.test) > 0,
        "folds": len(folds),
    }


def _facts_of_arm(plain: Mapping[str, Any], data: Data) -> ArmFacts:
    try:
        experiment = read(Experiment, dict(plain))
        own = data.with_network(experiment.autoencoder, experiment.seed)
    except UsageError as error:  # the words of the arm do not go with those of the study
        return ArmFacts(mistake=error.where or error.what)
    trains = experiment.autoencoder.has_gradients
    # Before the network is timed, which changes what its batch norms know and so the key.
    is_kept = Store(shared_store()).is_whole(Pretrain(experiment, own).key())
    passes, steps = _passes(experiment, own)
    step_seconds, image_seconds = _training_seconds(own) if trains else (0.0, 0.0)
    return ArmFacts(
        head=experiment.head.name,
        pretraining=_pretraining(experiment),
        is_kept=is_kept,
        passes=passes,
        steps=steps,
        finetune=experiment.head.length if isinstance(experiment.head, Schedule) else None,
        on_all=experiment.head.learns_from_unlabelled,
        step_seconds=step_seconds,
        pretrain_seconds=image_seconds,
        width=_encode(experiment, own, 2).shape[1],
        encode_seconds=_seconds(lambda: _encode(experiment, own, _LARGE)) / _LARGE,
        cost_ratio=_cost_ratio(experiment, own) if trains else 1.0,
    )


def _pretraining(experiment: Experiment) -> str:
    if experiment.pretrain.name == "none":
        return ""
    return experiment.autoencoder.model_dump_json() + experiment.pretrain.model_dump_json()


def _passes(experiment: Experiment, data: Data) -> tuple[float, int]:
    """Images that pass through the network in pretraining, and steps, over all epochs."""
    pretrain, count = experiment.pretrain, len(data.split.pretrain)
    if not (isinstance(pretrain, Schedule) and experiment.autoencoder.has_gradients):
        return 0.0, 0
    lengths = [pretrain.length]
    if isinstance(pretrain, LayerwisePretraining):
        together = replace(pretrain.length, epochs=pretrain.joint_epochs)
        lengths *= len(data.network.layers())
        lengths += [together] if pretrain.joint_epochs else []
    return sum(one.images(count) for one in lengths), sum(one.steps(count) for one in lengths)


def _training_seconds(data: Data) -> tuple[float, float]:
    """Of one step with hardly an image, and of each image besides: the line through two sizes."""
    optimiser = Adam(
        [{"params": list(data.network.parameters())}], lr=0.0, weight_decay=0.01, is_decoupled=True
    )
    small, large = (
        _seconds(lambda count=count: _train(data, optimiser, count)) for count in (_SMALL, _LARGE)
    )
    of_image = max(0.0, large - small) / (_LARGE - _SMALL)
    return max(0.0, small - _SMALL * of_image), of_image


def _seconds(step: Callable[[], object]) -> float:
    """Of the fastest of a few: what disturbs only makes slower."""
    step()  # what is made once only is not timed
    times: list[float] = []
    while len(times) < _FEWEST_TIMINGS or sum(times) < _TIMED_SECONDS:
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    return min(times)


def _train(data: Data, optimiser: Adam, count: int) -> None:
    optimiser.zero_grad()
    _loss(data, _images(data, count)).backward()
    optimiser.step()


def _loss(data: Data, images: torch.Tensor) -> torch.Tensor:
    samples = torch.arange(len(images), device=images.device)
    with data.compute.autocast():
        return data.network.train().loss(images, Draws(0, 0, samples), progress=0.5).total


@torch.inference_mode()
def _encode(experiment: Experiment, data: Data, count: int) -> torch.Tensor:
    with data.compute.autocast():
        return experiment.encode.features(data.network.eval(), _images(data, count))


def _images(data: Data, count: int) -> torch.Tensor:
    """A batch of the size that is timed, of however few images there are."""
    rows = data.images(data.split.pretrain)
    positions = torch.arange(count) % len(rows)
    return to_unit(rows.take(positions), data.compute.device)


def _cost_ratio(experiment: Experiment, data: Data) -> float:
    """Multiply-adds of a pretraining image over those of a fine-tuning image, forward.

    Back they are about twice as many in both, so the ratio is that of whole steps.
    """
    images = _images(data, 2)
    with OperationCounter() as pretraining:
        _loss(data, images)
    with OperationCounter() as finetuning:
        experiment.encode.features(data.network.train(), images)
    return pretraining.total / max(1, finetuning.total)
