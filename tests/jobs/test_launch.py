import tomllib
from pathlib import Path

import pytest

from ae_cls.errors import UsageError
from ae_cls.jobs import launch
from ae_cls.jobs.launch import SUBMITIT, Local, Slurm, read_launch, side_by_side
from ae_cls.store.lock import this_process
from ae_cls.words.compose import compose
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import CONFIGS, options
from tests.jobs.conftest import forked
from tests.jobs.fake_runs import Started

pytestmark = [with_hydra, forked]


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "cores", lambda: 8)


@pytest.mark.parametrize(("at_once", "threads"), [(2, 4), (8, 1), (16, 1), (1, None)])
def test_jobs_side_by_side_divide_the_cores_and_end_with_the_sweep(
    eight_cores: None, at_once: int, threads: int | None
) -> None:
    conditions = side_by_side(at_once)
    assert conditions.threads == threads and conditions.quiet == (at_once > 1)
    assert conditions.owner == this_process()


def test_minus_one_is_a_job_for_each_core_and_there_are_no_more_than_jobs(
    ae_cls: AeCls, started: Started, eight_cores: None
) -> None:
    outcome = ae_cls("run", "-m", "seed=20,21,22,23", "launch.jobs=-1")
    assert outcome.code == 0
    assert "jobs run in parallel, 2 of 8 threads each" in outcome.err


@pytest.mark.parametrize("option", options("launch"))
def test_every_option_reads_back(option: str) -> None:
    read = read_launch(compose("run", [f"launch={option}"])["launch"])
    assert read.model_dump()["name"] == option


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["launch=joblib"], "launch=joblib: there is no such option"),
        (["launch.jobs=many"], 'launch.jobs="many"'),
        (["launch.jobs=0"], "1 or more"),
        (["launch.job=2"], "did you mean launch.jobs?"),
        (["launch.jobs=1,2"], "all jobs of a sweep have one place"),
        (["hydra/launcher=joblib"], "launch.jobs=2"),
    ],
)
def test_a_mistake_about_the_place_is_told_before_anything_is_written(
    ae_cls: AeCls, forking: None, tmp_path: Path, words: list[str], said: str
) -> None:
    outcome = ae_cls("run", "-m", "seed=0,1", *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["slurm", "slurm_here"])
def test_a_missing_package_is_told_with_the_line_that_installs_it(
    ae_cls: AeCls, forking: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str
) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    outcome = ae_cls("run", "-m", "seed=0,1", f"launch={option}")
    assert outcome.code == 2
    assert f'pip install "{SUBMITIT}"' in outcome.err
    assert not list(tmp_path.iterdir())


def test_the_package_that_is_asked_for_is_that_of_the_extra() -> None:
    project = (CONFIGS.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert SUBMITIT in tomllib.loads(project)["project"]["optional-dependencies"]["slurm"]


def test_without_slurm_a_sweep_on_a_cluster_is_refused(
    ae_cls: AeCls, forking: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = ae_cls("run", "-m", "seed=0,1", "launch=slurm")
    assert outcome.code == 2 and "launch=slurm_here" in outcome.err
    assert not list(tmp_path.iterdir())


def test_a_cluster_gets_one_array_and_its_records_come_back(
    ae_cls: AeCls, forking: None, a_cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="the extra slurm is missing")
    monkeypatch.setenv("PYTHONPATH", str(CONFIGS.parent))  # for the tasks' own processes
    outcome = ae_cls(
        "run", "-m", "autoencoder=pixels", "pretrain=none", "encode=latent", "head=knn", "seed=0,1",
        "figures=false",
        "launch=slurm", "launch.partition=gpu", "launch.gpus_per_node=1", "launch.timeout_min=240",
        "launch.array=8", "launch.mem=16GB", "launch.sbatch={constraint: h100}",
        "launch.setup=[module load cuda]",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("finished") == 2
    script = (a_cluster / "script").read_text().splitlines()
    for line in (
        "#SBATCH --array=0-1%2", "#SBATCH --partition=gpu", "#SBATCH --gpus-per-node=1",
        "#SBATCH --time=240", "#SBATCH --mem=16GB", "#SBATCH --constraint=h100", "module load cuda",
    ):  # fmt: skip
        assert line in script


def test_on_a_cluster_the_group_itself_says_how_many_jobs_run_at_a_time() -> None:
    found = read_launch(compose("run", ["launch=slurm", "launch.array=8"])["launch"])
    assert isinstance(found, Slurm) and found.array == 8
    assert found.with_jobs(4) == found


def test_a_search_says_how_many_jobs_there_are_at_a_time() -> None:
    assert Local(name="local", jobs=1).with_jobs(4) == Local(name="local", jobs=4)
    with pytest.raises(UsageError, match="search"):
        Local(name="local", jobs=2).with_jobs(4)
