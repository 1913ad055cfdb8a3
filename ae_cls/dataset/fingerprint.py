"""Hashes of what a data set holds: content decides, never a name, a size or a time."""

import hashlib

import numpy as np
import torch
from jaxtyping import UInt64

from ae_cls.dataset.contract import ImageTable, Rows
from ae_cls.dataset.stored import StoredImages
from ae_cls.store.arrays import npy_header

_CHUNK = 8192  # images at a time


def images_sha256(images: ImageTable) -> str:
    """SHA-256 of the .npy file that holds these images or, for images in memory, that would.

    So a file that was verified when it was opened is not read again.
    """
    if isinstance(images, StoredImages) and images.sha256:
        return images.sha256
    hasher = hashlib.sha256(npy_header(np.dtype(np.uint8), tuple(images.shape)))
    for rows in torch.arange(len(images)).split(_CHUNK):
        hasher.update(images.index_select(0, rows).numpy().data)
    return hasher.hexdigest()


def row_hashes(images: ImageTable) -> UInt64[np.ndarray, " n"]:
    """Eight bytes of a hash (BLAKE2b) of each image's pixels: equal for equal images.

    Two different ones among a million share a hash with a probability of 3e-8.
    """
    digests = bytearray()
    for rows in torch.arange(len(images)).split(_CHUNK):
        for image in images.index_select(0, rows).flatten(1).numpy():
            digests += hashlib.blake2b(image.data, digest_size=8).digest()
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def numbers_sha256(*columns: Rows) -> str:
    """SHA-256 of columns of integers, such as rows and their labels."""
    hasher = hashlib.sha256()
    for column in columns:
        hasher.update(f"{len(column)}:".encode() + np.ascontiguousarray(column, "<i8").tobytes())
    return hasher.hexdigest()
