"""A network's shapes without its numbers: what a config implies, before memory is spent on it."""

from ae_cls.autoencoder.contract import Autoencoder, AutoencoderConfig, without_numbers
from ae_cls.dataset.contract import ImageShape
from ae_cls.errors import AeClsError


def outline(config: AutoencoderConfig, image_shape: ImageShape) -> Autoencoder:
    """The network without its numbers, of a config that may be a stranger's.

    Raises:
        AeClsError: the config does not suit such images.
        ValueError: a size is beyond what torch can count.
    """
    try:
        return without_numbers(config, image_shape)
    except AeClsError:
        raise
    except Exception as error:  # torch has several for a size that no integer can hold
        raise ValueError(str(error).splitlines()[0]) from error
