"""Whether pictures are like those that a model was trained on, by numbers kept beside it.

Of each look of a picture (see `looks`) and of the distance of its features from those of training
images it is asked how far out it lies; the largest answer counts. Beyond which answer a picture is
called unlike is set on images that were held out, so that of pictures like those of training one in
a hundred is called so (conformal prediction: Vovk, Gammerman and Shafer 2005).
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import final

import numpy as np
import safetensors.numpy
import torch
from jaxtyping import Float32, Int64, UInt8

from ae_cls.dataset.contract import ImageShape
from ae_cls.dataset.rows import ImageRows
from ae_cls.draws import generator
from ae_cls.errors import ModelFileError
from ae_cls.head.classifier import Classifier
from ae_cls.saved.feature_space import FeatureSpace
from ae_cls.saved.looks import looks_of, measured, outermost
from ae_cls.store.tensor_file import tensors_in

NAME = "likeness.safetensors"
UNLIKE = 0.01
"""Share of pictures like those of training that is called unlike."""

MOST = 2**30
"""Bytes of its file: a few hundred rows of features, and a row a class."""
_MOST = 1000  # images of training, and as many held out: 0.5 s of the default network
_ENOUGH_HELD_OUT = 100
_TAIL = 0.005  # of a look, on each side: what lies within is not far out
_BATCH = 512
_FEWEST_OF_CLASS = 5

Array = Float32[np.ndarray, "..."]


@final
@dataclass(frozen=True)
class Likeness:
    """What a model keeps of its training images.

    Attributes:
        values: looks of the images looked at, each column in ascending order (n, s).
        range: of each look: a low, the middle and a high value (3, s).
        limit: how far out is unlike, where low and high are 1 (1,).
        means: of each look among images of one predicted class (k, s); no rows without classes.
        deviations: of each look within a class (s,).
        border: median colour of the outermost pixels (c,).
        distance: of features: a usual and a high value (2,); empty without features.
        space: of features; None without.
    """

    values: Array
    range: Array
    limit: Array
    means: Array
    deviations: Array
    border: UInt8[np.ndarray, " c"]
    distance: Array
    space: FeatureSpace | None

    def far(
        self, looks: Float32[np.ndarray, "n s"], features: Float32[np.ndarray, "n d"] | None
    ) -> Float32[np.ndarray, "n t"]:
        """How far out each look lies, and behind them the features where they are given.

        0 is the middle, 1 the end of the usual range, above `limit` it is unlike.
        """
        low, middle, high = self.range
        looks_here = looks_of(len(self.border)).values()
        least = np.array([look.least for look in looks_here], np.float32)
        above = (looks - middle) / np.maximum(high - middle, least)
        below = (middle - looks) / np.maximum(middle - low, least)
        far = np.maximum(above, below)
        if features is None or self.space is None:
            return far
        usual, most = self.distance
        unit = max(most - usual, 0.05 * usual, 1e-6)
        distances = self.space.distances(features)
        return np.concatenate([far, ((distances - usual) / unit)[:, None]], axis=1)

    def as_bytes(self) -> bytes:
        """A safetensors file."""
        arrays = {name: value for name, value in vars(self).items() if name != "space"}
        arrays |= vars(self.space) if self.space else {}
        return safetensors.numpy.save({n: np.ascontiguousarray(a) for n, a in arrays.items()})


def learn(
    train: ImageRows, held_out: ImageRows, classifier: Classifier | None, seed: int
) -> Likeness:
    """What is kept of these images; no label is read.

    Args:
        train: what was trained on.
        held_out: images like them that no network has seen, to set the limit.
        classifier: whose features and classes count, too; None: looks alone.
        seed: of the run: which images are looked at.
    """
    train, held_out = _some(train, seed, "train"), _some(held_out, seed, "held out")
    own = len(held_out)
    if own < _ENOUGH_HELD_OUT and len(train) > 1:
        held_out = ImageRows(train.images, np.concatenate([held_out.rows, train.rows[1::2]]))
        train = ImageRows(train.images, train.rows[::2])
    learnt, held = _measured(train, classifier), _measured(held_out, classifier)
    space = FeatureSpace.of(learnt.features) if classifier else None
    distance = space.distances(held.features) if space else np.empty(0, np.float32)
    distance = np.quantile(distance, (0.5, 1 - _TAIL)) if len(distance) else distance
    looks = np.concatenate([learnt.looks, held.looks])
    means, deviations = _of_classes(looks, np.concatenate([learnt.classes, held.classes]))
    likeness = Likeness(
        values=np.sort(looks, axis=0),
        range=np.quantile(learnt.looks, (_TAIL, 0.5, 1 - _TAIL), axis=0).astype(np.float32),
        limit=np.ones(1, np.float32),
        means=means,
        deviations=deviations,
        border=learnt.border,
        distance=distance.astype(np.float32),
        space=space,
    )
    far = likeness.far(held.looks, held.features if classifier else None).max(1)
    limit = max(1.0, _limit(far), _limit(far[:own]) if own else 0.0)
    return replace(likeness, limit=np.array([limit], np.float32))


def read(content: bytes, image_shape: ImageShape) -> Likeness:
    """What `Likeness.as_bytes` wrote.

    Raises:
        ModelFileError: the file was not written by ae-cls, or for other images.
    """
    facts = tensors_in(content, NAME)
    if any(tensor.dtype not in ("F32", "U8") for tensor in facts.values()):
        raise _unreadable("it holds other numbers than it should")
    try:
        arrays = safetensors.numpy.load(content)
        space = {name: arrays.pop(name) for name in ("middle", "axes", "points") if name in arrays}
        likeness = Likeness(**arrays, space=FeatureSpace(**space) if space else None)
        count = len(looks_of(image_shape[0]))
        finite = all(np.isfinite(array).all() for array in [*arrays.values(), *space.values()])
    except Exception as error:  # strangers' bytes
        raise _unreadable(str(error)) from error
    if not (finite and _fits(likeness, count, image_shape[0])):
        raise _unreadable("it is of other images")
    return likeness


def _fits(likeness: Likeness, looks: int, channels: int) -> bool:
    """Whether all arrays are of so many looks, and go with one another."""
    sides = {
        "values": (len(likeness.values), looks),
        "range": (3, looks),
        "limit": (1,),
        "means": (len(likeness.means), looks),
        "deviations": (looks,),
        "border": (channels,),
        "distance": (2 if likeness.space else 0,),
    }
    fits = all(getattr(likeness, name).shape == shape for name, shape in sides.items())
    return fits and (likeness.space is None or likeness.space.is_sound())


def _unreadable(why: str) -> ModelFileError:
    return ModelFileError("what is kept of the training images cannot be read", where=NAME, why=why)


@final
@dataclass(frozen=True)
class _Measured:
    """Some images, measured: looks, features and predicted classes, the latter two if asked for."""

    looks: Array
    features: Array
    classes: Int64[np.ndarray, " n"]
    border: UInt8[np.ndarray, " c"]


def _some(images: ImageRows, seed: int, name: str) -> ImageRows:
    order = torch.randperm(len(images), generator=generator(seed, "likeness", name))
    return ImageRows(images.images, images.rows[np.sort(order[:_MOST].numpy())])


def _measured(images: ImageRows, classifier: Classifier | None) -> _Measured:
    batches = list(images.batches(_BATCH))
    looks = np.concatenate([measured(batch).numpy() for batch in batches])
    edges = torch.cat([outermost(batch) for batch in batches])
    border = edges.movedim(1, 0).flatten(1).median(1).values.numpy()
    nothing = np.empty((0, 0), np.float32)
    features = classifier.encoder.features(images) if classifier else nothing
    chances = classifier.head.predict_proba(features) if classifier else nothing
    classes = chances.argmax(1) if classifier else np.empty(0, np.int64)
    return _Measured(looks, features, classes, border)


def _of_classes(looks: Array, classes: Int64[np.ndarray, " _"]) -> tuple[Array, Array]:
    """Mean looks of each class, those of all where a class is rare; deviations from them."""
    if not len(classes):
        return np.empty((0, looks.shape[1]), np.float32), looks.std(0)
    groups = [looks[classes == index] for index in range(classes.max() + 1)]
    common = looks.mean(0)
    means = np.stack([g.mean(0) if len(g) >= _FEWEST_OF_CLASS else common for g in groups])
    return means, (looks - means[classes]).std(0)


def _limit(far: Float32[np.ndarray, " n"]) -> float:
    """What a share `UNLIKE` of new pictures exceeds; with few, by the tail of a normal one."""
    rank, ordered = math.ceil((len(far) + 1) * (1 - UNLIKE)), np.sort(far)
    if rank <= len(far):
        return float(ordered[rank - 1])
    normal = NormalDist()
    here, wanted = 1 - 1 / (2 * (len(far) + 1)), 1 - UNLIKE / 2
    return float(ordered[-1]) * normal.inv_cdf(wanted) / normal.inv_cdf(here)
