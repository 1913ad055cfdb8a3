"""Weights that a network begins with, learnt elsewhere: torchvision's own, or those of a file."""

import logging
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ae_cls.autoencoder.parts.torchvision_network import NetworkName, TorchvisionNetwork
from ae_cls.errors import UsageError, did_you_mean
from ae_cls.machine.network import bounded_waits
from ae_cls.store.given_weights import read_given_weights
from ae_cls.store.tensor_file import TensorFacts, refuse_misfits
from ae_cls.store.weights import facts_of, refuse_not_finite

log = logging.getLogger(__name__)

IMAGENET: Literal["imagenet"] = "imagenet"

_KEY = "autoencoder.weights"
_CLASSIFIER = ("fc.", "classifier.")  # of torchvision's networks, which is not wanted
_COUNTER = "num_batches_tracked"  # files of before 2018 lack it, and nothing follows from it


def fill_from_imagenet(trunk: TorchvisionNetwork, network: NetworkName) -> None:
    """Fill in torchvision's first weights for ImageNet, downloaded where its cache has none.

    Raises:
        UsageError: they cannot be downloaded.
    """
    from torchvision.models import get_model_weights  # a second to import, and rarely needed

    weights, folder = get_model_weights(network)["IMAGENET1K_V1"], torch.hub.get_dir()
    log.info("weights of %s: %s, kept in %s/checkpoints", network, weights.url, folder)
    try:
        with bounded_waits():
            tensors = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # of the network, of the disk, of a damaged file
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UsageError(
            f"the weights of {network} for ImageNet can neither be read nor downloaded",
            where=f"{_KEY}={IMAGENET}", why=f"{weights.url}: {reason}",
            fix=f"try again where there is a network; or fetch that file elsewhere, and put it "
            f"into {folder}/checkpoints or name it: {_KEY}=FILE",
        ) from error  # fmt: skip
    _refuse_others(trunk, facts_of(tensors), weights.url)
    _fill(trunk, tensors, weights.url)


def fill_from_file(trunk: TorchvisionNetwork, path: Path) -> None:
    """Fill in the weights of a file: `.safetensors`, or a state_dict that torch has saved.

    They are named as in torchvision; those of its classifier are left out.

    Raises:
        UsageError: there is no such file.
        ModelFileError: it is another kind of file, or of another network.
        StorageError: it cannot be read.
    """
    try:
        tensors = read_given_weights(path, lambda found: _refuse_others(trunk, found, str(path)))
    except FileNotFoundError as error:
        words = ("none", IMAGENET)
        raise UsageError(
            "there is no such file of weights", where=f"{_KEY}={path}",
            fix=did_you_mean(path.name, words) or f"{', '.join(words)}, or the path of a file",
        ) from error  # fmt: skip
    _fill(trunk, tensors, str(path))


def _refuse_others(trunk: TorchvisionNetwork, found: Mapping[str, TensorFacts], where: str) -> None:
    expected = {trunk.prefix + name: facts for name, facts in facts_of(_own(trunk)).items()}
    wanted = {
        name: facts
        for name, facts in found.items()
        if not name.startswith((*_CLASSIFIER, *trunk.left_out)) and not name.endswith(_COUNTER)
    }
    refuse_misfits(expected, wanted, where)


def _own(trunk: TorchvisionNetwork) -> dict[str, Tensor]:
    state = trunk.layers.state_dict()
    return {name: tensor for name, tensor in state.items() if not name.endswith(_COUNTER)}


@torch.no_grad()
def _fill(trunk: TorchvisionNetwork, tensors: Mapping[str, Tensor], where: str) -> None:
    own = _own(trunk)
    given = {name: tensors[trunk.prefix + name] for name in own}
    refuse_not_finite(given, where)
    for name, tensor in own.items():
        tensor.copy_(given[name])
