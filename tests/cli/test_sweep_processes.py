"""Sweeps as a shell starts them: real jobs in real processes, which are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.composed import CONFIGS

TRIVIAL = ("autoencoder=pixels", "pretrain=none", "encode=latent", "head=knn")
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
LIMIT = 150.0  # seconds that anything here may take on a busy machine


def is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


joblib = pytest.mark.skipif(
    not is_installed("hydra-joblib-launcher"), reason="the extra sweep is missing"
)
submitit = pytest.mark.skipif(
    not is_installed("hydra-submitit-launcher"), reason="the extra slurm is missing"
)
pytestmark = pytest.mark.slow


class Shell:
    """Starts `ae-cls` in a folder, each time as a process in a session of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.started: list[subprocess.Popen] = []

    def start(self, *words: str) -> subprocess.Popen:
        code = "from ae_cls.cli.main import main; main()"
        path = os.pathsep.join([str(CONFIGS.parent), os.environ.get("PYTHONPATH", "")])
        with (self.place / "out").open("a") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *words], cwd=self.place, stdout=out, stderr=out,
                env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, *words: str) -> int:
        return self.start(*words).wait(LIMIT)

    def said(self) -> str:
        return (self.place / "out").read_text()

    def sweep(self) -> Path:
        (folder,) = (self.place / "outputs" / "run").glob("sweep-*")
        return folder

    def records(self) -> dict[str, dict]:
        """Of the jobs that have begun, by their words; several words with a space."""
        words = {
            job["name"]: " ".join(job["words"])
            for job in json.loads((self.sweep() / "sweep.json").read_text())["jobs"]
        }
        found = (self.sweep() / "jobs").glob("*.json")
        return {words[path.stem]: json.loads(path.read_text()) for path in found}

    def table(self) -> dict[str, dict]:
        """What the sweep says at its end."""
        jobs = json.loads((self.sweep() / "sweep.json").read_text())["jobs"]
        return {" ".join(job["words"]): job for job in jobs}

    def wait_for(self, is_so: Callable[[dict[str, dict]], bool]) -> dict[str, dict]:
        """Until the records say so."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            try:
                found = self.records()
            except (ValueError, OSError):  # it has not begun
                found = {}
            if is_so(found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"waited in vain\n{self.said()}")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    found = Shell(tmp_path)
    yield found
    for process in found.started:
        if process.poll() is None:
            process.kill()


def pretraining(place: Path, name: str, text: str) -> None:
    """An option of the user's own."""
    (place / "own" / "pretrain").mkdir(parents=True, exist_ok=True)
    (place / "own" / "pretrain" / f"{name}.yaml").write_text(f"defaults: [quick]\n{text}\n")


def states(records: dict[str, dict]) -> dict[str, str]:
    return {words: record["state"] for words, record in records.items()}


def is_alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def processes_in(place: Path) -> dict[int, str]:
    """Command lines of what runs in that folder."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == place:
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has ended, or is not ours
    return found


@pytest.mark.parametrize("launcher", [(), pytest.param(JOBLIB, marks=joblib)])
def test_of_twelve_jobs_one_fails_one_is_killed_and_ten_finish(
    shell: Shell, tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    names = [f"p{number}" for number in range(12)]
    for number, name in enumerate(names):
        pretraining(tmp_path, name, f"epochs: 1\nlr: {1e-3 + number * 1e-5}")
    pretraining(tmp_path, "p3", "epochs: 1\nlr: 1e12")
    pretraining(tmp_path, "p7", "epochs: 20")
    words = (
        "run", "-m", "--config-dir", "own", f"pretrain={','.join(names)}", "encode=latent",
        "head=knn", *launcher,
    )  # fmt: skip
    sweep = shell.start(*words)
    running = shell.wait_for(lambda found: "pretrain=p7" in found)
    os.kill(running["pretrain=p7"]["owner"]["process"], signal.SIGKILL)
    assert sweep.wait(LIMIT) == 8
    table = shell.table()
    assert states(table) == {
        f"pretrain={name}": {"p3": "failed", "p7": "died"}.get(name, "finished") for name in names
    }
    assert "not finite" in table["pretrain=p3"]["reason"] and table["pretrain=p3"]["code"] == 4
    assert "SIGKILL" in table["pretrain=p7"]["reason"]
    assert "Traceback" in (tmp_path / table["pretrain=p3"]["folder"] / "run.log").read_text()

    assert shell.run(*words) == 8
    again = {"p3": "failed", "p7": "finished"}
    assert states(shell.table()) == {
        f"pretrain={name}": again.get(name, "skipped") for name in names
    }


@pytest.mark.parametrize("launcher", [(), pytest.param(JOBLIB, marks=joblib)])
def test_when_the_sweep_is_killed_its_jobs_end(shell: Shell, launcher: tuple[str, ...]) -> None:
    words = ("run", "-m", "pretrain=quick", "pretrain.epochs=5000", "head=knn", "seed=0,1,2")
    sweep = shell.start(*words, *launcher)
    most = 2 if launcher else 1
    begun = shell.wait_for(lambda found: len(found) == most)
    sweep.kill()
    sweep.wait()
    ended = shell.wait_for(lambda found: set(states(found).values()) == {"stopped"})
    assert {record["reason"] for record in ended.values()} == {"terminated"}
    assert ended.keys() == begun.keys()  # and nothing else has begun
    deadline = time.monotonic() + LIMIT
    while left := processes_in(shell.place):  # workers, and servers that jobs are forked from
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


@pytest.mark.parametrize("launcher", [(), pytest.param(JOBLIB, marks=joblib)])
def test_after_the_sweep_was_killed_the_same_words_go_on(
    shell: Shell, launcher: tuple[str, ...]
) -> None:
    words = ("run", "-m", "pretrain=quick", "pretrain.epochs=12", "head=knn", "seed=0,1,2")
    sweep = shell.start(*words, *launcher)
    begun = shell.wait_for(lambda found: any(r["state"] == "running" for r in found.values()))
    sweep.kill()
    sweep.wait()
    jobs = [record["owner"]["process"] for record in begun.values()]
    assert shell.run(*words, *launcher) == 0  # at once, with no word of what is still ending
    assert set(states(shell.table()).values()) <= {"finished", "skipped"}
    assert not any(is_alive(process) for process in jobs)


@pytest.mark.parametrize("launcher", [(), pytest.param(JOBLIB, marks=joblib)])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_session_ends_all_in_time(
    shell: Shell, launcher: tuple[str, ...], number: int, code: int
) -> None:
    words = ("run", "-m", "pretrain=quick", "pretrain.epochs=3000", "seed=0,1,2,3")
    sweep = shell.start(*words, *launcher)
    most = 2 if launcher else 1
    begun = shell.wait_for(lambda found: len(found) == most)
    asked = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(sweep.pid, number)  # as the terminal does
    else:
        sweep.terminate()
    assert sweep.wait(LIMIT) == code
    assert time.monotonic() - asked < 25  # ten to save, and a busy machine
    table = shell.table()
    assert sorted(states(table).values()) == ["stopped"] * most + ["waiting"] * (4 - most)
    assert not any(is_alive(record["owner"]["process"]) for record in begun.values())
    assert {record["code"] for record in table.values() if record["state"] == "stopped"} == {code}


@joblib
def test_a_killed_worker_of_joblib_costs_no_job(shell: Shell) -> None:
    words = ("run", "-m", "pretrain=quick", "pretrain.epochs=8", "head=knn", "seed=0,1,2,3,4")
    sweep = shell.start(*words, *JOBLIB)
    shell.wait_for(lambda found: any(r["state"] == "finished" for r in found.values()))
    workers = subprocess.run(
        ["pgrep", "-P", str(sweep.pid), "-f", "popen_loky"], capture_output=True, text=True
    ).stdout.split()
    assert len(workers) == 2
    os.kill(int(workers[0]), signal.SIGKILL)
    assert sweep.wait(LIMIT) == 0
    assert set(states(shell.table()).values()) == {"finished"}
    assert "the launcher ended early: TerminatedWorkerError" in shell.said()


def test_jobs_of_a_sweep_give_the_bytes_of_a_single_run(shell: Shell, tmp_path: Path) -> None:
    words = ("pretrain=quick", "pretrain.epochs=2", "threads=1", "head=knn")
    for seed in (0, 1):
        assert shell.run("run", *words, f"seed={seed}", f"folder=alone-{seed}") == 0
    alone = [(tmp_path / f"alone-{seed}" / "metrics.json").read_bytes() for seed in (0, 1)]
    for launcher in [(), JOBLIB]:
        outputs = f"outputs={'side' if launcher else 'turn'}"
        assert shell.run("run", "-m", *words, outputs, "seed=1,0", *launcher) == 0
        (folder,) = (tmp_path / outputs.partition("=")[2] / "run").iterdir()
        jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
        found = {job["words"][0]: Path(tmp_path / job["folder"]) for job in jobs}
        for seed in (0, 1):
            assert (found[f"seed={seed}"] / "metrics.json").read_bytes() == alone[seed]


def test_a_job_starts_with_everything_imported(shell: Shell, tmp_path: Path) -> None:
    seeds = ",".join(str(seed) for seed in range(6))
    begun = time.monotonic()
    assert shell.run("run", "-m", *TRIVIAL, f"seed={seeds}") == 0
    first = time.monotonic() - begun
    work = sum(record["seconds"] for record in shell.table().values())
    begun = time.monotonic()
    assert shell.run("run", "-m", *TRIVIAL, f"seed={seeds}") == 0
    start = time.monotonic() - begun  # of the sweep, as nothing is left to be done
    assert set(states(shell.table()).values()) == {"skipped"}
    # An import of torch alone takes longer than this, a job.
    assert first - start - work < 0.5 * 6


@joblib
def test_joblib_divides_the_cores(shell: Shell, tmp_path: Path) -> None:
    many = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=64")
    seeds = ",".join(str(seed) for seed in range(len(os.sched_getaffinity(0))))
    assert shell.run("run", "-m", *TRIVIAL, f"seed={seeds}", *many) == 0
    for record in shell.table().values():
        told = json.loads((tmp_path / record["folder"] / "environment.json").read_text())
        assert told["threads"] == 1
        assert (
            json.loads((tmp_path / record["folder"] / "config.json").read_text())["threads"] is None
        )
    assert f"each on 1 thread of {len(os.sched_getaffinity(0))}" in shell.said()


@submitit
def test_submitit_runs_jobs_on_this_machine(shell: Shell) -> None:
    words = ("run", "-m", *TRIVIAL, "seed=0,1", "hydra/launcher=submitit_local")
    assert shell.run(*words) == 0
    assert set(states(shell.table()).values()) == {"finished"}
    assert any((shell.sweep() / ".submitit").iterdir())
    assert shell.run(*words[:-1]) == 0
    assert set(states(shell.table()).values()) == {"skipped"}  # whichever launcher made them
