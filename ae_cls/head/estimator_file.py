"""Fitted scikit-learn estimators as skops files whose bytes depend on their content only, and back.

Reading trusts one fixed list of types. skops by itself would also trust every estimator of
scikit-learn, and dates and numbers its files by time and memory address.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from ae_cls.errors import ModelFileError
from ae_cls.head.head_files import present

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
"""Each type that a head's file may hold, and which of skops' loaders may make it. Never widened."""

_SCHEMA = "schema.json"
_MOST_SCHEMA_BYTES = 1 << 28
_MOST_EXPANSION = 200  # times the file's size; a forest shrinks to a fifth
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can state

Estimator = TypeVar("Estimator")


def estimator_bytes(estimator: object) -> bytes:
    """head.skops; equal estimators give equal bytes."""
    import skops.io  # half a second, and all of scikit-learn: only who saves an estimator pays

    names: dict[str, str] = {}
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as source,
        zipfile.ZipFile(content, "w") as target,
    ):
        schema = _numbered(json.loads(source.read(_SCHEMA)), {}, names)
        for old, new in names.items():
            _write(target, new, source.read(old))
        _write(target, _SCHEMA, json.dumps(schema).encode())
    return content.getvalue()


def _numbered(node: Any, numbers: dict[int, int], names: dict[str, str]) -> Any:
    """The schema with objects and files counted in order instead of by memory address."""
    if isinstance(node, list):
        return [_numbered(child, numbers, names) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: _numbered(child, numbers, names) for key, child in node.items()}
    if "__id__" in node:
        node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
    if "__loader__" in node and "file" in node:
        node["file"] = names.setdefault(node["file"], f"{len(names)}.npy")
    return node


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
            f"the head holds a type that is not to be trusted: {foreign[0]}",
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
        return json.loads(archive.read(_SCHEMA))


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
