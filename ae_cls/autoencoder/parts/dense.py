"""Dense layers with the initialisation that suits their activation."""

import math
from typing import Literal

from torch import nn

Activation = Literal["relu", "sigmoid", "tanh"]

_MODULES: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def activation_module(activation: Activation) -> nn.Module:
    return _MODULES[activation]()


def dense(inputs: int, outputs: int, activation: Activation | None) -> nn.Linear:
    """A linear layer, initialised for the activation that follows it; None: linear.

    He et al. 2015 for relu, Glorot & Bengio 2010 otherwise, four times that for sigmoid
    (Bengio & Glorot's correction for its slope of 1/4 at 0).
    """
    layer = nn.Linear(inputs, outputs)
    if activation == "relu":
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    else:
        nn.init.xavier_uniform_(layer.weight, gain=4.0 if activation == "sigmoid" else 1.0)
    nn.init.zeros_(layer.bias)
    return layer


def pixel_count(image_shape: tuple[int, int, int]) -> int:
    """Numbers in an image."""
    return math.prod(image_shape)
