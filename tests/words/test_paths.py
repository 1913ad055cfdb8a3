"""A path is what was typed, whatever Hydra's grammar, YAML or OmegaConf would make of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ae_cls.cli.commands import cache, encode, predict, resume, sweep_status
from ae_cls.cli.flags import sort_words
from ae_cls.errors import UsageError
from ae_cls.experiment.configs import PATH_KEYS
from ae_cls.experiment.descriptions import COMMANDS
from ae_cls.search.settings import SearchSettings
from ae_cls.study.settings import StudySettings
from ae_cls.words.combinations import combinations
from ae_cls.words.compose import compose
from ae_cls.words.read import values_of
from tests.cli.conftest import AeCls, with_hydra

pytestmark = with_hydra

NAMES = (
    "2024", "007", "1e3", "0x1f", "1_000", "true", "off", "nan", "None", "null-folder", "null",
    "archive (1)", "a b", " a", "a ", "a=b", "=", "a,b", ",", "a$b", "${seed}", "\\${x}", "$(x)",
    "a#b", "it's", "'a'", '"a"', "'a','b'", "[x]", "{x}", "{x: 1}", "[a,b", "a\\", "a\\,b",
    "a:b", "a;b", "@a", "a@b", "!a", "*", "a\nb", "über", "文", "😀", "choice(a,b)", "range(1,3)",
    "glob(*)", "interval(0,1)", "a~", "-", "--", "+1", "a/", "./a", "%20",
)  # fmt: skip
MISSING = {
    "2024": "2024", "007": "007", "1e3": "1e3", "true": "true", "null-folder": "null-folder",
    "null": None, "archive (1)": "archive (1)", "a=b": "a=b", "[x]": "[x]", "{x}": "{x}",
    "[a,b]": "[a,b]", "'a b'": "a b", '"a,b"': "a,b", "a\\,b": "a,b", "x#y": "x#y", "it's": "it's",
    "${seed}": 0, "glob(*)": "glob(*)", "~nobody-here/x": "~nobody-here/x",
}  # fmt: skip


def root_of(*words: str) -> Any:
    return compose("run", ["dataset=folder", *words])["dataset"]["root"]


def described_paths(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """The dotted keys of type PathText in a JSON schema."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if schema.get("format") == "path":
        yield ""
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from described_paths(inner, definitions)
    for name, inner in schema.get("properties", {}).items():
        for below in described_paths(inner, definitions):
            yield f"{name}.{below}".strip(".")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_there_is_one_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    assert root_of(f"dataset.root={name}") == name


LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="/\0~")


@given(name=st.text(LETTERS, min_size=1))
@example("\\\\${a}")
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_name_comes_back(tmp_path: Path, name: str) -> None:
    if len(name.encode()) > 200 or name in {".", ".."}:
        return
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        Path(name).mkdir(exist_ok=True)
        assert root_of(f"dataset.root={name}") == name
    finally:
        os.chdir(before)


def test_a_folder_called_like_a_missing_value_is_one_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("???").mkdir()
    assert root_of("dataset.root=???") == "./???"


@pytest.mark.parametrize("typed", MISSING)
def test_what_is_not_there_is_text_apart_from_null_quotes_and_interpolations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert root_of(f"dataset.root={typed}") == MISSING[typed]


def test_a_home_folder_is_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert root_of("dataset.root=~/my photos") == f"{tmp_path}/my photos"
    assert compose("run", ["outputs=~/runs"])["outputs"] == f"{tmp_path}/runs"
    assert root_of("dataset.root='~/my photos'") == f"{tmp_path}/my photos"
    assert values_of(['outputs="~/runs"']) == {"outputs": f"{tmp_path}/runs"}
    jobs = combinations(["dataset.root=~/a,'~/b'"])
    assert [job.words for job in jobs] == [
        (f"++dataset.root={tmp_path}/a",), (f"++dataset.root={tmp_path}/b",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parser", "words", "name"),
    [
        (predict.parser, ["~/run", "x", "-o", "~/p.csv"], "model"),
        (predict.parser, ["run", "x", "-o", "~/p.csv"], "output"),
        (encode.parser, ["run", "--folder=~/photos", "-o", "f.npz"], "folder"),
        (cache.parser, ["ls", "--folder=~/store"], "folder"),
        (resume.parser, ["~/run"], "run"),
        (sweep_status.parser, ["~/sweep"], "folder"),
    ],
)
def test_a_home_folder_is_filled_in_by_the_other_commands_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser, words: list[str], name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert getattr(parser().read(words), name).parent == tmp_path


def test_a_folder_of_options_may_lie_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own").mkdir()
    assert sort_words("run", ["--config-dir=~/own"]).folders == (tmp_path / "own",)


@pytest.mark.parametrize(
    ("typed", "roots"),
    [
        ("a,b", ["a", "b"]),
        ("2024,007,1e3", ["2024", "007", "1e3"]),
        ("archive (1),archive (2)", ["archive (1)", "archive (2)"]),
        ("'a,b',c d", ["a,b", "c d"]),
        ("[x],{y}", ["[x]", "{y}"]),
        ("choice(1e3,true)", ["1e3", "true"]),
        ("range(2023,2025)", ["2023", "2024"]),
        ("it's,that's", ["it's", "that's"]),
    ],
)
def test_several_folders_are_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, roots: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    jobs = combinations(["dataset=folder", f"dataset.root={typed}"])
    assert [compose("run", job.words)["dataset"]["root"] for job in jobs] == roots
    Path(typed).mkdir()
    assert len(combinations([f"dataset.root={typed}"])) == 1


def test_a_table_below_the_root_is_one_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("2024").mkdir()
    Path("2024/labels,new.csv").touch()
    words = ["dataset=folder", "dataset.labels_csv=labels,new.csv", "dataset.root=2024"]
    assert compose("run", words)["dataset"]["labels_csv"] == "labels,new.csv"


@pytest.mark.parametrize("key", ["encoder", "folder", "outputs"])
def test_every_key_of_a_path_takes_a_number_for_a_name(key: str) -> None:
    words = {"encoder": "run"} | {key: "007 (1e3)"}
    found = compose("classify", [f"{name}={value}" for name, value in words.items()])
    assert found[key] == "007 (1e3)"


def test_the_keys_of_paths_are_those_that_the_models_name() -> None:
    models = {**COMMANDS, "search": SearchSettings, "study": StudySettings}
    found = set[str]()
    for command, model in models.items():
        schema = model.model_json_schema()
        start = "" if command in COMMANDS else f"{command}."
        keys = described_paths(schema, schema.get("$defs", {}))
        found |= {start + key for key in keys}
    assert found == PATH_KEYS


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("outputs=2024", "2024"),
        ("outputs=1e3", "1e3"),
        ("outputs=[x]", "[x]"),
        ("outputs='a b'", "a b"),
        ("dataset.labels_csv=null", None),
        ("device=cpu", "cpu"),
        ("pretrain.epochs=3", 3),
    ],
)
def test_a_word_of_resume_is_a_path_where_the_key_is_one(word: str, value: object) -> None:
    assert values_of([word]) == {word.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("pretrain.epochs=[1", "cannot be read"),
        ("pretrain.epochs", "not of the form key=value"),
        ("pretrain.epochs=1,2", "one value of one key"),
        ("~pretrain.epochs", "one value of one key"),
    ],
)
def test_a_word_of_resume_that_says_no_value_is_named(word: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        values_of([word])


def test_a_name_that_no_config_can_hold_is_refused_with_a_way_out() -> None:
    with pytest.raises(UsageError, match="not UTF-8") as refusal:
        root_of("dataset.root=" + os.fsdecode(b"M\xfcnchen"))
    assert "ln -s" in refusal.value.fix


@pytest.mark.parametrize("name", ["1e3", "archive (1)"])
def test_a_folder_that_is_missing_is_said_to_be(ae_cls: AeCls, name: str) -> None:
    outcome = ae_cls("run", "dataset=folder", f"dataset.root={name}")
    assert outcome.code == 3
    assert "there is no such folder" in outcome.err and f"dataset.root={name}" in outcome.err


def test_completion_goes_on_behind_any_path(ae_cls: AeCls) -> None:
    line = "ae-cls run dataset=folder dataset.root='archive (1)' dataset.image_si"
    assert ae_cls("-sc", "query", line).out.split() == ["dataset.image_size="]
