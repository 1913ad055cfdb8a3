"""Model files that are damaged, of something else, or made to do harm (M01 to M17, K05, K08)."""

import io
import json
import os
import pickle
import time
import zipfile
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from ae_cls.errors import ModelFileError, UsageError
from ae_cls.experiment import configs
from ae_cls.saved.model import load_classifier, load_likeness, read_experiment, save_model
from ae_cls.saved.predict import predict_to_csv
from ae_cls.store.arrays import mapped_array, read_arrays
from ae_cls.store.tensor_file import tensors_in
from ae_cls.store.weights import load_weights, most_bytes, read_weights, weights_bytes
from tests.cli.conftest import AeCls
from tests.composed import experiment
from tests.faults.whole_run import cpu, one_image, resealed, rewritten, tensor_file, whole_run

pytestmark = pytest.mark.timeout(240)  # a hang is a failure

WEIGHTS = "model.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The model folder of a finished run."""
    return whole_run(tmp_path) / "model"


def refused(model: Path, where: str = "", match: str = "") -> ModelFileError:
    """How loading it ends, with a manifest that fits the files."""
    resealed(model)
    begin = time.monotonic()
    with pytest.raises(ModelFileError) as refusal:
        load_classifier(model.parent, cpu())
        load_likeness(model.parent)
    assert refusal.value.code == 5
    assert where in refusal.value.where and match in refusal.value.block()
    assert time.monotonic() - begin < 20
    return refusal.value


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize(
    "name", [WEIGHTS, "head.safetensors", "head.json", "likeness.safetensors", "config.json"]
)
@pytest.mark.parametrize("form", ["pickle", "torch", "npy", "npz"])
def test_m01_a_pickle_in_any_place_is_refused_and_does_not_run(
    model: Path, tmp_path: Path, name: str, form: str
) -> None:
    canary, content = tmp_path / "canary", io.BytesIO()
    match form:
        case "pickle":
            content.write(pickle.dumps(Payload(canary)))
        case "torch":
            torch.save(Payload(canary), content)
        case "npy":
            np.save(content, np.array([Payload(canary)], object))
        case "npz":
            np.savez(content, a=np.array([Payload(canary)], object))
    (model / name).write_bytes(content.getvalue())
    refused(model)
    assert not canary.exists()


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_m01_arrays_of_objects_in_a_run_or_store_are_refused(tmp_path: Path, name: str) -> None:
    canary, path = tmp_path / "canary", tmp_path / name
    objects = np.array([Payload(canary)], object)
    np.save(path, objects) if name == "a.npy" else np.savez(path, a=objects)
    with pytest.raises(ModelFileError, match="objects"):
        mapped_array(path) if name == "a.npy" else read_arrays(path, "a")
    assert not canary.exists()


def bomb(member: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("a.npy", member)
    return content.getvalue()


def npy(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    content = io.BytesIO()
    header: Any = {"descr": "<i8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, header)
    return content.getvalue() + data


@pytest.mark.parametrize(
    "content",
    [
        bomb(npy((10**7,), bytes(8 * 10**7))),
        bomb(npy((10**14,), bytes(80))),
        bomb(npy((-1,), bytes(80))),
        bomb(npy((2**62, 2**62), bytes(80))),
        bomb(npy((10,), bytes(80)) + b"more"),
        bomb(b"no array"),
        bomb(npy((10,), bytes(80)))[:-30],
        b"PK\3\4",
        b"",
    ],
    ids=["bomb", "absurd", "negative", "overflow", "more", "no array", "cut", "stub", "empty"],
)
def test_m10_an_archive_expands_to_no_more_than_it_announces(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "split.npz").write_bytes(content)
    with pytest.raises(ModelFileError) as refusal:
        read_arrays(tmp_path / "split.npz", "a")
    assert "split.npz" in refusal.value.where and refusal.value.why


def one(**changed: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changed}}


HEADERS: dict[str, bytes] = {
    "length 2^63": tensor_file(b"{}", length=2**63),
    "length 100 MB and 1": tensor_file(b"{}", length=100_000_001),
    "length 0": tensor_file(b"", length=0),
    "length past the end": tensor_file(b"{}", length=3),
    "7 bytes": b"\2\0\0\0\0\0\0",
    "no JSON": tensor_file(b"{a:1}"),
    "a list": tensor_file([]),
    "a name twice": tensor_file(
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"1"
    ),
    "a key twice": tensor_file(
        b'{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"1"
    ),
    "overlap": tensor_file(one() | {"b": one(data_offsets=[4, 12])["a"]}, bytes(12)),
    "hole": tensor_file(one() | {"b": one(data_offsets=[12, 20])["a"]}, bytes(20)),
    "hole in front": tensor_file(one(data_offsets=[4, 12]), bytes(12)),
    "rest behind": tensor_file(one(), bytes(12)),
    "past the end": tensor_file(one(data_offsets=[0, 16], shape=[4]), bytes(8)),
    "negative": tensor_file(one(data_offsets=[-8, 0]), bytes(8)),
    "end before begin": tensor_file(one(data_offsets=[8, 0]), bytes(8)),
    "three offsets": tensor_file(one(data_offsets=[0, 4, 8]), bytes(8)),
    "fractions": tensor_file(one(data_offsets=[0.0, 8.0]), bytes(8)),
    "other size": tensor_file(one(shape=[3]), bytes(8)),
    "overflow": tensor_file(one(shape=[2**62, 2**62]), bytes(8)),
    "negative side": tensor_file(one(shape=[-2]), bytes(8)),
    "unknown type": tensor_file(one(dtype="F128"), bytes(8)),
    "more keys": tensor_file(one(more=1), bytes(8)),
    "a million tensors": tensor_file(
        {str(i): {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(10**6 // 5)}
    ),
    "deep": tensor_file(b"[" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("name", [WEIGHTS, "head.safetensors", "likeness.safetensors"])
@pytest.mark.parametrize("header", HEADERS)
def test_m02_headers_are_checked_before_any_tensor_is_made(
    model: Path, monkeypatch: pytest.MonkeyPatch, name: str, header: str
) -> None:
    def made(*_: object) -> None:
        raise AssertionError("tensors were made")

    (model / name).write_bytes(HEADERS[header])
    if name == WEIGHTS:
        monkeypatch.setattr(safetensors.torch, "load", made)
    # The list of a likeness or a head comes after sound weights.
    refused(model, name)


@pytest.mark.parametrize("header", HEADERS)
def test_m02_a_header_is_refused_whatever_it_is_of(header: str) -> None:
    with pytest.raises(ModelFileError) as refusal:
        tensors_in(HEADERS[header], "x.safetensors")
    assert refusal.value.where.startswith("x.safetensors") and refusal.value.why


def test_m02_what_is_ours_is_listed() -> None:
    content = weights_bytes(torch.nn.Linear(3, 2))
    found = tensors_in(content, "x")
    assert {name: str(facts) for name, facts in found.items()} == {
        "bias": "F32 (2,)", "weight": "F32 (2, 3)",
    }  # fmt: skip


def changed_weights(model: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> str:
    """The name of the first of them."""
    tensors = safetensors.torch.load((model / WEIGHTS).read_bytes())
    name = sorted(name for name, tensor in tensors.items() if tensor.ndim > 1)[0]
    tensors["first"] = tensors[name]
    change(tensors)
    first = tensors.pop("first", None)
    if first is not None:
        tensors[name] = first
    else:
        del tensors[name]
    (model / WEIGHTS).write_bytes(safetensors.torch.save(tensors))
    return name


MISFITS: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "not finite": lambda tensors: tensors["first"].view(-1)[0].fill_(float("nan")),
    "infinite": lambda tensors: tensors["first"].view(-1)[0].fill_(float("-inf")),
    "F64": lambda tensors: tensors.update(first=tensors["first"].double()),
    "F16": lambda tensors: tensors.update(first=tensors["first"].half()),
    "missing": lambda tensors: tensors.pop("first"),
    "not (": lambda tensors: tensors.update(first=tensors["first"].flatten()),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_m03_weights_that_do_not_fit_are_named(model: Path, misfit: str) -> None:
    name = changed_weights(model, MISFITS[misfit])
    error = refused(model, WEIGHTS)
    assert name in error.why or name in error.block()


def test_m03_a_tensor_too_many_is_named(model: Path) -> None:
    changed_weights(model, lambda tensors: tensors.update(more=torch.zeros(1)))
    refused(model, WEIGHTS, "unexpected: more")


@pytest.mark.parametrize("numbers", [("class_count", 11), ("feature_count", 9)])
def test_m03_a_head_of_another_model_is_refused(model: Path, numbers: tuple[str, int]) -> None:
    rewritten(model / "head.json", **dict([numbers]))
    refused(model, match="11 classes" if numbers[0] == "class_count" else "9 features")


def test_m03_a_head_that_fits_itself_but_not_its_model_is_refused(
    tmp_path: Path, model: Path
) -> None:
    wider = whole_run(tmp_path / "wider", "autoencoder.latent_dim=4") / "model"
    for name in ("head.json", "head.safetensors"):
        (wider / name).rename(model / name)
    refused(model, match="4 features")


TRAINED = {
    "m2": ("autoencoder=conditional_vae", "head=m2", "head.epochs=1", "head.min_steps=2"),
    "ladder": ("head=ladder", "head.epochs=1", "head.min_steps=2"),
    "finetune": ("head=finetune", "head.epochs=1", "head.min_steps=2"),
}
OTHER: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "one side more": lambda tensor: tensor[None].clone(),
    "twice as many": lambda tensor: torch.cat([tensor.reshape(-1)] * 2),
    "another type": lambda tensor: tensor.to(torch.float16),
}


@pytest.mark.parametrize("head", TRAINED)
def test_m03_any_tensor_of_a_head_that_trains_the_encoder_is_named(
    tmp_path: Path, head: str
) -> None:
    model = whole_run(tmp_path, *TRAINED[head]) / "model"
    load_classifier(model.parent, cpu())
    for file in (WEIGHTS, "head.safetensors"):
        whole = (model / file).read_bytes()
        tensors = safetensors.torch.load(whole)
        for name, change in zip(tensors, cycle(OTHER.values()), strict=False):
            other = tensors | {name: change(tensors[name])}
            (model / file).write_bytes(safetensors.torch.save(other))
            assert name in refused(model, file).block()
        (model / file).write_bytes(whole)


HUGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "50 GB": lambda config: config["description"]["autoencoder"].update(latent_dim=800_000_000),
    "beyond counting": lambda config: config["description"]["autoencoder"].update(
        latent_dim=10**30
    ),
    "image": lambda config: config.update(image_shape=[1, 10**9, 10**9]),
    "an image of no size": lambda config: config.update(image_shape=[1, 0, 8]),
    "four sides": lambda config: config.update(image_shape=[1, 8, 8, 8]),
    "a hundred thousand layers": lambda config: config["description"]["autoencoder"].update(
        widths=[8] * 100_000
    ),
    "wide": lambda config: config["description"]["autoencoder"].update(widths=[65536, 65536]),
}


@pytest.mark.parametrize("huge", HUGE)
def test_a_description_larger_than_its_weights_is_refused_before_it_is_built(
    model: Path, monkeypatch: pytest.MonkeyPatch, huge: str
) -> None:
    config = json.loads((model / "config.json").read_text())
    HUGE[huge](config)
    (model / "config.json").write_text(json.dumps(config))
    refused(model)


def test_classes_of_one_name_are_refused(model: Path) -> None:
    """Their columns could not be told apart."""
    names = json.loads((model / "config.json").read_text())["class_names"]
    rewritten(model / "config.json", class_names=[names[0], *names[:-1]])
    refused(model, "config.json", "two classes have one name")


def test_a_file_of_weights_is_not_read_beyond_what_the_network_has(tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    path = tmp_path / WEIGHTS
    path.write_bytes(weights_bytes(network))
    load_weights(network, read_weights(path, network))
    os.truncate(path, most_bytes(network) + 1)
    with pytest.raises(ModelFileError, match="larger"):
        read_weights(path, network)


TARGETS = ("os.system", "logging.os.system", "posix.system", "builtins.exec", "shutil.rmtree")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("place", ["autoencoder", "head", "dataset", "", "nested"])
def test_m04_a_stored_config_holds_no_call(
    model: Path, tmp_path: Path, target: str, place: str
) -> None:
    canary = tmp_path / "canary"
    call = {"_target_": target, "_partial_": False, "_args_": [f"touch {canary}"]}
    path = model / "config.json"
    config = json.loads(path.read_text())
    node = config["description"]
    match place:
        case "":
            node.update(call)
        case "nested":
            node["autoencoder"]["widths"] = [call]
        case _:
            node[place].update(call)
    path.write_text(json.dumps(config))
    error = refused(model, match="")
    assert not canary.exists()
    assert "_target_" in error.block() or place == "nested"


@pytest.mark.parametrize(
    "name",
    ["../../x", "/etc/passwd", "..", ".", "a/b", "C:\\x", "a\0b", "", "link", "pipe", "device"],
)
def test_m08_a_manifest_names_nothing_but_files_of_its_folder(model: Path, name: str) -> None:
    (model / "link").symlink_to("/etc/passwd")
    os.mkfifo(model / "pipe")
    (model / "device").symlink_to("/dev/zero")
    manifest = json.loads((model / "manifest.json").read_text())
    manifest["files"][name] = {"size": 1, "sha256": "0" * 64}
    manifest["files"]["config.json"] = {"size": 1, "sha256": "0" * 64}
    (model / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError) as refusal:
        read_experiment(model)
    assert refusal.value.code == 5


def test_m09_a_model_that_is_a_link_is_not_followed(tmp_path: Path, model: Path) -> None:
    model.rename(tmp_path / "elsewhere")
    model.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelFileError, match="link"):
        load_classifier(model.parent, cpu())


def test_a_run_that_is_reached_through_a_link_is_read(tmp_path: Path, model: Path) -> None:
    (tmp_path / "mine").symlink_to(model.parent)
    load_classifier(tmp_path / "mine", cpu())


CUTS: dict[str, Callable[[bytes], bytes]] = {
    "0 bytes": lambda content: b"",
    "1 byte": lambda content: content[:1],
    "7 bytes": lambda content: content[:7],
    "8 bytes": lambda content: content[:8],
    "half": lambda content: content[: len(content) // 2],
    "99.9 %": lambda content: content[: len(content) * 999 // 1000],
    "one less": lambda content: content[:-1],
    "one more": lambda content: content + b"\0",
}
NAMES = (
    "manifest.json", "config.json", WEIGHTS, "head.json", "head.safetensors",
    "likeness.safetensors",
)  # fmt: skip


@pytest.mark.parametrize("cut", [*CUTS, "a folder", "deleted"])
def test_k05_each_file_that_is_cut_or_gone_is_named(model: Path, tmp_path: Path, cut: str) -> None:
    one_image(tmp_path / "photos")
    for name in NAMES:
        path, whole = model / name, (model / name).read_bytes()
        path.unlink()
        if cut in CUTS:
            path.write_bytes(CUTS[cut](whole))
        elif cut == "a folder":
            path.mkdir()
        with pytest.raises(ModelFileError) as refusal:
            predict_to_csv(model.parent, [tmp_path / "photos"], tmp_path / "out.csv", "cpu")
        assert name in refusal.value.where, refusal.value
        assert refusal.value.code == 5 and (refusal.value.why or refusal.value.fix or cut)
        path.rmdir() if cut == "a folder" else path.unlink(missing_ok=True)
        path.write_bytes(whole)


def test_k08_weights_of_another_architecture_are_refused_with_five_names(
    model: Path, tmp_path: Path
) -> None:
    other = (
        whole_run(tmp_path / "other", "autoencoder=shallow", "autoencoder.latent_dim=8") / "model"
    )
    (other / WEIGHTS).rename(model / WEIGHTS)
    error = refused(model, WEIGHTS)
    missing, unexpected, other_shape = error.why.splitlines()
    assert missing.startswith("missing: ") and missing.count(",") == 5 and "more" in missing
    assert unexpected == "unexpected: bias, to_pixels"
    assert other_shape.startswith("of another shape or type: to_latent.weight (F32 (8, 64), not")


def test_k16_a_model_that_is_saved_where_it_was_loaded_from_keeps_every_byte(model: Path) -> None:
    """Libraries that map the file of the weights write over what they still read."""
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    description = read_experiment(model)
    classifier, likeness = load_classifier(model, cpu()), load_likeness(model)
    for _ in range(2):
        save_model(
            model, description, classifier.encoder.model,
            class_names=classifier.class_names, head=classifier.head, likeness=likeness,
        )  # fmt: skip
        assert {path.name: path.read_bytes() for path in model.iterdir()} == before
        classifier = load_classifier(model, cpu())


def test_k08_weights_of_another_width_are_refused_and_none_is_taken(
    model: Path, tmp_path: Path
) -> None:
    other = whole_run(tmp_path / "other", "autoencoder.latent_dim=4") / "model"
    network = experiment("autoencoder=shallow", "autoencoder.latent_dim=8").autoencoder.build(
        (1, 8, 8)
    )
    before = weights_bytes(network)
    with pytest.raises(ModelFileError):
        load_weights(network, (other / WEIGHTS).read_bytes())
    assert weights_bytes(network) == before


def test_m11_hydras_flag_that_unpickles_is_not_offered(ae_cls: AeCls, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "evil.pickle").write_bytes(pickle.dumps(Payload(canary)))
    ended = ae_cls("run", "--experimental-rerun", "evil.pickle")
    assert ended.code == 2 and not canary.exists()


@pytest.mark.filterwarnings("ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning")
def test_m11_hydras_search_path_cannot_be_led_elsewhere(ae_cls: AeCls, tmp_path: Path) -> None:
    (tmp_path / "evil" / "autoencoder").mkdir(parents=True)
    (tmp_path / "evil" / "autoencoder" / "mine.yaml").write_text("name: conv\n")
    where = f"hydra.searchpath=[file://{tmp_path}/evil]"
    ended = ae_cls("run", where, "autoencoder=mine", "--cfg", "job")
    assert ended.code == 2 and "Traceback" not in ended.err


def test_m16_every_word_of_the_configs_is_data() -> None:
    folder = configs.config_folder()
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml")]
    assert texts and not any("_target_" in text or "!!python" in text for text in texts)


def test_the_weights_of_a_refused_config_name_the_reason(model: Path) -> None:
    rewritten(model / "config.json", image_shape=[1, 2, 2])
    assert refused(model, "config.json").why


def test_a_wrong_word_of_the_user_stays_an_error_of_usage() -> None:
    with pytest.raises(UsageError):
        experiment("autoencoder.latent_dim=0")
