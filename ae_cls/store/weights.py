"""The weights of a network as a safetensors file, and back; weights that do not fit are refused."""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from ae_cls.errors import ModelFileError
from ae_cls.store.files import sha256
from ae_cls.store.received import read_bytes
from ae_cls.store.tensor_file import MOST_HEADER, TensorFacts, refuse_misfits, tensors_in

WEIGHTS = "model.safetensors"

_DTYPES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16",
    torch.float16: "F16", torch.bfloat16: "BF16", torch.int32: "I32", torch.float32: "F32",
    torch.int64: "I64", torch.float64: "F64",
}  # fmt: skip


def weights_bytes(model: nn.Module) -> bytes:
    """All weights and buffers as a safetensors file."""
    state = model.state_dict()
    return safetensors.torch.save({n: t.detach().cpu().contiguous() for n, t in state.items()})


def weights_sha256(model: nn.Module) -> str:
    """Hash of all weights and buffers."""
    return sha256(weights_bytes(model))


def most_bytes(model: nn.Module) -> int:
    """That the file of a network's weights may have; it may be one on torch's `meta` device."""
    return sum(facts.size for facts in _tensors_of(model).values()) + MOST_HEADER


def read_weights(path: Path, model: nn.Module) -> bytes:
    """The file with the weights of such a network.

    Raises:
        FileNotFoundError: there is none.
        ModelFileError: it is no regular file, or too large for them.
        StorageError: it cannot be read.
    """
    return read_bytes(path, most=most_bytes(model))


def refuse_other_weights(model: nn.Module, content: bytes) -> None:
    """Every name, shape and type must fit; no tensor is made.

    Raises:
        ModelFileError: the file is damaged or of another network.
    """
    refuse_misfits(_tensors_of(model), tensors_in(content, WEIGHTS), WEIGHTS)


def load_weights(model: nn.Module, content: bytes) -> None:
    """Fill a network in place; every name, shape and type must fit, every number be finite.

    Raises:
        ModelFileError: the file is damaged or of another network.
    """
    refuse_other_weights(model, content)
    tensors = safetensors.torch.load(content)
    refuse_not_finite(tensors, WEIGHTS)
    model.load_state_dict(tensors, strict=True)


def refuse_not_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Every number must be finite.

    Raises:
        ModelFileError: with the names of tensors in which one is not.
    """
    if wrong := [name for name, tensor in tensors.items() if not _is_finite(tensor)]:
        raise ModelFileError(
            "the weights hold numbers that are not finite", where=where,
            why=", ".join(sorted(wrong)[:5]),
        )  # fmt: skip


def facts_of(tensors: Mapping[str, Tensor]) -> dict[str, TensorFacts]:
    """Of each tensor, by its name; a type that no network here has is called as torch calls it."""
    return {
        name: TensorFacts(_DTYPES.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }


def _tensors_of(model: nn.Module) -> dict[str, TensorFacts]:
    return facts_of(model.state_dict())


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
