"""How good features are for telling the classes of a few labelled images apart."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.compute import Compute
from ae_cls.dataset.contract import Rows
from ae_cls.dataset.rows import ImageRows, LabelledImages
from ae_cls.encode.contract import EncodeConfig
from ae_cls.encode.encoder import Encoder
from ae_cls.evaluate.ridge import ridge_accuracy
from ae_cls.processes.world import ALONE

MOST_LABELS = 2000
"""More would take longer than an epoch of a small set."""


@final
@dataclass(frozen=True)
class RidgeProbe:
    """A classifier in closed form, judged on each labelled image without it.

    Attributes:
        encode: how features are read.
        labelled: the labels of the budget; some of them stand for many.
        units: which of these images belong together; such are left out together.
        compute: device, precision and processes.
    """

    encode: EncodeConfig
    labelled: LabelledImages
    units: Rows
    compute: Compute

    def accuracy(self, model: Autoencoder) -> float:
        """Of the network as it is now; the same in all processes."""
        world = self.compute.world
        return world.share(self._measured(model) if world.is_first else None)

    def _measured(self, model: Autoencoder) -> float:
        images, labels = self.labelled.images, self.labelled.labels
        places = np.linspace(0, len(labels) - 1, min(MOST_LABELS, len(labels))).astype(np.int64)
        encoder = Encoder(model, self.encode, replace(self.compute, world=ALONE))
        features = encoder.features(ImageRows(images.images, images.rows[places]))
        return ridge_accuracy(features, labels[places], self.units[places])
