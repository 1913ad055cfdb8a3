"""The weights of a network as a safetensors file, and back; weights that do not fit are refused."""

import safetensors.torch
import torch
from torch import Tensor, nn

from ae_cls.errors import ModelFileError
from ae_cls.store.files import sha256

WEIGHTS = "model.safetensors"


def weights_bytes(model: nn.Module) -> bytes:
    """All weights and buffers as a safetensors file."""
    state = model.state_dict()
    return safetensors.torch.save({n: t.detach().cpu().contiguous() for n, t in state.items()})


def weights_sha256(model: nn.Module) -> str:
    """Hash of all weights and buffers."""
    return sha256(weights_bytes(model))


def load_weights(model: nn.Module, content: bytes) -> None:
    """Fill a network in place; every name, shape and type must fit.

    Raises:
        ModelFileError: the file is damaged or of another network.
    """
    try:
        tensors = safetensors.torch.load(content)
    except Exception as error:  # safetensors' own error has no public base class
        raise ModelFileError("the weights cannot be read", where=WEIGHTS, why=str(error)) from error
    _refuse_misfits(model.state_dict(), tensors)
    model.load_state_dict(tensors, strict=True)


def _refuse_misfits(expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    wrong = [f"missing {name}" for name in expected.keys() - found.keys()]
    wrong += [f"unexpected {name}" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        if found[name].shape != expected[name].shape or found[name].dtype != expected[name].dtype:
            wrong.append(f"{name}: {tuple(found[name].shape)}, not {tuple(expected[name].shape)}")
        elif found[name].is_floating_point() and not torch.isfinite(found[name]).all():
            wrong.append(f"{name}: not finite")
    if wrong:
        raise ModelFileError(
            "the weights do not fit the description", where=WEIGHTS,
            why="; ".join(sorted(wrong)[:5]),
        )  # fmt: skip
