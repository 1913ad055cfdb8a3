"""What is saved, evaluated and served: an encoder and a head."""

from dataclasses import dataclass
from typing import final

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.encode.encoder import Encoder
from ae_cls.head.fitted import FittedHead, Probabilities


@final
@dataclass(frozen=True)
class Classifier:
    """Images to class probabilities.

    Attributes:
        encoder: frozen, or the fine-tuned copy.
        head: fitted on the encoder's features.
        class_names: in the order of the probabilities.
    """

    encoder: Encoder
    head: FittedHead
    class_names: tuple[str, ...]

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width that images must have."""
        return self.encoder.model.image_shape

    def predict_proba(self, images: ImageRows) -> Probabilities:
        """One probability a class; rows sum to 1."""
        return self.head.predict_proba(self.encoder.features(images))
