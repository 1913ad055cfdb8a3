"""What a run will need at least, asked before it begins: memory for its head, room on the disk."""

import torch

from ae_cls.autoencoder.contract import bytes_of
from ae_cls.dataset.rows import to_unit
from ae_cls.experiment.descriptions import Experiment, Pretraining
from ae_cls.machine.memory import refuse_more_than_there_is
from ae_cls.run.data import Data
from ae_cls.run.folder import new_folders_of
from ae_cls.run.stages import Pretrain
from ae_cls.run.work import store_root
from ae_cls.store.entries import Store
from ae_cls.store.space import refuse_without_room

_NUMBER = 4  # bytes
_PROBABILITY = 8  # bytes
_OF_PAIR = 64  # bytes of two classes in the confusion matrix, as numbers, in Python and as text
_CHECKPOINTS = 3  # two are kept, and a third is written before the oldest goes
_IN_CHECKPOINT = 4  # as large as the weights: these, the best ones and two moments
_BESIDE = 2**17  # bytes of log, tables and configs
_FIGURES = 2**20
_OF_ROW, _OF_CHANCE = 32, 13  # bytes in predictions.csv: of index and names, of a probability


def refuse_what_does_not_fit(
    description: Experiment | Pretraining, data: Data, *, is_trained: bool = False
) -> None:
    """Stop where the run needs more memory than there is, or writes more than there is room for.

    Args:
        description: of the run.
        data: what it reads.
        is_trained: whether the encoder is that of another run.

    Raises:
        TrainingError: the head, or judging it, needs more memory.
        StorageError: a disk has less room.
    """
    features = 0
    if isinstance(description, Experiment):
        features = _features_of(description, data)
        _refuse_too_large(description, data, features)
    _refuse_full_disk(description, data, features, is_trained=is_trained)


def _refuse_too_large(experiment: Experiment, data: Data, features: int) -> None:
    rows, classes = len(data.split.labelled), len(data.dataset.class_names)
    needed = experiment.head.least_memory(rows, features, classes)
    refuse_more_than_there_is(
        needed, f"the head {experiment.head.name}", where="head, encode, autoencoder",
        fix="a smaller head, fewer features or fewer labels: ae-cls run --help",
    )  # fmt: skip
    judged = max(len(data.split.valid), len(data.split.test))
    refuse_more_than_there_is(
        classes * (_OF_PAIR * classes + 2 * _PROBABILITY * judged), f"to judge {classes:,} classes",
        where=f"dataset={experiment.dataset.name}", fix="fewer classes: is each image its own?",
    )  # fmt: skip


def _refuse_full_disk(
    description: Experiment | Pretraining, data: Data, features: int, *, is_trained: bool
) -> None:
    outputs = new_folders_of(description)
    needed = {outputs: _of_folder(description, data)}
    if not is_trained:
        # The store below the run's own folder is on the same disk.
        root = store_root(description, outputs)
        needed[root] = _of_stages(description, data, features, Store(root))
    refuse_without_room(needed)


def _of_folder(description: Experiment | Pretraining, data: Data) -> int:
    row = _OF_ROW + _OF_CHANCE * len(data.dataset.class_names)
    rows = len(data.split.test) if isinstance(description, Experiment) and description.test else 0
    return _BESIDE + _FIGURES * description.figures + bytes_of(data.network) + rows * row


def _of_stages(
    description: Experiment | Pretraining, data: Data, features: int, store: Store
) -> int:
    """Of a training that begins; of one that is kept, or was stopped, nobody knows what is left."""
    key = Pretrain(description, data).key()
    if store.folder(key).is_dir() or store.unfinished(key).is_dir():
        return 0
    checkpoints = _CHECKPOINTS * _IN_CHECKPOINT * description.autoencoder.has_gradients
    table = 0
    if isinstance(description, Experiment) and not description.head.trains_encoder:
        split = data.split
        rows = len(split.train) + len(split.valid) + len(split.test) * description.test
        table = rows * features * _NUMBER
    return (checkpoints + 1) * bytes_of(data.network) + table


@torch.inference_mode()
def _features_of(experiment: Experiment, data: Data) -> int:
    """Numbers that a head is given of an image."""
    images = data.images(data.split.pretrain[:1]).take(torch.arange(1))
    network, was_training = data.network, data.network.training
    features = experiment.encode.features(network.eval(), to_unit(images, data.compute.device))
    network.train(was_training)
    return features.shape[1]
