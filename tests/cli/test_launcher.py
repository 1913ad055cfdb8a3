import importlib.metadata
from pathlib import Path

import pytest

from ae_cls.cli import launcher
from ae_cls.cli.compose import launcher_settings
from ae_cls.errors import UsageError
from ae_cls.store.lock import this_process
from tests.cli.conftest import AeCls, with_hydra

pytestmark = with_hydra


def settings(*words: str) -> dict:
    return launcher_settings("run", words, [])


@pytest.mark.parametrize(("n_jobs", "workers"), [(3, 3), (-1, 8), (-2, 7), (-20, 1), (None, 1)])
def test_workers_are_counted_as_joblib_counts_them(
    monkeypatch: pytest.MonkeyPatch, n_jobs: int | None, workers: int
) -> None:
    monkeypatch.setattr(launcher, "cores", lambda: 8)
    assert launcher.workers_of(n_jobs) == workers


@pytest.mark.parametrize(
    ("word", "jobs", "threads"),
    [
        ("hydra.launcher.n_jobs=2", 10, 4),
        ("hydra.launcher.n_jobs=-1", 10, 1),
        ("hydra.launcher.n_jobs=-1", 2, 4),  # no more workers than jobs
        ("hydra.launcher.n_jobs=16", 20, 1),  # at least one
        ("hydra.launcher.n_jobs=1", 10, None),
    ],
)
def test_joblib_divides_the_cores_among_its_workers(
    monkeypatch: pytest.MonkeyPatch, word: str, jobs: int, threads: int | None
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra sweep is missing")
    monkeypatch.setattr(launcher, "cores", lambda: 8)
    given = launcher.conditions(settings("hydra/launcher=joblib", word), jobs)
    assert given.threads == threads
    assert given.owner == this_process()


def test_a_cluster_keeps_its_cores_and_outlives_who_asked() -> None:
    pytest.importorskip(
        "hydra_plugins.hydra_submitit_launcher", reason="the extra slurm is missing"
    )
    words = (
        "hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu",
        "hydra.launcher.timeout_min=240", "hydra.launcher.array_parallelism=8",
        "hydra.launcher.max_num_timeout=3",
    )  # fmt: skip
    found = settings(*words)
    assert found["partition"] == "gpu" and found["array_parallelism"] == 8
    assert found["submitit_folder"] == "${hydra.sweep.dir}/.submitit/%j"
    given = launcher.conditions(found, 10)
    assert given.threads is None and given.owner is None
    assert not launcher.is_basic(found)


def test_one_after_another_is_the_default() -> None:
    assert launcher.is_basic(settings())
    assert launcher.conditions(settings(), 10).threads is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra/launcher=joblip"], "hydra/launcher=joblip: there is no such option"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=many"], "many"),
        (["hydra/launcher=joblib", "hydra.launcher.jobs=2"], "jobs"),
    ],
)
def test_a_mistake_about_the_launcher_is_told_before_anything_is_written(
    ae_cls: AeCls, tmp_path: Path, words: list[str], said: str
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra sweep is missing")
    outcome = ae_cls("run", "-m", "seed=0,1", *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("choice", "package"),
    [
        ("joblib", "hydra-joblib-launcher>=1.2"),
        ("submitit_slurm", "hydra-submitit-launcher>=1.2"),
        ("submitit_local", "hydra-submitit-launcher>=1.2"),
    ],
)
def test_a_launcher_that_is_not_installed_is_told_with_the_line_that_installs_it(
    ae_cls: AeCls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, choice: str, package: str
) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    outcome = ae_cls("run", "-m", "seed=0,1", f"hydra/launcher={choice}")
    assert outcome.code == 2
    assert f'pip install "{package}"' in outcome.err
    assert not list(tmp_path.iterdir())


def test_a_name_that_no_plugin_bears_is_left_to_hydra() -> None:
    launcher.refuse_missing_plugin(["hydra/launcher=basic", "hydra.launcher.n_jobs=2"])
    with pytest.raises(UsageError, match="basic"):
        settings("hydra/launcher=basics")
