"""Damaged and hostile files: refused with the name of what is wrong, and nothing is run."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import skops.io
from sklearn.ensemble import RandomForestClassifier

from ae_cls.errors import ModelFileError
from ae_cls.head.estimator_file import ALLOWED, ESTIMATOR, estimator_bytes, read_estimator
from ae_cls.head.head_files import ARRAYS, RECORD
from tests.head.heads import WORDS, blobs, config, fit, fitted_on_blobs

OF_ARRAYS = [word for word in WORDS if word != "forest"]
NAMED = [word for word in OF_ARRAYS if word != "linear"]
STANDARDISED = [word for word in OF_ARRAYS if word != "boosting"]
FEATURES = blobs(5).features


def files(word: str) -> dict[str, bytes]:
    return dict(fitted_on_blobs(word).files())


def refuse(word: str, changed: dict[str, bytes], match: str = "") -> ModelFileError:
    with pytest.raises(ModelFileError) as refusal:
        config(word).load(changed)
    assert refusal.value.code == 5
    assert match in refusal.value.block()
    return refusal.value


def arrays_of(word: str) -> dict[str, np.ndarray]:
    return safetensors.numpy.load(files(word)[ARRAYS])


def with_arrays(word: str, arrays: dict[str, np.ndarray]) -> dict[str, bytes]:
    return {**files(word), ARRAYS: safetensors.numpy.save(arrays)}


@pytest.mark.parametrize("word", WORDS)
def test_a_missing_file_is_named(word: str) -> None:
    for name in files(word):
        refuse(word, {n: content for n, content in files(word).items() if n != name}, name)


@pytest.mark.parametrize("word", WORDS)
def test_a_cut_file_is_refused(word: str) -> None:
    for name, content in files(word).items():
        for length in (0, 1, 7, len(content) // 2, len(content) - 3):
            refuse(word, {**files(word), name: content[:length]})


PAYLOADS = [
    b"cos\nsystem\n(S'touch canary'\ntR.",  # pickle, protocol 0
    b"\x80\x04\x95",
    b"PK\x03\x04",
    b"[" * 100_000,
    b'{"__class__": "system", "__module__": "os"}',
    b"\x93NUMPY\x01\x00",
    b"null",
    b'{"head": NaN}',
]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("word", WORDS)
def test_other_formats_are_refused_and_not_run(
    word: str, payload: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in files(word).keys() - ({RECORD} if word == "linear" else set()):
        refuse(word, {**files(word), name: payload})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 100_000_001),
        struct.pack("<Q", 0),
        struct.pack("<Q", 8) + b"not json",
        struct.pack("<Q", 60) + b'{"mean":{"dtype":"F32","shape":[9],"data_offsets":[-4,32]}}  ',
        struct.pack("<Q", 60) + b'{"mean":{"dtype":"F32","shape":[9],"data_offsets":[0,9999]}}',
    ],
)
@pytest.mark.parametrize("word", OF_ARRAYS)
def test_a_wrong_safetensors_header_is_refused(word: str, header: bytes) -> None:
    refuse(word, {**files(word), ARRAYS: header})


@pytest.mark.parametrize("word", NAMED)
def test_a_million_arrays_are_refused_before_they_are_read(word: str) -> None:
    header = json.dumps(
        {str(i): {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(50_000)}
    ).encode()
    refuse(word, {**files(word), ARRAYS: struct.pack("<Q", len(header)) + header}, "too long")


def poisoned(array: np.ndarray) -> np.ndarray:
    wrong = array.copy()
    wrong.flat[0] = np.nan
    return wrong


DAMAGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "other type": lambda array: array.astype(np.float64 if array.dtype != np.float64 else np.int8),
    "more sides": lambda array: array[None],
    "empty": lambda array: array.ravel()[:0],
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("word", NAMED)
def test_a_damaged_array_is_named(word: str, damage: str) -> None:
    arrays = arrays_of(word)
    for name, array in arrays.items():
        refuse(word, with_arrays(word, {**arrays, name: DAMAGES[damage](array)}), repr(name))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("word", NAMED)
def test_an_array_that_is_not_finite_is_named(word: str, wrong: float) -> None:
    arrays = arrays_of(word)
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            changed = array.copy()
            changed.flat[-1] = wrong
            refuse(word, with_arrays(word, {**arrays, name: changed}), repr(name))


@pytest.mark.parametrize("word", STANDARDISED)
def test_weights_that_are_no_numbers_are_refused(word: str) -> None:
    arrays = arrays_of(word)
    for name in ("mean", "scale"):
        changed = np.full_like(arrays[name], np.nan)
        refuse(word, with_arrays(word, {**arrays, name: changed}))


@pytest.mark.parametrize("word", OF_ARRAYS)
def test_missing_and_surplus_arrays_are_refused(word: str) -> None:
    arrays = arrays_of(word)
    refuse(word, with_arrays(word, {**arrays, "surplus": np.zeros(3, np.float32)}))
    for name in arrays:
        refuse(word, with_arrays(word, {n: a for n, a in arrays.items() if n != name}))


@pytest.mark.parametrize("word", STANDARDISED)
def test_arrays_of_another_width_are_refused(word: str) -> None:
    arrays = arrays_of(word)
    refuse(word, with_arrays(word, {**arrays, "mean": arrays["mean"][:-1]}))


@pytest.mark.parametrize("word", [word for word in STANDARDISED if word in NAMED])
def test_a_scale_of_zero_is_refused(word: str) -> None:
    arrays = arrays_of(word)
    refuse(word, with_arrays(word, {**arrays, "scale": np.zeros_like(arrays["scale"])}), "scale")


@pytest.mark.parametrize("counts", [[-1, 41, 40, 40], [10**6, 1, 1, 1], [1, 1, 1, 1]])
def test_neighbours_that_do_not_add_up_are_refused(counts: list[int]) -> None:
    refuse("knn", with_arrays("knn", {**arrays_of("knn"), "counts": np.array(counts)}), "fit")


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize(
    ("word", "name"), [("knn", "neighbours"), ("knn", "temperature"), ("svm", "gamma")]
)
def test_a_number_that_must_be_above_zero_is_refused(word: str, name: str, value: int) -> None:
    arrays = arrays_of(word)
    changed = {**arrays, name: np.array(value, arrays[name].dtype)}
    refuse(word, with_arrays(word, changed), repr(name))


@pytest.mark.parametrize("word", [*NAMED, "forest"])
def test_a_record_of_another_head_or_with_other_keys_is_refused(word: str) -> None:
    record = json.loads(files(word)[RECORD])
    for changed in (
        {**record, "head": "other"},
        {**record, "_target_": "os.system"},
        {**record, "class_count": "4"},
        {**record, "class_count": 1},
        {**record, "feature_count": record["feature_count"] + 1},
        {key: value for key, value in record.items() if key != "facts"},
    ):
        refuse(word, {**files(word), RECORD: json.dumps(changed).encode()})


# --- skops -----------------------------------------------------------------------------------


def rezipped(content: bytes, change: Callable[[Any], Any]) -> bytes:
    """The skops file with another schema."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "schema.json":
                data = json.dumps(change(json.loads(data))).encode()
            new.writestr(name, data)
    return target.getvalue()


def spliced(node: dict[str, Any]) -> Callable[[Any], Any]:
    """A change that puts `node` in the place of the forest's first tree."""

    def change(schema: Any) -> Any:
        schema["content"]["content"]["estimators_"]["content"][0] = node
        return schema

    return change


FOREIGN = {
    "posix.system": {"__class__": "system", "__module__": "posix", "__loader__": "FunctionNode"},
    "os.system": {"__class__": "system", "__module__": "os", "__loader__": "TypeNode"},
    "builtins.exec": {"__class__": "exec", "__module__": "builtins", "__loader__": "FunctionNode"},
    # skops trusts these by itself; our list does not.
    "sklearn.svm._classes.SVC": {
        "__class__": "SVC", "__module__": "sklearn.svm._classes", "__loader__": "ObjectNode",
        "content": None,
    },
    "scipy.special._ufuncs.expit": {
        "__class__": "expit", "__module__": "scipy.special._ufuncs", "__loader__": "FunctionNode",
    },
    # An allowed type by a loader that is not its own.
    "numpy.ndarray": {"__class__": "ndarray", "__module__": "numpy", "__loader__": "ObjectNode"},
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_type_off_the_list_is_named_before_anything_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: object, **__: object) -> None:
        raise AssertionError("skops was asked to load it")

    monkeypatch.setattr(skops.io, "loads", made)
    content = rezipped(files("forest")[ESTIMATOR], spliced(FOREIGN[name]))
    refuse("forest", {**files("forest"), ESTIMATOR: content}, name)


def test_a_partial_of_os_system_is_refused_by_name(tmp_path: Path) -> None:
    import functools
    import os

    canary = tmp_path / "canary"
    content = skops.io.dumps(functools.partial(os.system, f"touch {canary}"))
    refuse("forest", {**files("forest"), ESTIMATOR: content}, "functools.partial")
    assert not canary.exists()


def test_another_estimator_than_a_forest_is_refused() -> None:
    tree = fitted_on_blobs("forest").estimator.estimators_[0]  # type: ignore[attr-defined]
    content = estimator_bytes(tree)
    refuse("forest", {**files("forest"), ESTIMATOR: content}, "DecisionTreeClassifier")


def test_the_list_of_types_is_what_a_forest_needs() -> None:
    schema = zipfile.ZipFile(io.BytesIO(files("forest")[ESTIMATOR])).read("schema.json").decode()
    for name in ALLOWED:
        module, _, kind = name.rpartition(".")
        assert f'"__class__": "{kind}"' in schema and f'"__module__": "{module}"' in schema


def test_a_small_file_that_expands_without_end_is_refused() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.npy", bytes(50_000_000))
        archive.writestr("schema.json", "{}")
    refuse("forest", {**files("forest"), ESTIMATOR: target.getvalue()}, "expand")


def nodes_changed(field: str, value: float) -> bytes:
    """The forest's file with one field of the root of the first trees set."""
    content, target = files("forest")[ESTIMATOR], io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(data))
                if field in (array.dtype.names or ()):
                    array[field][0] = value
                    buffer = io.BytesIO()
                    np.save(buffer, array)
                    data = buffer.getvalue()
            new.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left_child", 10**9),
        ("left_child", 0),  # its own child: a walk without end
        ("left_child", -7),
        ("right_child", 10**9),
        ("right_child", -1),
        ("feature", 10**9),
        ("feature", 8),
        ("feature", -5),
    ],
)
def test_a_tree_that_points_outside_itself_is_refused(field: str, value: int) -> None:
    changed = {**files("forest"), ESTIMATOR: nodes_changed(field, value)}
    refuse("forest", changed, "trees do not fit together")


def test_a_forest_of_other_classes_is_refused() -> None:
    forest = RandomForestClassifier(3, n_jobs=1, random_state=0).fit(FEATURES, [0, 1, 2, 3, 9])
    refuse("forest", {**files("forest"), ESTIMATOR: estimator_bytes(forest)}, "trees")


def test_a_damaged_forest_does_not_reach_its_caller_by_another_error() -> None:
    content = files("forest")[ESTIMATOR]
    draws = np.random.default_rng(0)
    for _ in range(12):
        changed = bytearray(content)
        changed[draws.integers(len(content))] ^= int(draws.integers(1, 256))
        try:
            config("forest").load({**files("forest"), ESTIMATOR: bytes(changed)})
        except ModelFileError:
            continue


def test_reading_an_estimator_gives_back_what_was_written() -> None:
    forest = RandomForestClassifier(3, n_jobs=1, random_state=0).fit(FEATURES, [0, 1, 2, 3, 1])
    content = {ESTIMATOR: estimator_bytes(forest)}
    again = read_estimator(content, RandomForestClassifier)
    assert np.array_equal(again.predict_proba(FEATURES), forest.predict_proba(FEATURES))


def test_the_files_of_one_head_are_not_read_by_another() -> None:
    svm = fit(config("svm"), blobs(40), blobs(20, seed=1), 4)
    refuse("mlp", svm.files(), "'svm'")
