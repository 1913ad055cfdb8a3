"""Group C of the battery: words and option files that cannot be carried out."""

import json
import math
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ae_cls.errors import UsageError
from ae_cls.experiment.descriptions import COMMANDS
from ae_cls.experiment.own_options import refuse_unreadable
from ae_cls.experiment.read import read
from tests.composed import options, plain

pytestmark = pytest.mark.filterwarnings(
    "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"
)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["autoencoder.latnt_dim=32"], "autoencoder.latent_dim", id="C01-key"),
        pytest.param(["autoencodr=vae"], "autoencoder=vae", id="C01-group"),
        pytest.param(["pretrain.lr=fast"], 'pretrain.lr="fast"', id="C02-word"),
        pytest.param(["pretrain.epochs=3.5"], "pretrain.epochs=3.5", id="C02-share"),
        pytest.param(["pretrain.lr=1e-3x"], 'pretrain.lr="1e-3x"', id="C02-letter"),
        pytest.param(
            ["head=xgbost"],
            "boosting, clusters, finetune, forest, joint, knn, ladder, lda, linear, m2, mlp, "
            "spread, svm",
            id="C05",
        ),
        pytest.param(["~head=NAN"], "~head", id="C05-removed"),
        pytest.param(["head=" + "x" * 300], "boosting, clusters, finetune", id="C05-long"),
        pytest.param(["device=cuda"], "device=cpu or device=auto", id="C09"),
        pytest.param(["outputs="], "outputs", id="C-empty"),
        pytest.param(["seed=[1,2]"], "seed", id="C-list"),
        pytest.param(["pretrain={lr:{a:{b:1}}}"], "pretrain", id="C-nested"),
        pytest.param(["autoencoder.widths=" + "[" * 400 + "]" * 400], "widths", id="C-deep"),
        pytest.param(["seed=" + "9" * 5000], "seed", id="C-long-number"),
        pytest.param(["pretrain.lr=${seed}x"], "pretrain.lr", id="C-interpolation"),
        pytest.param(["pretrain.lr=${oc.env:HOME}"], "pretrain.lr", id="C-resolver"),
        pytest.param(["head.C=" + ",".join(["1"] * 3)], "head.C", id="C-several"),
    ],
)
def test_words_that_mean_nothing_are_refused_before_anything_is_made(
    words, says, ae_cls, monkeypatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    ended = ae_cls("run", *words)
    assert ended.code == 2, ended.err
    assert says in ended.err and "Traceback" not in ended.err
    assert not Path("outputs").exists()


def numbers(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The kinds of number that a field may be."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    for kind in schema.get("anyOf", [schema]):
        if kind.get("type") in ("integer", "number"):
            yield kind
        elif kind.get("type") == "array" and "items" in kind:
            yield from numbers(kind["items"], definitions)


def ranged(config: dict[str, Any], model: type, above: str = "") -> Iterator[tuple[str, dict]]:
    """Each key of a number in a config, with its range."""
    schema = TypeAdapter(model).json_schema()
    definitions = schema.get("$defs", {})

    def walk(values: dict[str, Any], part: dict[str, Any], place: str):
        if "$ref" in part:
            part = definitions[part["$ref"].rpartition("/")[2]]
        if "oneOf" in part:
            chosen = part["discriminator"]["mapping"][values["name"]].rpartition("/")[2]
            part = definitions[chosen]
        for key, value in values.items():
            field = part.get("properties", {}).get(key, {})
            if isinstance(value, dict):
                yield from walk(value, field, f"{place}{key}.")
            for kind in numbers(field, definitions):
                yield f"{place}{key}", kind

    yield from walk(config, schema, above)


def outside(kind: dict[str, Any]) -> Iterator[int | float]:
    """Numbers just beyond what is allowed, and those that are none."""
    for name, step in (("minimum", -1), ("maximum", 1)):
        if name in kind:
            yield kind[name] + step
    if "exclusiveMinimum" in kind:
        yield kind["exclusiveMinimum"]
    if "exclusiveMaximum" in kind:
        yield kind["exclusiveMaximum"]
    if kind["type"] == "number":
        yield from (math.nan, math.inf, -math.inf)
    else:
        yield 1.5


def replaced(config: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    copy = json.loads(json.dumps(config))
    *parts, last = key.split(".")
    inner = copy
    for part in parts:
        inner = inner[part]
    inner[last] = [value] if isinstance(inner[last], list) else value
    return copy


CASES = [
    *((group, option) for group in ("autoencoder", "head") for option in options(group)),
    ("pretrain", "standard"), ("encode", "multiscale"), ("encode", "pooled"), ("encode", "latent"),
    ("encode", "assignments"),
]  # fmt: skip


@pytest.mark.parametrize(("group", "option"), CASES, ids=lambda word: f"C03-{word}")
def test_every_number_is_refused_beyond_its_range(group, option):
    config, model = plain("run", f"{group}={option}"), COMMANDS["run"]
    tried = 0
    for key, kind in ranged(config, model):
        if not key.startswith(group) and (group, option) != ("pretrain", "standard"):
            continue
        for value in outside(kind):
            tried += 1
            with pytest.raises((UsageError, ValidationError, ValueError)) as refused:
                read(model, replaced(config, key, value))
            assert key.rpartition(".")[2] in str(refused.value), (key, value)
    assert tried or option in ("latent", "pixels", "multiscale", "pooled", "lda", "assignments")


DEEP = 100_000
OPTION_FILES = {
    "deep-flow": b"name: x\nwidths: " + b"[" * DEEP + b"]" * DEEP,
    "deep-block": b"".join(b" " * n + b"a:\n" for n in range(900)),
    "laughs": b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 110)
    ),
    "itself": b"a: &a [*a, *a, *a]\n" * 3 + b"b: &b [*b]\n",
    "huge": b"# " + b"x" * 2**21,
    "latin": b"name: x\nroot: caf\xe9\n",
    "utf-16": "name: x\n".encode("utf-16"),
    "nul": b"name: x\nroot: \0\n",
    "tag": b"name: !!python/object/apply:os.system [touch canary]\n",
    "open": b"name: [1, 2\nother: 3\n",
    "part-of-itself": b"name: x\nx: &a [*a]\n",
    "bytes": b"name: !!binary AAAA\n",
    "set": b"name: x\nwidths: !!set {8, 16}\n",
    "includes-itself": b"defaults: [mine]\nname: x\n",
    "tabs": b"name:\n\t- x\n",
}  # fmt: skip


@pytest.mark.parametrize("name", OPTION_FILES, ids=lambda name: f"C-yaml-{name}")
def test_an_option_file_that_is_none_is_refused_at_once(name, ae_cls, tmp_path):
    own = tmp_path / "own" / "pretrain"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_bytes(OPTION_FILES[name])
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    ended = ae_cls("run", "-cd", str(tmp_path / "own"), "pretrain=mine")
    assert ended.code == 2, ended
    assert time.monotonic() - begun < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB
    assert "mine" in ended.err or name == "includes-itself"
    assert "Traceback" not in ended.err and not Path("canary").exists()


@pytest.mark.parametrize("name", ["deep-flow", "deep-block", "laughs", "latin", "open", "bytes"])
def test_the_line_of_what_cannot_be_read_is_named(name, tmp_path):
    (tmp_path / "mine.yaml").write_bytes(OPTION_FILES[name])
    with pytest.raises(UsageError) as refused:
        refuse_unreadable(tmp_path / "mine.yaml")
    assert "line " in refused.value.why


@pytest.mark.parametrize("case", ["C-yaml-number-for-a-key"])
def test_a_number_for_a_key_is_an_unknown_key(case, ae_cls, tmp_path):
    own = tmp_path / "own" / "pretrain"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("1: 2\nname: gradient\n")
    ended = ae_cls("run", "-cd", str(tmp_path / "own"), "pretrain=mine")
    assert ended.code == 2 and "Traceback" not in ended.err
    assert "pretrain.1: there is no such key" in ended.err


@pytest.mark.parametrize("case", ["C-yaml-pipe"])
def test_a_pipe_among_option_files_is_never_opened(case, ae_cls, tmp_path):
    import os

    own = tmp_path / "own" / "pretrain"
    own.mkdir(parents=True)
    os.mkfifo(own / "mine.yaml")
    ended = ae_cls("run", "-cd", str(tmp_path / "own"), "pretrain=mine")
    assert ended.code == 2 and "regular file" in ended.err


@pytest.mark.parametrize(
    "text",
    [
        "# mine\ndefaults: [quick]\nlr: 0.01\n",
        "# mine\nwidths: &w [8, 16]\nother: *w\n",
        "",
        "# only a comment\n",
    ],
)
def test_an_ordinary_option_file_is_read(text, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    refuse_unreadable(tmp_path / "mine.yaml")
