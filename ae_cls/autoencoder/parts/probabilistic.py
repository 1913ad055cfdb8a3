"""Probabilistic principal components in a network that encodes to a distribution.

Tipping & Bishop 1999, Probabilistic principal component analysis, Journal of the Royal Statistical
Society B 61: the maximum of its likelihood is known in closed form, and so is the distribution of
its code given an image (section 3.2 and equation 6).
"""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from ae_cls.autoencoder.parts.posterior import Posterior
from ae_cls.autoencoder.parts.principal import PrincipalPath
from ae_cls.dataset.rows import ImageRows


@final
class ProbabilisticPath(nn.Module):
    """Images to normal codes and back; where nothing is fitted, a code has mean 0 and variance 1.

    Args:
        path: the axes.
    """

    def __init__(self, path: PrincipalPath) -> None:
        super().__init__()
        self.path = path

    def fit(self, images: ImageRows, seed: int) -> None:
        """Find the axes of a sample of the images."""
        self.path.fit(images, seed)

    def posterior(self, images: Float[Tensor, "b c h w"]) -> Posterior:
        """Of the code of each image, given it."""
        whole = self._whole
        mean = self.path.encode(images) * self._of_code(self._spread / whole)
        log_variance = self._of_code((self.path.noise / whole).log())
        return Posterior(mean.float(), log_variance.expand_as(mean))

    def decode(self, latents: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The images with these codes."""
        return self.path.decode(latents * self._of_code(self._spread))

    @property
    def _whole(self) -> Float[Tensor, " k"]:
        """Variance along each axis; that of the noise where there is nothing beyond it."""
        return self.path.variances.maximum(self.path.noise)

    @property
    def _spread(self) -> Float[Tensor, " k"]:
        """Standard deviation of what is not noise."""
        return (self._whole - self.path.noise).sqrt()

    def _of_code(self, of_axis: Float[Tensor, " k"]) -> Float[Tensor, " d"]:
        """One number for each of the code, which goes by axis and cell."""
        down, across = self.path.cells
        return of_axis.repeat_interleave(down * across)
