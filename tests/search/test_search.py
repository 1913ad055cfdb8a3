"""A search from its words to its winner; most with jobs of no time, some with real ones."""

import csv
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from ae_cls.cli.commands import search
from ae_cls.jobs.launch import Local
from ae_cls.jobs.record import Record
from ae_cls.jobs.work import Work
from ae_cls.store.lock import Lock
from tests.cli.conftest import AeCls, with_hydra
from tests.composed import CONFIGS
from tests.jobs.conftest import forked

pytestmark = [with_hydra, forked]

SEARCH = ("search", "run")
C = "head.C=tag(log, interval(0.01, 10))"
AE_CLS = [sys.executable, "-c", "from ae_cls.cli.main import main; main()"]

Words = tuple[str, ...]


def scored(accuracy: float, log_loss: float = 1.0, **measures: float) -> Record:
    interval = [max(0.0, accuracy - 0.1), min(1.0, accuracy + 0.1)]
    valid = {"accuracy": accuracy, "accuracy_ci95": interval, "log_loss": log_loss, "n": 100}
    valid |= {"balanced_accuracy": accuracy, "macro_f1": accuracy, "ece": 0.0}
    chosen_by = next(iter(measures), "accuracy")
    metrics = {"valid": {**valid, **measures}, "head": {"chosen_by": chosen_by}}
    return Record("finished", metrics=metrics)


def strength(words: Words) -> float:
    """The C of a trial."""
    (word,) = [word for word in words if word.startswith("head.C=")]
    return float(word.partition("=")[2])


def by_strength(words: Words) -> Record:
    """The best is C = 1."""
    return scored(1 / (1 + abs(strength(words) - 1)))


class Ending:
    """How a job ends; tests put another function in its place."""

    of: Callable[[Words], Record] = staticmethod(by_strength)


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch, forking: None) -> list[Words]:
    """The words of the trials that were carried out."""
    found: list[Words] = []

    def carry_out(self: Local, work: Work) -> None:
        assert len(work.jobs) <= self.jobs == work.most
        for job in work.jobs:
            found.append(job.words)
            work.folder.keep(job.name, Ending.of(job.words))

    monkeypatch.setattr(Local, "carry_out", carry_out)
    monkeypatch.setattr(Ending, "of", staticmethod(by_strength))
    return found


def folder_of(place: Path) -> Path:
    (folder,) = (place / "outputs" / "run").glob("search-*")
    return folder


def trials_in(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")
    try:
        return optuna.load_study(study_name="search", storage=storage).trials
    finally:
        storage.remove_session()
        storage.engine.dispose()


def jobs(place: Path) -> list[dict]:
    return json.loads((folder_of(place) / "sweep.json").read_text())["jobs"]


def table(out: str, key: str = "head.C") -> list[str]:
    """What the first column of the table says of each job, as a word."""
    titles, *rows = itertools.dropwhile(lambda line: not line.startswith(key), out.splitlines())
    assert titles.split()[1] == "state"
    of_jobs = itertools.takewhile(lambda line: line.split()[1:2] != [] and key not in line, rows)
    return [f"{key}={line.split()[0]}" for line in of_jobs]


def test_the_table_has_the_best_trial_first_and_its_test_command_below(
    ae_cls: AeCls, carried_out: list, tmp_path: Path
) -> None:
    outcome = ae_cls(*SEARCH, C, "search.trials=6", "encode=latent", "split.seed=3")
    assert outcome.code == 0
    assert len(carried_out) == 6
    strengths = [float(word.partition("=")[2]) for word in table(outcome.out)]
    distance = [abs(strength - 1) for strength in strengths]
    assert distance == sorted(distance) and len(distance) == 6
    assert "best validation accuracy of 6 trials:" in outcome.out
    command = outcome.out.splitlines()[-1]
    assert command == f"ae-cls run encode=latent split.seed=3 head.C={strengths[0]} test=true"
    assert {word for trial in trials_in(folder_of(tmp_path)) for word in trial.params} == {"head.C"}


def test_the_results_have_a_column_a_parameter_and_stay_the_same(
    ae_cls: AeCls, carried_out: list, tmp_path: Path
) -> None:
    words = (*SEARCH, C, "encode=latent,pooled", "search.trials=4")
    assert ae_cls(*words).code == 0
    file = folder_of(tmp_path) / "results.csv"
    first, rows = file.read_bytes(), list(csv.DictReader(file.read_text().splitlines()))
    assert [*rows[0]][:2] == ["encode", "head.C"]
    assert [(f"encode={row['encode']}", f"head.C={row['head.C']}") for row in rows] == carried_out
    for row, trial in zip(rows, carried_out, strict=True):
        expected = by_strength(trial).metrics["valid"]["accuracy"]
        assert (row["test_accuracy"], float(row["valid_accuracy"])) == ("", expected)
    assert ae_cls(*words).code == 0
    assert file.read_bytes() == first and len(carried_out) == 4
    status = ae_cls("sweep-status", "latest").out.splitlines()
    assert status[0].split()[:5] == ["encode", "head.C", "state", "valid", "%"]
    assert len(status[1].split()) == 5


def test_equal_accuracies_are_ranked_by_log_loss(
    ae_cls: AeCls, carried_out: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_alike(words: Words) -> Record:
        return scored(0.5, log_loss=strength(words))

    monkeypatch.setattr(Ending, "of", staticmethod(all_alike))
    outcome = ae_cls(*SEARCH, C, "search.trials=6")
    least = min(carried_out, key=strength)
    assert table(outcome.out)[0] == least[0]
    assert f"{least[0]} test=true" in outcome.out


@pytest.mark.parametrize(
    ("measure", "named", "column"),
    [
        ("balanced_accuracy", "balanced accuracy", "valid balanced %"),
        ("macro_f1", "macro F1", "valid macro F1 %"),
    ],
)
def test_a_search_follows_the_measure_that_heads_are_chosen_by(
    ae_cls: AeCls,
    carried_out: list,
    monkeypatch: pytest.MonkeyPatch,
    measure: str,
    named: str,
    column: str,
) -> None:
    def the_more_accurate_the_worse(words: Words) -> Record:
        share = 1 / (1 + abs(strength(words) - 1))
        return scored(share, **{measure: 1 - share})

    monkeypatch.setattr(Ending, "of", staticmethod(the_more_accurate_the_worse))
    outcome = ae_cls(*SEARCH, C, "search.trials=6", f"labels.choose_by={measure}")
    assert outcome.code == 0
    best = max(carried_out, key=lambda words: abs(strength(words) - 1))
    assert table(outcome.out)[0] == best[0]
    assert f"best validation {named} of 6 trials:" in outcome.out
    assert column in outcome.out
    command = outcome.out.splitlines()[-1]
    assert command == f"ae-cls run labels.choose_by={measure} {best[0]} test=true"


def test_every_kind_of_value_is_searched_at_once_and_choices_may_be_groups(
    ae_cls: AeCls, carried_out: list
) -> None:
    outcome = ae_cls(
        *SEARCH, C, "search.trials=10", "autoencoder=conv,vae",
        "autoencoder.latent_dim=32,64", "pretrain.epochs=range(2,9,3)",
        "pretrain.batch_size=int(interval(64,128))", "encode=glob([l*,p*])",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    seen: dict[str, set[str]] = {}
    for words in carried_out:
        for word in words:
            seen.setdefault(word.partition("=")[0], set()).add(word.partition("=")[2])
    assert seen["autoencoder"] == {"conv", "vae"}
    assert seen["autoencoder.latent_dim"] == {"32", "64"}
    assert seen["pretrain.epochs"] == {"2", "5", "8"}
    assert seen["encode"] == {"latent", "pooled"}
    assert all(64 <= int(size) <= 128 for size in seen["pretrain.batch_size"])


@pytest.mark.slow
def test_the_same_seed_draws_the_same_trials_and_another_seed_others(
    ae_cls: AeCls, carried_out: list
) -> None:
    def drawn(*words: str) -> list[tuple[str, ...]]:
        carried_out.clear()
        some = ("search.trials=4", "search.startup_trials=2")
        assert ae_cls(*SEARCH, C, *some, *words).code == 0
        return list(carried_out)

    first = drawn("outputs=a")
    assert drawn("outputs=b") == first
    assert drawn("outputs=c", "seed=5") != first
    assert drawn("outputs=d", "seed=5", "search.seed=0") == first
    random = drawn("outputs=e", "search.sampler=random")
    assert random[:2] == first[:2] and random != first


def test_a_larger_n_trials_goes_on_as_if_the_search_had_not_ended(
    ae_cls: AeCls, carried_out: list, tmp_path: Path
) -> None:
    assert (
        ae_cls(
            *SEARCH,
            C,
            "search.trials=6",
            "search.startup_trials=3",
            "outputs=whole",
        ).code
        == 0
    )
    whole = list(carried_out)
    carried_out.clear()
    three = ("search.startup_trials=3",)
    assert ae_cls(*SEARCH, C, *three, "search.trials=2").code == 0
    outcome = ae_cls(*SEARCH, "search.trials=6", *three, C)
    assert outcome.code == 0
    assert carried_out == whole
    assert [job["state"] for job in jobs(tmp_path)] == ["skipped"] * 2 + ["finished"] * 4
    assert len(table(outcome.out)) == 6 and "of 6 trials" in outcome.out
    carried_out.clear()
    again = ae_cls(*SEARCH, C, *three, "search.trials=4")
    assert again.code == 0 and not carried_out
    assert table(again.out) == table(outcome.out)


def test_a_trial_whose_process_died_is_carried_out_again_and_counts_once(
    ae_cls: AeCls, carried_out: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """What nobody catches."""

    def die_on_third(words: Words) -> Record:
        if len(carried_out) == 3:
            raise Killed
        return by_strength(words)

    with monkeypatch.context() as patch:
        patch.setattr(Ending, "of", staticmethod(die_on_third))
        with pytest.raises(Killed):
            ae_cls(*SEARCH, C, "search.trials=5")
    states = [trial.state for trial in trials_in(folder_of(tmp_path))]
    assert states == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.RUNNING]
    killed = list(carried_out)
    assert ae_cls(*SEARCH, C, "search.trials=5").code == 0
    assert carried_out[3] == killed[2]
    states = [trial.state for trial in trials_in(folder_of(tmp_path))]
    assert states == [TrialState.COMPLETE] * 5


def test_a_trial_that_was_half_drawn_is_drawn_again(
    ae_cls: AeCls, carried_out: list, tmp_path: Path
) -> None:
    words = (*SEARCH, C, "encode=latent,pooled")
    ae_cls(*words, "search.trials=4", "outputs=whole")
    whole = list(carried_out)
    carried_out.clear()
    ae_cls(*words, "search.trials=2")
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder_of(tmp_path) / 'study.db'}")
    study = optuna.load_study(study_name="search", storage=storage)
    study.ask({"encode": optuna.distributions.CategoricalDistribution(("latent", "pooled"))})
    storage.remove_session()
    storage.engine.dispose()
    outcome = ae_cls(*words, "search.trials=4")
    assert "of 4 trials" in outcome.out
    assert carried_out == whole
    half = trials_in(folder_of(tmp_path))[2]
    assert half.state == TrialState.FAIL and len(half.params) == 1


def test_a_failing_trial_takes_no_other_with_it(
    ae_cls: AeCls, carried_out: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second_fails(words: Words) -> Record:
        if len(carried_out) == 2:
            return Record("failed", code=4, reason="the loss is not finite")
        return by_strength(words)

    monkeypatch.setattr(Ending, "of", staticmethod(second_fails))
    outcome = ae_cls(*SEARCH, C, "search.trials=4")
    assert outcome.code == 8
    assert len(carried_out) == 4
    assert table(outcome.out)[-1] == carried_out[1][0]
    assert "the loss is not finite" in outcome.out
    assert "of 4 trials, 1 of which failed" in outcome.out
    again = ae_cls(*SEARCH, C, "search.trials=4")
    assert again.code == 8 and len(carried_out) == 4
    assert "the loss is not finite" in again.out


def test_a_search_in_which_all_fail_has_no_winner(
    ae_cls: AeCls, carried_out: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Record("failed", code=3, reason="no data")
    monkeypatch.setattr(Ending, "of", staticmethod(lambda words: failed))
    outcome = ae_cls(*SEARCH, C, "search.trials=2")
    assert outcome.code == 8
    assert "there is no winner" in outcome.out and "test=true" not in outcome.out


@pytest.mark.parametrize(
    ("record", "code"),
    [(Record("failed", code=6, reason="full"), 6), (Record("stopped", code=130), 130)],
)
def test_a_full_disk_and_a_signal_end_the_search_and_leave_the_trial_open(
    ae_cls: AeCls, carried_out: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    record: Record, code: int,
) -> None:  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(Ending, "of", staticmethod(lambda words: record))
        outcome = ae_cls(*SEARCH, C, "search.trials=3")
    assert outcome.code == code and len(carried_out) == 1
    assert table(outcome.out) == list(carried_out[0]) and "test=true" not in outcome.out
    assert ae_cls(*SEARCH, C, "search.trials=3").code == 0
    assert len(carried_out) == 4 and carried_out[0] == carried_out[1]


def test_equal_configs_are_carried_out_once(
    ae_cls: AeCls, carried_out: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = ae_cls(*SEARCH, "head.C=1,2", "search.trials=8")
    assert sorted(carried_out) == [("head.C=1",), ("head.C=2",)]
    assert table(outcome.out) == ["head.C=1", "head.C=2"]
    assert "best validation accuracy of 8 trials:" in outcome.out


def test_single_values_may_be_right_and_a_pair_wrong(
    ae_cls: AeCls, carried_out: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ending, "of", staticmethod(lambda words: scored(0.5)))
    outcome = ae_cls(
        *SEARCH, "autoencoder=conv,pixels", "head=knn,finetune", "search.trials=12",
        "search.sampler=random",
    )  # fmt: skip
    assert outcome.code == 8, outcome.err
    assert ("autoencoder=pixels", "head=finetune") not in carried_out
    assert len(carried_out) == 3
    assert "pixels has no weights to train" in " ".join(outcome.out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("autoencoder=conv,vea",), "did you mean vae"),
        (("head.C=1,-2",), "head.C.0=-2"),
        (("heda.C=1,2",), "did you mean head"),
        (("autoencoder.latent_dim=interval(1,9)",), "valid integer"),
        (("autoencoder=conv,vae", "autoencoder.beta=interval(1,2)"), "autoencoder=vae has"),
        (("seed=1,2",), "luckiest"),
        (("labels.per_class=5,10",), "same labels"),
        (("dataset=digits,mnist",), "same images"),
        (("split.valid_fraction=0.1,0.2",), "same images"),
        (("head.C=1,2", "test=true"), "leaves the test part closed"),
        (("head.C=1,2", "folder=here"), "names the folders"),
        (("head.C=1,2", "search.trails=3"), "did you mean trials"),
        (("head.C=1,2", "search.trials=0"), "search.trials=0"),
        (("head.C=1,2", "launch.jobs=2"), "search.jobs=2"),
        (("head.C=1,2", "search.trials=1,2"), "how the others are searched"),
        (("head.C=1",), "nothing to search"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(
    ae_cls: AeCls, carried_out: list, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    outcome = ae_cls(*SEARCH, *words)
    assert outcome.code == 2
    assert said in " ".join(outcome.err.split())
    assert not carried_out and not list(tmp_path.iterdir())


def test_only_a_command_that_scores_is_searched(ae_cls: AeCls) -> None:
    outcome = ae_cls("search", "bench", "steps=1,2")
    assert outcome.code == 2 and "bench" in outcome.err and "classify" in outcome.err
    outcome = ae_cls(*SEARCH, "-m", "head.C=1,2")
    assert outcome.code == 2 and "--multirun" in outcome.err


def test_help_says_what_a_search_can_be_told(ae_cls: AeCls) -> None:
    outcome = ae_cls("search", "--help")
    assert outcome.code == 0
    settings = (CONFIGS / "search" / "optuna.yaml").read_text().splitlines()[1:]
    for key, value in (line.split("  #")[0].split(": ") for line in settings):
        assert f"search.{key}={value} " in outcome.out


@pytest.mark.parametrize("flags", [(), ("-m",)])
def test_an_interval_without_a_search_names_the_search(
    ae_cls: AeCls, flags: tuple[str, ...]
) -> None:
    outcome = ae_cls("run", *flags, "head.C=interval(1,2)")
    assert outcome.code == 2 and "ae-cls search run" in outcome.err


def test_trials_at_a_time_differ_and_are_drawn_before_they_end(
    ae_cls: AeCls, carried_out: list
) -> None:
    outcome = ae_cls(*SEARCH, C, "search.trials=6", "search.jobs=3")
    assert outcome.code == 0
    assert len(set(carried_out)) == 6
    assert "of 6 trials" in outcome.out


def test_without_optuna_the_install_line_is_told(
    ae_cls: AeCls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    outcome = ae_cls(*SEARCH, C)
    assert outcome.code == 2
    assert f'pip install "{search.PACKAGE}"' in outcome.err
    assert not list(tmp_path.iterdir())


def test_the_package_that_is_asked_for_is_that_of_the_extra() -> None:
    project = (CONFIGS.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert search.PACKAGE in tomllib.loads(project)["project"]["optional-dependencies"]["search"]


def test_pretraining_is_searched_for_the_least_validation_error(
    ae_cls: AeCls, carried_out: list, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def by_code(words: Words) -> Record:
        error = 1 / int(words[0].partition("=")[2])
        told = {"intact": {"mse": error, "psnr": 10.0}, "part": "valid"}
        return Record("finished", metrics={"reconstruction": told})

    monkeypatch.setattr(Ending, "of", staticmethod(by_code))
    outcome = ae_cls("search", "pretrain", "autoencoder.latent_dim=4,64,16", "search.trials=8")
    assert outcome.code == 0
    assert "best validation reconstruction error of 8 trials: 0.015625" in outcome.out
    best = next(job["name"] for job in jobs(tmp_path) if "latent_dim=64" in job["words"][0])
    folder = folder_of(tmp_path).relative_to(tmp_path)
    assert outcome.out.splitlines()[-1] == f"ae-cls classify encoder={folder / best}"


def test_an_encoder_that_does_not_decode_comes_last_in_a_search_of_pretraining(
    ae_cls: AeCls, carried_out: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_variant(words: Words) -> Record:
        error = {"reconstruction": {"intact": {"mse": 9.0, "psnr": -9.5}, "part": "valid"}}
        return Record("finished", metrics={} if words == ("autoencoder=hog",) else error)

    monkeypatch.setattr(Ending, "of", staticmethod(by_variant))
    outcome = ae_cls("search", "pretrain", "autoencoder=hog,pca", "search.trials=4")
    assert outcome.code == 0
    assert table(outcome.out, "autoencoder") == ["autoencoder=pca", "autoencoder=hog"]
    assert "error of 4 trials: 9 with autoencoder=pca" in outcome.out


def test_a_folder_of_ones_own_is_taken_and_another_search_in_it_refused(
    ae_cls: AeCls, carried_out: list, tmp_path: Path
) -> None:
    place = 'search.folder="a, b\'c/ä{x}?#%20"'
    assert ae_cls(*SEARCH, C, place, "search.trials=2").code == 0
    (study,) = tmp_path.rglob("study.db")
    assert study.parent == tmp_path / "a, b'c" / "ä{x}?#%20"
    assert ae_cls(*SEARCH, C, place, "search.trials=3").code == 0
    assert len(carried_out) == 3
    outcome = ae_cls(*SEARCH, "head.C=1,2", place)
    assert outcome.code == 2 and "another search" in outcome.err
    assert len(carried_out) == 3


def test_a_changed_option_file_is_another_search(
    ae_cls: AeCls, carried_out: list, tmp_path: Path
) -> None:
    for epochs in (1, 2):
        group = tmp_path / f"own{epochs}" / "pretrain"
        group.mkdir(parents=True)
        (group / "mine.yaml").write_text(f"defaults: [quick]\nepochs: {epochs}\n")
        own = ("--config-dir", f"own{epochs}", "pretrain=mine")
        outcome = ae_cls(*SEARCH, *own, C, "search.trials=1")
        assert outcome.code == 0, outcome.err
    assert len(carried_out) == 2
    assert len(list(tmp_path.glob("outputs/run/search-*"))) == 2
    command = shlex.split(outcome.out.splitlines()[-1])
    assert command[:4] == ["ae-cls", "run", "--config-dir", "own2"]


def test_a_damaged_study_is_an_error_of_storage(
    ae_cls: AeCls, carried_out: list, tmp_path: Path
) -> None:
    assert ae_cls(*SEARCH, C, "search.trials=1").code == 0
    (folder_of(tmp_path) / "study.db").write_bytes(b"no database at all" * 100)
    outcome = ae_cls(*SEARCH, C, "search.trials=2")
    assert outcome.code == 6 and "study.db" in outcome.err and "not a database" in outcome.err


def test_two_processes_at_one_search_are_one_too_many(
    ae_cls: AeCls, carried_out: list, tmp_path: Path
) -> None:
    assert ae_cls(*SEARCH, C, "search.trials=1").code == 0
    lock = Lock(folder_of(tmp_path) / ".claims" / "sweep")
    assert lock.take()
    outcome = ae_cls(*SEARCH, C, "search.trials=2")
    lock.release()
    assert outcome.code == 7 and f"process {os.getpid()}" in outcome.err
    assert len(carried_out) == 1


REAL = (
    "pretrain=none", "autoencoder.widths=[8,16]", "autoencoder.depth=1",
    "autoencoder.latent_dim=8", "encode=pooled", "device=cpu", "precision=fp32", "threads=1",
    "figures=false",
)  # fmt: skip


def in_a_shell(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command as a shell starts it: processes that wait for jobs keep the environment of then."""
    return subprocess.run(
        [*AE_CLS, *words], cwd=place, env={**os.environ, "PYTHONPATH": str(CONFIGS.parent)},
        capture_output=True, text=True, timeout=220,
    )  # fmt: skip


def test_a_search_on_digits_reads_no_test_image_and_its_winner_can_be_tested(
    tmp_path: Path,
) -> None:
    searched = in_a_shell(tmp_path, *SEARCH, *REAL, C, "search.trials=4")
    assert searched.returncode == 0, searched.stderr
    assert [job["state"] for job in jobs(tmp_path)] == ["finished"] * 4
    for job in jobs(tmp_path):
        folder = tmp_path / job["folder"]
        assert json.loads((folder / "config.json").read_text())["test"] is False
        metrics = json.loads((folder / "metrics.json").read_text())
        assert "valid" in metrics and "test" not in metrics
        assert not (folder / "predictions.csv").exists()
    accuracies = [job["metrics"]["valid"]["accuracy"] for job in jobs(tmp_path)]
    winner = max(trials_in(folder_of(tmp_path)), key=lambda trial: trial.value or 0)
    assert winner.value == max(accuracies) > 0.8
    command = shlex.split(searched.stdout.splitlines()[-1])
    tested = in_a_shell(tmp_path, *command[1:])
    assert tested.returncode == 0, tested.stderr
    shown = " ".join(tested.stdout.split())
    assert f"valid accuracy {100 * max(accuracies):.1f} %" in shown and "test accuracy" in shown
    assert "kept from an earlier run" in shown


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    words = [*AE_CLS, *SEARCH, *REAL, C, "search.trials=6"]
    environment = {**os.environ, "PYTHONPATH": str(CONFIGS.parent)}
    for place in ("killed", "whole"):
        (tmp_path / place).mkdir()

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            words, cwd=tmp_path / "killed", env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ended() -> int:
        return len(list(tmp_path.glob("killed/outputs/run/search-*/*/metrics.json")))

    for wanted, number in ((1, signal.SIGKILL), (3, signal.SIGTERM), (4, signal.SIGINT)):
        process = start()
        while ended() < wanted:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        code = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
        assert process.returncode == code, err
        assert bool(table(out)) == (number != signal.SIGKILL)
    process = start()
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    whole = in_a_shell(tmp_path / "whole", *words[len(AE_CLS) :])
    assert whole.returncode == 0, whole.stderr
    found = [
        [(trial.params, trial.value) for trial in trials_in(folder_of(tmp_path / place))]
        for place in ("killed", "whole")
    ]
    assert found[0] == found[1] and len(found[0]) == 6
    assert table(out) == table(whole.stdout)
