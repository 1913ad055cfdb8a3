"""How probably an image belongs to each cluster."""

from typing import ClassVar, Literal, final

from jaxtyping import Float
from torch import Tensor

from ae_cls.autoencoder.contract import Autoencoder
from ae_cls.encode.contract import EncodeConfig
from ae_cls.errors import UsageError


@final
class AssignmentsConfig(EncodeConfig):
    """One probability a cluster, of an autoencoder that finds clusters."""

    reads_clusters: ClassVar[bool] = True
    name: Literal["assignments"]

    def features(
        self, model: Autoencoder, images: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b d"]:
        assignments = model.assignments(images)
        if assignments is None:
            raise UsageError(
                "encode=assignments reads clusters, and this autoencoder finds none",
                fix="encode=latent, or an encoder made with autoencoder=gmvae",
            )
        return assignments.float()
