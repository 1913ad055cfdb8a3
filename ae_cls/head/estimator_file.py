"""Fitted scikit-learn estimators as skops files whose bytes depend on their content only, and back.

Reading trusts one fixed list of types. skops by itself would also trust every estimator of
scikit-learn, and its files hold the time, memory addresses and bytes that were never set.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from ae_cls.errors import ModelFileError
from ae_cls.head.head_files import present
from ae_cls.store.received import json_object

ESTIMATOR = "head.skops"

ALLOWED = {
    "builtins.dict": "DictNode",
    "builtins.list": "ListNode",
    "builtins.str": "JsonNode TypeNode",
    "builtins.tuple": "TupleNode",
    "numpy.int64": "NdArrayNode",
    "numpy.ndarray": "NdArrayNode",
    "sklearn.ensemble._forest.RandomForestClassifier": "ObjectNode",
    "sklearn.tree._classes.DecisionTreeClassifier": "ObjectNode",
    "sklearn.tree._tree.Tree": "TreeNode",
}
"""Each type that a head's file may hold, and the loaders of skops that may make it. Never widen."""

_SCHEMA = "schema.json"
_MOST_SCHEMA_BYTES = 1 << 28
_MOST_EXPANSION = 200  # times the file's size; a forest shrinks to a fifth
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can state

Estimator = TypeVar("Estimator")


def estimator_bytes(estimator: object) -> bytes:
    """The content of head.skops; equal estimators give equal bytes."""
    import skops.io  # half a second, and all of scikit-learn: only those who save an estimator pay

    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as source,
        zipfile.ZipFile(content, "w") as target,
    ):
        arrays: dict[bytes, str] = {}
        schema = _in_order(json.loads(source.read(_SCHEMA)), source, arrays)
        for array, name in arrays.items():
            _write(target, name, array)
        _write(target, _SCHEMA, json.dumps(schema).encode())
    return content.getvalue()


def _in_order(node: Any, source: zipfile.ZipFile, arrays: dict[bytes, str]) -> Any:
    """The schema without memory addresses: arrays are numbered in order, equal ones are one."""
    if isinstance(node, list):
        return [_in_order(child, source, arrays) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: _in_order(child, source, arrays) for key, child in node.items() if key != "__id__"}
    if node.get("__loader__") == "NdArrayNode":
        array = _without_gaps(source.read(node["file"]))
        node["file"] = arrays.setdefault(array, f"{len(arrays)}.npy")
    return node


def _without_gaps(content: bytes) -> bytes:
    """The .npy with zeros between the fields of its rows, where there was whatever memory held."""
    array = np.load(io.BytesIO(content), allow_pickle=False)  # noqa: TID251  just written by skops
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)  # zeros_like would set the fields only
    for name in array.dtype.names:
        clean[name] = array[name]
    target = io.BytesIO()
    np.save(target, clean, allow_pickle=False)
    return target.getvalue()


def _write(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    target.writestr(entry, content, compresslevel=1)


def read_estimator(files: Mapping[str, bytes], kind: type[Estimator]) -> Estimator:
    """The estimator in head.skops. Its numbers are still to be checked.

    Raises:
        ModelFileError: the file is damaged, or holds a type that is not in `ALLOWED`, in which case
            nothing of it has been made.
    """
    content = present(files, ESTIMATOR)
    _refuse_foreign_types(content)
    import skops.io

    try:
        estimator = skops.io.loads(content, trusted=list(ALLOWED))
    except Exception as error:  # a stranger's file can fail in skops, zipfile, NumPy, scikit-learn
        raise _damaged(repr(error)) from error
    if type(estimator) is not kind:
        raise _damaged(f"it holds {type(estimator).__name__}, not {kind.__name__}")
    return estimator


def _refuse_foreign_types(content: bytes) -> None:
    try:
        schema = _schema(content)
        foreign = sorted({name for name, loader in _types(schema) if not _allowed(name, loader)})
    except ModelFileError:
        raise
    except Exception as error:  # not a zip file, no schema, not JSON, nested too deep
        raise _damaged(repr(error)) from error
    if foreign:
        raise ModelFileError(
            f"the head holds a type that is not trusted: {foreign[0]}",
            where=ESTIMATOR,
            why="a head is made of scikit-learn's trees and forests, and of arrays",
            fix="fit the head again: ae-cls classify encoder=RUN_FOLDER",
        )


def _schema(content: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > _MOST_EXPANSION * len(content):
            raise _damaged(f"it would expand to {size} bytes")
        if archive.getinfo(_SCHEMA).file_size > _MOST_SCHEMA_BYTES:
            raise _damaged("its list of objects is too long")
        return json_object(archive.read(_SCHEMA), ESTIMATOR)


def _types(node: Any) -> Iterator[tuple[str, str]]:
    """Each type that the schema names, and the loader that is to make it."""
    if isinstance(node, dict):
        if "__class__" in node or "__loader__" in node:
            name = f"{node.get('__module__')}.{node.get('__class__')}"
            yield name, str(node.get("__loader__"))
        for child in node.values():
            yield from _types(child)
    elif isinstance(node, list):
        for child in node:
            yield from _types(child)


def _allowed(name: str, loader: str) -> bool:
    return loader in ALLOWED.get(name, "").split()


def _damaged(why: str) -> ModelFileError:
    return ModelFileError("the head cannot be read", where=ESTIMATOR, why=why)
