"""Which pictures of a data set are copies of each other: equal ones, and nearly equal ones.

A classifier that has seen a copy of a test image does not have to recognise it. Barz & Denzler
(arXiv 1902.00423) found copies of 3.3 % of CIFAR-10's test images among those for training.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate, normalize, pad

from ae_cls.dataset.contract import ImageTable, Rows
from ae_cls.dataset.copies import Copies, first_places, linked
from ae_cls.dataset.fingerprint import row_hashes
from ae_cls.dataset.nearest import nearest
from ae_cls.machine.threads import eigenvectors

MOST_COMPARED = 200_000
"""Images among which nearly equal ones are looked for; the time grows with the square of it."""

_SIDE = 16  # pixels of a thumbnail: enough to tell pictures apart, few enough to forget the noise
_MIDDLE = _SIDE - 2  # pixels that are left when a picture is moved by one
_ZOOMED = (
    14,
    16,
    18,
)  # pixels to which a thumbnail is brought: the other is 12 % larger or smaller
_WAVES = 5  # cosines along each side: few, so that a picture that was moved a little is still near
_FLAT = 3.0  # standard deviation in grey levels below which a thumbnail shows nothing
_PAIRS = 200_000  # compared closely
_CHUNK = 512  # images at a time
# A copy resembles its original at least so much, and much more than anything else does. Measured
# as Fisher's z, the inverse hyperbolic tangent of the correlation. Without the second condition
# half the trousers of Fashion-MNIST would be copies of each other.
_LEAST_ALIKE = float(np.arctanh(0.9))
_LEAST_APART = 0.55
_APART_BY_COPY = 0.1
_SAME_COLOURS = 0.5  # cosine
_LARGEST_SET = 1 / 20  # of all pictures, that are copies of one without further question
_LEAST_AGREEMENT = 0.9
_SMALLEST_VARIANCE = 0.1  # of the largest: what is below is rounding
_FEW = 20_000  # pictures, up to which every one is compared closely
_PROMISE = 0.25  # in Fisher's z
_MOST_ALIKE = 0.9999  # so that z stays finite

Thumbnails = Float32[Tensor, "_ side side"]


def find_copies(images: ImageTable) -> Copies:
    """Equal images by their pixels, nearly equal ones by thumbnails of 16x16 grey pixels.

    On 10 000 drawn pictures of 32x32x3 with 300 copies (mirrored, moved, cropped, turned by three
    degrees, resized, encoded again, lighter, darker, paler, with noise) it found 97 % of them, and
    2 pictures that were none. Copies of pictures that nearly all look alike are not told apart
    from the rest: of Fashion-MNIST it finds those that were encoded again or mirrored, of those
    that were moved one in six.
    """
    pixels = row_hashes(images)
    equal = first_places(pixels)
    if len(images) > MOST_COMPARED:
        return Copies(pixels, equal, compared=False)
    firsts, numbers = np.unique(equal, return_inverse=True)
    alike = _alike(_small(images, firsts))[numbers]
    return Copies(pixels, alike, compared=True)


@final
@dataclass(frozen=True)
class _Small:
    """What is left of some pictures.

    Attributes:
        luma: thumbnails in grey.
        colours: how much bluer and redder than grey the parts of each picture are.
    """

    luma: Thumbnails
    colours: Float32[Tensor, "_ 2 4 4"]

    def turned(self) -> "_Small":
        """Their mirror images."""
        return _Small(self.luma.flip(2), self.colours.flip(3))

    def some(self, rows: Rows) -> "_Small":
        places = torch.from_numpy(rows)
        return _Small(self.luma[places], self.colours[places])


def _small(images: ImageTable, rows: Rows) -> _Small:
    batches = torch.from_numpy(rows).split(_CHUNK)
    parts = [_shrunk(images.index_select(0, batch).float()) for batch in batches]
    luma = torch.cat([part.luma for part in parts])
    return _Small(luma, torch.cat([part.colours for part in parts]))


def _shrunk(images: Float32[Tensor, "b c h w"]) -> _Small:
    luma = _grey(images)
    small = interpolate(luma, (_SIDE, _SIDE), mode="bilinear", antialias=True)
    differences = images[:, [2, 0]] - luma if images.shape[1] == 3 else luma.new_zeros(1, 2, 1, 1)
    colours = adaptive_avg_pool2d(differences.expand(len(images), -1, -1, -1), 4)
    return _Small(_blurred(small)[:, 0], colours)


def _grey(images: Float32[Tensor, "b c h w"]) -> Float32[Tensor, "b 1 h w"]:
    """The luma of ITU-R 601, which JPEG keeps best, and which other colours leave as it is."""
    if images.shape[1] == 1:
        return images
    return torch.einsum("bchw,c->bhw", images, torch.tensor([0.299, 0.587, 0.114]))[:, None]


def _blurred(pixels: Float32[Tensor, "b 1 h w"]) -> Float32[Tensor, "b 1 h w"]:
    """So that a picture which was moved by less than a pixel of a thumbnail is still the same."""
    around = pad(pixels, (1, 1, 1, 1), mode="replicate")
    rows = (around[:, :, :-2] + 2 * around[:, :, 1:-1] + around[:, :, 2:]) / 4
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4


def _alike(pictures: _Small) -> Rows:
    """A number for each picture, the same for those that are copies of each other."""
    count = len(pictures.luma)
    shown = np.flatnonzero(pictures.luma.std((1, 2)).numpy() >= _FLAT)
    if len(shown) < 2:
        return np.arange(count)
    return linked(count, shown[_pairs(pictures.some(shown))])


def _pairs(pictures: _Small) -> Int64[np.ndarray, "2 p"]:
    """All pairs of copies among pictures that show something."""
    codes, turned = _codes(pictures.luma), pictures.turned()
    codes_turned = _codes(turned.luma)
    white, most = _Whitening.of(codes), len(codes)
    plain = int(np.clip(_PAIRS // most, 6, 48))
    # By itself a picture is nearest to itself, by its mirror image if it is symmetric: one more.
    near = nearest(codes, codes, min(plain + 1, most))
    near_turned = nearest(codes_turned, codes, min(max(3, plain // 4) + 1, most))
    agreement = white.agreement(codes_turned, codes, near_turned)
    return np.concatenate(
        [
            _copies(pictures, pictures, near, white.agreement(codes, codes, near)),
            _copies(turned, pictures, near_turned, agreement),
        ],
        axis=1,
    )


def _copies(
    turned: _Small,
    pictures: _Small,
    near: Int64[np.ndarray, "m k"],
    agreement: Float32[np.ndarray, "m k"],
) -> Int64[np.ndarray, "2 p"]:
    """The pairs of pictures, turned or not, and those of their candidates that are copies."""
    count = len(near)
    rows = np.arange(count) if count <= _FEW else _promising(turned, pictures, near)
    near, agreement = near[rows], agreement[rows]
    likeness = _likeness_of_all(turned.luma[torch.from_numpy(rows)], pictures.luma, near)
    likeness[near == rows[:, None]] = -np.inf
    copies = _without_kinds(_stand_apart(likeness), agreement, count)
    copies &= ~_other_colours(turned.some(rows), pictures, near)
    first, place = np.nonzero(copies)
    return _mutual(rows[first], near[first, place], count)


def _promising(turned: _Small, pictures: _Small, near: Int64[np.ndarray, "m k"]) -> Rows:
    """Those of many pictures that one candidate resembles more than the others do, as they lie.

    The rest are not worth to be moved and zoomed, which takes most of the time.
    """
    likeness = _likeness_of_all(turned.luma, pictures.luma, near, moved=False)
    likeness[near == np.arange(len(near))[:, None]] = np.nan
    best, usual = np.nanmax(likeness, axis=1), np.nanmedian(likeness, axis=1)
    return np.flatnonzero(best - usual >= _PROMISE)


def _likeness_of_all(
    some: Thumbnails, thumbnails: Thumbnails, near: Int64[np.ndarray, "m k"], *, moved: bool = True
) -> Float32[np.ndarray, "m k"]:
    middles = _normalised(_middle(thumbnails))
    parts = [slice(start, start + _CHUNK) for start in range(0, len(near), _CHUNK)]
    found = [
        _likeness(some[part], middles[torch.from_numpy(near[part])], moved=moved) for part in parts
    ]
    return np.concatenate([np.zeros((0, near.shape[1]), np.float32), *found])


def _other_colours(
    turned: _Small, pictures: _Small, near: Int64[np.ndarray, "m k"]
) -> Bool[np.ndarray, "m k"]:
    """Where both have colours, and not the same: a paler copy has, a grey one has none."""
    own, others = turned.colours.flatten(1), pictures.colours.flatten(1)
    both = _is_coloured(own)[:, None] & _is_coloured(others)[near]
    cosine = np.einsum("md,mkd->mk", normalize(own).numpy(), normalize(others).numpy()[near])
    return both & (cosine < _SAME_COLOURS)


def _is_coloured(colours: Float32[Tensor, "m d"]) -> Bool[np.ndarray, " m"]:
    return (colours.square().mean(1).sqrt() >= _FLAT).numpy()


def _without_kinds(
    copies: Bool[np.ndarray, "m k"], agreement: Float32[np.ndarray, "m k"], of_all: int
) -> Bool[np.ndarray, "m k"]:
    """Without sets that are a large part of all: these may be things of one kind, such as a class.

    Unless they also agree in what differs from picture to picture, as the frames of a film do.
    """
    counts = copies.sum(1)
    agreed = (copies * agreement).sum(1) / np.maximum(counts, 1)
    few = counts + 1 <= max(2, of_all * _LARGEST_SET)
    return copies & (few | (agreed >= _LEAST_AGREEMENT))[:, None]


def _mutual(
    first: Int64[np.ndarray, " p"], second: Int64[np.ndarray, " p"], count: int
) -> Int64[np.ndarray, "2 _"]:
    """The pairs that hold both ways: one shoe that points to the right is no copy of all others."""
    there, back = first * count + second, second * count + first
    kept = np.isin(there, back)
    return np.stack([first[kept], second[kept]])


def _codes(thumbnails: Thumbnails) -> Float32[np.ndarray, "m d"]:
    """The slowest waves of each picture (its discrete cosine transform), of length 1."""
    angles = torch.pi * (torch.arange(_SIDE) + 0.5) / _SIDE
    waves = torch.cos(angles * torch.arange(_WAVES)[:, None])
    codes = torch.einsum("ki,bij,lj->bkl", waves, thumbnails, waves).flatten(1)[:, 1:]
    return normalize(codes).numpy()


@final
@dataclass(frozen=True)
class _Whitening:
    """What makes all directions count alike in which the pictures of a set differ."""

    mean: Float32[np.ndarray, " d"]
    matrix: Float32[np.ndarray, "d d"]

    @classmethod
    def of(cls, codes: Float32[np.ndarray, "m d"]) -> "_Whitening":
        mean = codes.mean(0)
        covariance = torch.from_numpy(np.cov((codes - mean).T))
        values, vectors = (found.numpy() for found in eigenvectors(covariance))
        scale = 1 / np.sqrt(np.maximum(values, _SMALLEST_VARIANCE * values.max()))
        return cls(mean, (vectors * scale).astype(np.float32))

    def agreement(
        self,
        codes: Float32[np.ndarray, "m d"],
        others: Float32[np.ndarray, "m d"],
        near: Int64[np.ndarray, "m k"],
    ) -> Float32[np.ndarray, "m k"]:
        """The cosine between the whitened codes of pictures and of their candidates."""
        own, of_others = self._applied(codes), self._applied(others)
        return np.einsum("md,mkd->mk", own, of_others[near])

    def _applied(self, codes: Float32[np.ndarray, "m d"]) -> Float32[np.ndarray, "m d"]:
        white = (codes - self.mean) @ self.matrix
        return white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-6)


def _likeness(
    some: Thumbnails, candidates: Float32[Tensor, "b k pixels"], *, moved: bool
) -> Float32[np.ndarray, "b k"]:
    """How much each of some pictures resembles the middles of its candidates: Fisher's z.

    The correlation of the middles; if moved, the largest over small moves and zooms.
    """
    if moved:
        views = [_correlation(fine, candidates) for fine in _zoomed(some)]
        best = torch.stack(views).amax(0)
    else:
        best = torch.einsum("bp,bkp->bk", _normalised(_middle(some)), candidates)
    return torch.atanh(best.clamp(-_MOST_ALIKE, _MOST_ALIKE)).numpy()


def _middle(thumbnails: Thumbnails) -> Float32[Tensor, "_ pixels"]:
    return thumbnails[:, 1 : 1 + _MIDDLE, 1 : 1 + _MIDDLE].flatten(1)


def _correlation(
    fine: Float32[Tensor, "b fine fine"], candidates: Float32[Tensor, "b k pixels"]
) -> Float32[Tensor, "b k"]:
    """The largest over moves by half a pixel: one convolution, the candidates being its kernels."""
    count, each = candidates.shape[:2]
    kernels = candidates.reshape(count * each, 1, _MIDDLE, _MIDDLE)
    products = conv2d(fine[None], kernels, groups=count, dilation=2)[0].reshape(count, each, -1)
    ones = torch.ones(1, 1, _MIDDLE, _MIDDLE)
    sums = conv2d(fine[:, None], ones, dilation=2).flatten(2)
    squares = conv2d(fine[:, None].square(), ones, dilation=2).flatten(2)
    lengths = (squares - sums.square() / _MIDDLE**2).clamp_min(1.0).sqrt()
    return (products / lengths).amax(2)


def _zoomed(thumbnails: Thumbnails) -> Iterator[Float32[Tensor, "b fine fine"]]:
    """As they are, smaller and larger, with a value between each two pixels."""
    for side in _ZOOMED:
        resized = interpolate(thumbnails[:, None], (side, side), mode="bilinear")
        edge = max(0, (_SIDE - side) // 2)
        framed = pad(resized, (edge, edge, edge, edge), mode="replicate")
        cut = (framed.shape[2] - _SIDE) // 2
        frame = framed[:, :, cut : cut + _SIDE, cut : cut + _SIDE]
        fine = (2 * _SIDE - 1, 2 * _SIDE - 1)
        yield interpolate(frame, fine, mode="bilinear", align_corners=True)[:, 0]


def _normalised(pixels: Float32[Tensor, "*_ pixels"]) -> Float32[Tensor, "*_ pixels"]:
    """Of mean 0 and length 1, so that a product is a correlation."""
    return normalize(pixels - pixels.mean(-1, keepdim=True), dim=-1)


def _stand_apart(likeness: Float32[np.ndarray, "m k"]) -> Bool[np.ndarray, "m k"]:
    """Which candidates are copies: down to the last step from much alike to much less alike."""
    order = np.argsort(-likeness, axis=1, kind="stable")
    falling = np.take_along_axis(likeness, order, 1)
    # What lies below the last candidate is not known.
    below = np.concatenate([falling[:, 1:], np.full((len(falling), 1), -np.inf)], 1)
    apart = _LEAST_APART + _APART_BY_COPY * np.minimum(np.arange(likeness.shape[1]), 5)
    steps = (falling >= _LEAST_ALIKE) & (below > -np.inf) & (falling - apart >= below)
    last = np.where(steps.any(1), steps.shape[1] - 1 - steps[:, ::-1].argmax(1), -1)
    copies = np.arange(likeness.shape[1]) <= last[:, None]
    return np.take_along_axis(copies, np.argsort(order, 1), 1)
