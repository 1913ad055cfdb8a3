"""A file of weights that another program has written, read without running what is in it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from ae_cls.errors import ModelFileError
from ae_cls.store.received import most_in_memory, opened, read_bytes
from ae_cls.store.tensor_file import TensorFacts, tensors_in
from ae_cls.store.weights import facts_of


def read_given_weights(
    path: Path, refuse: Callable[[Mapping[str, TensorFacts]], None]
) -> Mapping[str, Tensor]:
    """The tensors of a `.safetensors` file, else of a state_dict that torch has saved.

    Args:
        path: of the file.
        refuse: raises where names, shapes and types are not those that are wanted; of safetensors
            it is asked before any tensor is made.

    Raises:
        FileNotFoundError: there is nothing of that name.
        ModelFileError: it is no regular file, larger than half of the memory, or another file.
        StorageError: it cannot be read.
    """
    if path.suffix == ".safetensors":
        content = read_bytes(path, most=most_in_memory())
        refuse(tensors_in(content, str(path)))
        return safetensors.torch.load(content)
    tensors = _state_dict(path)
    refuse(facts_of(tensors))
    return tensors


def _state_dict(path: Path) -> dict[str, Tensor]:
    with opened(path, most=most_in_memory()) as file:
        try:
            # Its unpickler knows tensors and plain containers, and refuses everything else.
            loaded: Any = torch.load(file, map_location="cpu", weights_only=True)  # noqa: TID251
        except Exception as error:  # torch has many for a file that is another
            raise _no_weights(path, str(error).partition("\n")[0]) from error
    named = loaded if isinstance(loaded, dict) else {}
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    if not tensors or len(tensors) < len(named):
        raise _no_weights(path, "it holds something else than tensors by name")
    return tensors


def _no_weights(path: Path, why: str) -> ModelFileError:
    return ModelFileError(
        "this file holds no weights that can be read safely", where=str(path), why=why,
        fix="a .safetensors file, or torch.save(model.state_dict(), FILE)",
    )  # fmt: skip
