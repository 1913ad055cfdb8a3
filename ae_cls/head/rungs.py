"""The rungs of a ladder: what an encoder's layers answer, noted and made noisy on the way up.

Rasmus, Valpola, Honkala, Berglund & Raiko 2015, Semi-supervised learning with ladder networks,
NIPS, arXiv 1507.02672, the encoders of algorithm 1.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.losses import at_least_float32
from ae_cls.dataset.contract import ImageShape
from ae_cls.draws import Draws
from ae_cls.encode.encoder import Encoder
from ae_cls.processes.batch import batch_mean

_LEAST_VARIANCE = 1e-5  # as of a batch norm
_ACTIVATIONS = (nn.ReLU, nn.GELU, nn.Sigmoid, nn.Tanh, nn.Hardswish)

Values = Float[Tensor, "b _ ..."]
"""A flat code, or a map with its channels first."""
Change = Callable[[Values], Values]


@final
@dataclass(frozen=True)
class Rung:
    """A layer of the encoder that the features depend on.

    Attributes:
        module: in the encoder, what answers before the activation that ends the layer, as in the
            article; where a layer ends otherwise, the layer itself.
        shape: of its answer to an image; tokens are the cells of a map.
    """

    module: nn.Module
    shape: tuple[int, ...]


def rungs_of(encoder: Encoder) -> list[Rung]:
    """From the first layer to the last; one that the features do not read is none."""
    model = encoder.model
    modules = dict(enumerate(map(_before_activation, model.encoder_layers())))
    black = torch.zeros(1, *model.image_shape, device=encoder.compute.device)
    was_training = model.training
    with torch.inference_mode(), noted(modules, {}, model.image_shape) as answers:
        encoder.encode.features(model.eval(), black)
    model.train(was_training)
    return [Rung(modules[place], tuple(answers[place].shape[1:])) for place in sorted(answers)]


def _before_activation(layer: nn.Module) -> nn.Module:
    while isinstance(layer, nn.Sequential) and len(layer):
        has_activation = len(layer) > 1 and isinstance(layer[-1], _ACTIVATIONS)
        layer = layer[-2] if has_activation else layer[-1]
    return layer


@contextmanager
def noted(
    modules: Mapping[int, nn.Module], changes: Mapping[int, Change], image_shape: ImageShape
) -> Iterator[dict[int, Values]]:
    """Inside, the answers of these modules are noted under their numbers, once they are changed.

    Args:
        modules: each is asked at most once.
        changes: what goes on up in place of an answer, by the number of its module.
        image_shape: of what the encoder takes.
    """
    answers: dict[int, Values] = {}
    with ExitStack() as hooks:
        for number, module in modules.items():
            note = _note(number, answers, changes.get(number), image_shape)
            hooks.enter_context(module.register_forward_hook(note))
        yield answers


def _note(
    number: int, answers: dict[int, Values], change: Change | None, image_shape: ImageShape
) -> Callable[[nn.Module, object, Tensor], Tensor]:
    def note(module: nn.Module, given: object, output: Tensor) -> Tensor:
        answer = at_least_float32(_as_map(output, image_shape))
        answers[number] = answer if change is None else change(answer)
        # A copy, because an activation that follows may work in place.
        return _like(answers[number], output).to(output.dtype).clone()

    return note


def _as_map(output: Tensor, image_shape: ImageShape) -> Values:
    """Tokens as the cells of a map."""
    if output.ndim != 3:
        return output
    return output.transpose(1, 2).unflatten(2, _cells(output.shape[1], image_shape))


def _like(values: Values, output: Tensor) -> Tensor:
    """The map as tokens again, if `output` has tokens."""
    return values.flatten(2).transpose(1, 2) if output.ndim == 3 else values


def _cells(count: int, image_shape: ImageShape) -> tuple[int, int]:
    """Down and across, of so many square patches that cover an image."""
    _, height, width = image_shape
    sides = ((math.ceil(height / side), math.ceil(width / side)) for side in range(1, height + 1))
    return next(cells for cells in sides if math.prod(cells) == count)


def with_noise(values: Values, deviation: float, name: str, draws: Draws) -> Values:
    """Normal noise added, in units of each number's spread, which a batch norm would make 1."""
    _, spread = centred_and_spread(values)
    return values + deviation * spread * normal(name, values, draws)


def normal(name: str, like: Values, draws: Draws) -> Values:
    """Standard normal numbers."""
    return draws.normal(f"ladder/{name}", like[0].numel()).view(like.shape).to(like)


def standardised(values: Values) -> Values:
    """With mean 0 and variance 1 over the whole batch; a channel over all its cells, too."""
    centred, spread = centred_and_spread(values)
    return centred / spread


def centred_and_spread(values: Values) -> tuple[Values, Float[Tensor, "k ..."]]:
    """Values without their mean, and their standard deviation."""
    others = (0, *range(2, values.ndim))
    mean = batch_mean(values.mean(others))
    centred = values - _beside(mean, values)
    variance = batch_mean(centred.square().mean(others))
    return centred, _beside((variance + _LEAST_VARIANCE).sqrt(), values)


def _beside(of_channel: Float[Tensor, " k"], values: Values) -> Float[Tensor, "k ..."]:
    """One number a channel, shaped to be added to all its cells."""
    return of_channel.view(-1, *(1 for _ in values.shape[2:]))
