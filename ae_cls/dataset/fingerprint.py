"""Hashes of what a data set holds: content decides, never a name, a size or a time."""

import hashlib

import numpy as np
import torch

from ae_cls.dataset.contract import ImageTable, Rows
from ae_cls.dataset.stored import StoredImages

_CHUNK = 8192  # images at a time


def images_sha256(images: ImageTable) -> str:
    """SHA-256 of shape and bytes of all images, the same in memory and in a file.

    A file is hashed once: opening what was kept has done so already.
    """
    if not isinstance(images, StoredImages):
        return _of_all(images)
    images.sha256 = images.sha256 or _of_all(images)
    return images.sha256


def _of_all(images: ImageTable) -> str:
    told = hashlib.sha256(str(tuple(images.shape)).encode())
    for rows in torch.arange(len(images)).split(_CHUNK):
        told.update(images.index_select(0, rows).numpy().data)
    return told.hexdigest()


def numbers_sha256(*columns: Rows) -> str:
    """SHA-256 of columns of integers, such as rows and their labels."""
    told = hashlib.sha256()
    for column in columns:
        told.update(f"{len(column)}:".encode() + np.ascontiguousarray(column, "<i8").tobytes())
    return told.hexdigest()
