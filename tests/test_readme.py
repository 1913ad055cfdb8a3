"""What the README says, done."""

import difflib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_cls.cli.flags import sort_words
from ae_cls.cli.main import COMMANDS as WORDS
from ae_cls.cli.main import dispatch
from ae_cls.experiment.descriptions import COMMANDS
from ae_cls.jobs.launch import read_launch
from ae_cls.search.searched import searched
from ae_cls.study.request import Request, own_arms
from ae_cls.study.settings import StudySettings
from ae_cls.words.combinations import combinations
from ae_cls.words.compose import compose
from tests.composed import CONFIGS, described, options

HOME = CONFIGS.parent
README = (HOME / "README.md").read_text(encoding="utf-8")
PARSERS = {
    word: command.parser for word, command in WORDS.items() if word not in {*COMMANDS, "search"}
}
AE_CLS = Path(sys.executable).with_name("ae-cls")
QUICK = ("pretrain=quick", "pretrain.epochs=1", "pretrain.min_steps=2", "head.C=[0.1]")
BARE = (*QUICK, "figures=false")


def command_lines() -> list[list[str]]:
    """The words of each indented line that starts with ae-cls, without its comment."""
    lines = re.findall(r"^    (ae-cls .*)$", README, flags=re.M)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def code(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.M | re.S)


def test_there_are_commands_to_try():
    assert len(command_lines()) >= 10


COMPOSED = [
    words
    for words in command_lines()
    if words[0] in {*COMMANDS, "search"} and words[-1] != "--help"
]


@pytest.mark.parametrize("words", COMPOSED, ids=" ".join)
def test_every_composed_command_is_valid(words):
    command, *rest = words if words[0] in COMMANDS else words[1:]
    typed = sort_words(command, rest)
    if words[0] == "search":
        space, shared = searched(typed.overrides)
        jobs = [(*shared, *trial) for trial in space.probes()]
    else:
        jobs = [job.words for job in combinations(typed.overrides)]
    for job in (jobs[0], jobs[-1]):
        own = [word for word in job if not word.startswith("search.")]
        assert described(command, *own)
        assert read_launch(compose(command, own).get("launch", {"name": "local", "jobs": 1}))


PARSED = [words for words in command_lines() if words[0] in PARSERS and words[-1] != "--help"]


@pytest.mark.parametrize("words", PARSED, ids=" ".join)
def test_every_other_command_is_valid(words):
    assert PARSERS[words[0]]().read(words[1:])


STUDIES = [words[1:] for words in command_lines() if words[0] == "study"]


@pytest.mark.parametrize("words", STUDIES, ids=" ".join)
def test_every_study_is_valid(words):
    typed = sort_words("study", words)
    shared, arms = own_arms(typed.overrides)
    request = Request(shared, arms, typed.folders)
    assert StudySettings.model_validate_json(json.dumps(compose("study", shared)["study"]))
    for own in ((), *arms.values()):
        assert described("run", *request.of_runs, *own)


def test_help_of_a_command_is_shown(capsys):
    assert dispatch(["run", "--help"]) == 0
    shown = capsys.readouterr().out
    for group in ("dataset", "autoencoder", "pretrain", "encode", "head"):
        assert all(option in shown for option in options(group))


def test_the_table_of_words_is_complete():
    for group in ("dataset", "autoencoder", "pretrain", "encode", "head", "study"):
        (row,) = re.findall(rf"^\| `{group}` \|(.*)\|$", README, flags=re.M)
        assert set(re.findall(r"`([a-z_0-9]+)`", row)) == set(options(group)), group


def run(words: list[str | Path], **settings) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=220, **settings)


def test_the_first_command_runs_the_main_job_and_a_second_call_installs_nothing(tmp_path):
    stamp = HOME / ".venv" / "installed-dev"
    wanted = run(["bash", "-c", "cat pyproject.toml scripts/constraints.txt | cksum"], cwd=HOME)
    # With the stamp of another state scripts/run would install into this very environment.
    if not stamp.exists() or stamp.read_text() != wanted.stdout:
        pytest.skip("the tests were not started by scripts/test")
    done = run([HOME / "scripts" / "run", *QUICK, f"outputs={tmp_path}"])
    assert done.returncode == 0, done.stderr
    assert "test accuracy" in done.stdout
    assert "installing" not in done.stderr
    assert len(list(tmp_path.glob("run/digits-conv-linear/*/metrics.json"))) == 1


def test_ones_own_images_become_a_classifier_that_predicts(tmp_path):
    rng = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 200)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(30):
            pixels = np.clip(rng.normal(level, 20, (20, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number:03}.jpg")
    settings = {"cwd": tmp_path, "env": {**os.environ, "AE_CLS_CACHE": str(tmp_path / "cache")}}
    learn = ["dataset=folder", "dataset.root=photos", "dataset.image_size=16", *BARE]
    learned = run([AE_CLS, "run", *learn], **settings)
    assert learned.returncode == 0, learned.stderr
    (folder,) = tmp_path.glob("outputs/run/folder-conv-linear/*")
    predicted = run([AE_CLS, "predict", folder, "photos", "-o", "predictions.csv"], **settings)
    assert predicted.returncode == 0, predicted.stderr
    rows = (tmp_path / "predictions.csv").read_text().splitlines()[1:]
    right = [row.split(",")[0].split("/")[-2] == row.split(",")[1] for row in rows]
    assert len(right) == 60
    assert np.mean(right) > 0.9


INDEX = Path("ae_cls", "autoencoder", "__init__.py")
NEW_FILES = (
    Path("ae_cls", "autoencoder", "few_units.py"), Path("configs", "autoencoder", "few_units.yaml")
)  # fmt: skip


@pytest.fixture(scope="module")
def with_example(tmp_path_factory) -> Path:
    """A copy of the project with the worked example of "Add an autoencoder"."""
    home = tmp_path_factory.mktemp("with_example")
    for folder in ("ae_cls", "configs", "tests"):
        # With what is compiled, which is valid still: times and sizes of the sources are copied.
        shutil.copytree(HOME / folder, home / folder)
    shutil.copy(HOME / "pyproject.toml", home)
    (python,), (yaml,) = code("python"), code("yaml")
    for path, content in zip(NEW_FILES, (python, yaml), strict=True):
        # A YAML file says in its first line what it is, which help shows.
        assert f"# {path}" in content.splitlines()[:2]
        (home / path).write_text(content, encoding="utf-8")
    index = (home / INDEX).read_text()
    index = index.replace("    | ConvConfig\n", "    | FewUnitsConfig\n    | ConvConfig\n")
    line = "from ae_cls.autoencoder.few_units import FewUnitsConfig\n"
    index = index.replace(
        "from ae_cls.autoencoder.textbook", line + "from ae_cls.autoencoder.textbook"
    )
    (home / INDEX).write_text(index)
    return home


def python_in(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(home)}
    return run([sys.executable, *words], cwd=home, env=environment)


def test_a_new_autoencoder_is_two_new_files_and_a_line_with_its_import(with_example):
    known = {path.relative_to(HOME) for path in (HOME / "ae_cls").rglob("*.py")}
    known |= {path.relative_to(HOME) for path in CONFIGS.rglob("*.yaml")}
    found = {
        path.relative_to(with_example)
        for kind in ("ae_cls/**/*.py", "configs/**/*.yaml")
        for path in with_example.glob(kind)
    }
    assert found - known == set(NEW_FILES)
    changed = {
        path for path in known if (HOME / path).read_bytes() != (with_example / path).read_bytes()
    }
    assert changed == {INDEX}
    before, after = ((home / INDEX).read_text().splitlines() for home in (HOME, with_example))
    assert [line for line in difflib.ndiff(before, after) if line[:2] != "  "] == [
        "+ from ae_cls.autoencoder.few_units import FewUnitsConfig",
        "+     | FewUnitsConfig",
    ]


def test_the_example_is_as_long_as_is_said():
    section = README.partition("## Add an autoencoder")[2].partition("## The house")[0]
    counts = re.search(r"of (\d+) lines, one YAML file of (\d+)", section)
    assert counts
    (python,), (yaml,) = code("python"), code("yaml")
    assert [int(n) for n in counts.groups()] == [len(python.splitlines()), len(yaml.splitlines())]
    template = (HOME / "tests" / "head" / "test_template.py").read_text()
    head = template[template.index("@final\nclass ") : template.index("CONFIG = ")].strip()
    assert f"a head on features takes {len(head.splitlines())} lines" in section


def test_the_example_autoencoder_works_as_printed(with_example):
    ae_cls = ("-c", "from ae_cls.cli.main import main; main()")
    done = python_in(with_example, *ae_cls, "run", "autoencoder=few_units", "encode=latent", *BARE)
    assert done.returncode == 0, done.stderr
    (metrics,) = with_example.glob("outputs/run/digits-few_units-linear/*/metrics.json")
    done = python_in(with_example, *ae_cls, "encode", str(metrics.parent), "-o", "codes.npz")
    assert done.returncode == 0, done.stderr
    with np.load(with_example / "codes.npz") as encoded:
        in_use = np.count_nonzero(encoded["features"], axis=1)
    assert 1 <= in_use.min() <= in_use.max() == 16


def test_the_example_autoencoder_is_in_help_in_completion_and_in_the_schema(with_example):
    of_all = python_in(with_example, "-m", "ae_cls", "run", "--help")
    assert re.search(r"^ +few_units +a dense autoencoder whose code is mostly", of_all.stdout, re.M)
    line = "ae-cls run autoencoder=fe"
    assert python_in(with_example, "-m", "ae_cls", "-sc", "query", line).stdout.split() == [
        "autoencoder=few_units"
    ]
    own = python_in(with_example, "-m", "ae_cls", "run", "autoencoder=few_units", "--help")
    assert "autoencoder.active=16" in own.stdout
    assert "how many may differ from zero in an image; whole number from 1" in own.stdout
    assert "FewUnitsConfig" in python_in(with_example, "-m", "ae_cls", "schema").stdout


def test_a_new_autoencoder_leaves_every_kept_output_of_the_others_valid(with_example, tmp_path):
    words = ["run", *QUICK, f"outputs={tmp_path}"]
    done = run([AE_CLS, *words])
    assert done.returncode == 0, done.stderr
    explained = python_in(with_example, "-m", "ae_cls", *words, "--explain")
    assert explained.returncode == 0, explained.stderr
    states = [line.split()[-2] for line in explained.stdout.splitlines()]
    assert states == ["kept"] * 7, explained.stdout
    # What these share, such as the contract, is another matter.
    contract = with_example / "ae_cls" / "autoencoder" / "contract.py"
    before = contract.read_bytes()
    contract.write_bytes(before + b"# changed\n")
    explained = python_in(with_example, "-m", "ae_cls", *words, "--explain")
    contract.write_bytes(before)
    assert " kept " not in explained.stdout


def test_the_contract_tests_run_on_the_example_autoencoder(with_example):
    contract = "tests/autoencoder/test_contract.py"
    done = python_in(with_example, "-m", "pytest", "-q", "-n", "0", contract, "-k", "few_units")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d\d passed", done.stdout, flags=re.M), done.stdout


def test_bash_completion_is_installed_as_printed():
    done = run(["bash", "-c", f'eval "$({AE_CLS} -sc install=bash)" && complete -p ae-cls'])
    assert done.returncode == 0, done.stderr
    assert "ae-cls" in done.stdout
