"""Sweeps as a shell starts them: real jobs in real processes, which are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.composed import CONFIGS

TRIVIAL = ("autoencoder=pixels", "pretrain=none", "encode=latent", "head=knn")
SMALL = (
    "autoencoder.widths=[8,16]", "autoencoder.latent_dim=8", "encode=latent", "head=knn",
    "figures=false",
)  # fmt: skip
IN_TURN: tuple[str, ...] = ()
IN_PARALLEL = ("launch.jobs=2",)
LIMIT = 150.0  # seconds that anything here may take on a busy machine

both = pytest.mark.parametrize(
    "place", [pytest.param(IN_TURN, marks=pytest.mark.slow), IN_PARALLEL]
)
"""Whatever does not differ is tried in parallel by default, and in turn with -m slow."""


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

    def wait_for(
        self, is_so: Callable[[dict[str, dict]], bool], *, outlives_command: bool = False
    ) -> dict[str, dict]:
        """Until the records say so; in vain once the command has ended, unless jobs outlive it."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            try:
                found = self.records()
            except (ValueError, OSError):  # it has not begun
                found = {}
            if is_so(found):
                return found
            if (self.started[-1].poll() or -1) >= 0 and not outlives_command:
                break
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


def kill(record: dict) -> None:
    os.kill(record["owner"]["process"], signal.SIGKILL)


def test_a_job_that_fails_and_one_that_is_killed_take_no_other_with_them(
    shell: Shell, tmp_path: Path
) -> None:
    pretraining(tmp_path, "fails", "epochs: 1\nlr: 1e12")
    pretraining(tmp_path, "killed", "epochs: 400")
    words = (
        "run",
        "-m",
        "--config-dir",
        "own",
        "pretrain=fails,none,killed,quick",
        "encode=latent",
        "figures=false",
    )
    sweep = shell.start(*words, "head=knn", *IN_PARALLEL)
    kill(shell.wait_for(lambda found: "pretrain=killed" in found)["pretrain=killed"])
    assert sweep.wait(LIMIT) == 8
    table = shell.table()
    assert states(table) == {
        "pretrain=fails": "failed", "pretrain=none": "finished", "pretrain=killed": "died",
        "pretrain=quick": "finished",
    }  # fmt: skip
    assert (
        "not finite" in table["pretrain=fails"]["reason"] and table["pretrain=fails"]["code"] == 4
    )
    assert "SIGKILL" in table["pretrain=killed"]["reason"]
    assert "Traceback" in (tmp_path / table["pretrain=fails"]["folder"] / "run.log").read_text()
    log = shell.sweep() / "jobs" / f"{table['pretrain=quick']['name']}.log"
    assert "knn: neighbours" in log.read_text() and "knn: neighbours" not in shell.said()


@pytest.mark.slow
@pytest.mark.parametrize("place", [IN_TURN, IN_PARALLEL])
def test_of_twelve_jobs_one_fails_one_is_killed_and_ten_finish(
    shell: Shell, tmp_path: Path, place: tuple[str, ...]
) -> None:
    names = [f"p{number}" for number in range(12)]
    for number, name in enumerate(names):
        pretraining(tmp_path, name, f"epochs: 1\nlr: {1e-3 + number * 1e-5}")
    pretraining(tmp_path, "p3", "epochs: 1\nlr: 1e12")
    pretraining(tmp_path, "p7", "epochs: 20")
    words = (
        "run", "-m", "--config-dir", "own", f"pretrain={','.join(names)}", "encode=latent",
        "head=knn", *place,
    )  # fmt: skip
    sweep = shell.start(*words)
    kill(shell.wait_for(lambda found: "pretrain=p7" in found)["pretrain=p7"])
    assert sweep.wait(LIMIT) == 8
    ended = {"p3": "failed", "p7": "died"}
    assert states(shell.table()) == {
        f"pretrain={name}": ended.get(name, "finished") for name in names
    }
    assert shell.run(*words) == 8
    again = {"p3": "failed", "p7": "finished"}
    assert states(shell.table()) == {
        f"pretrain={name}": again.get(name, "skipped") for name in names
    }


@both
def test_when_the_sweep_is_killed_its_jobs_end_and_the_same_words_go_on(
    shell: Shell, place: tuple[str, ...]
) -> None:
    words = ("run", "-m", *SMALL, "pretrain.epochs=15", "seed=0,1,2")
    sweep = shell.start(*words, *place)
    most = 2 if place else 1
    begun = shell.wait_for(lambda found: len(found) == most)
    sweep.kill()
    sweep.wait()
    assert set(states(begun).values()) == {"running"}
    assert shell.run(*words, *place) == 0  # at once, with no word of what is still ending
    table = shell.table()
    assert set(states(table).values()) <= {"finished", "skipped"}
    assert not any(is_alive(record["owner"]["process"]) for record in begun.values())
    assert not any(is_alive(record["owner"]["process"]) for record in shell.records().values())


@both
def test_when_the_sweep_is_killed_nothing_of_it_is_left(
    shell: Shell, place: tuple[str, ...]
) -> None:
    sweep = shell.start("run", "-m", *SMALL, "pretrain.epochs=5000", "seed=0,1,2", *place)
    begun = shell.wait_for(lambda found: len(found) == (2 if place else 1))
    sweep.kill()
    sweep.wait()
    ended = shell.wait_for(lambda found: set(states(found).values()) == {"stopped"})
    assert {record["reason"] for record in ended.values()} == {"terminated"}
    assert ended.keys() == begun.keys()  # and nothing else has begun
    deadline = time.monotonic() + LIMIT
    while left := processes_in(shell.place):  # also the server that jobs are forked from
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("place", "number", "code"),
    [
        (IN_PARALLEL, signal.SIGINT, 130),
        pytest.param(IN_PARALLEL, signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(IN_TURN, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(IN_TURN, signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_to_the_whole_session_ends_all_in_time(
    shell: Shell, place: tuple[str, ...], number: int, code: int
) -> None:
    words = ("run", "-m", *SMALL, "pretrain.epochs=5000", "seed=0,1,2,3")
    sweep = shell.start(*words, *place)
    most = 2 if place else 1

    def are_training(found: dict[str, dict]) -> bool:
        logs = [shell.place / record["folder"] / "run.log" for record in found.values()]
        return len(logs) == most and all(
            log.exists() and "epoch 1/" in log.read_text() for log in logs
        )

    begun = shell.wait_for(are_training)
    asked = time.monotonic()
    os.killpg(sweep.pid, number)  # as the terminal does, or `timeout`
    assert sweep.wait(LIMIT) == code
    assert time.monotonic() - asked < 25  # ten to save, and a busy machine
    table = shell.table()
    assert sorted(states(table).values()) == ["stopped"] * most + ["waiting"] * (4 - most)
    assert not any(is_alive(record["owner"]["process"]) for record in begun.values())
    stopped = [record for record in table.values() if record["state"] == "stopped"]
    assert {record["code"] for record in stopped} == {code}
    for record in stopped:  # they had the time to say so themselves
        status = json.loads((shell.place / record["folder"] / "status.json").read_text())
        assert status["state"] == "interrupted"


@both
def test_jobs_of_a_sweep_give_the_bytes_of_a_single_run_and_share_the_cores(
    shell: Shell, tmp_path: Path, place: tuple[str, ...]
) -> None:
    words = (*SMALL, "pretrain.epochs=2", "pretrain.min_steps=1")
    assert shell.run("run", *words, "threads=1", "seed=0", "folder=alone") == 0
    more = ("store=own", "threads=null" if place else "threads=1")
    assert shell.run("run", "-m", *words, *more, "seed=1,0", *place) == 0
    for record in shell.table().values():
        folder = tmp_path / record["folder"]
        config = json.loads((folder / "config.json").read_text())
        environment = json.loads((folder / "environment.json").read_text())
        share = max(len(os.sched_getaffinity(0)) // 2, 1) if place else 1
        assert environment["threads"] == share
        assert config["threads"] == ("auto" if place else 1)
        if config["seed"] == 0 and share == 1:
            one, other = (tmp_path / "alone" / "metrics.json", folder / "metrics.json")
            assert one.read_bytes() == other.read_bytes()
    assert ("in parallel" in shell.said()) == bool(place)


@pytest.mark.slow
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


def waiter_of(place: Path, job: str) -> int:
    """The process of submitit that waits for a job."""
    (record,) = place.glob(f"outputs/run/*/jobs/{job}.json")
    process = json.loads(record.read_text())["owner"]["process"]
    server = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return int(Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1])


def test_submitit_runs_jobs_and_begins_one_again_that_met_its_limit(
    shell: Shell, tmp_path: Path
) -> None:
    pytest.importorskip("submitit", reason="the extra slurm is missing")
    pretraining(tmp_path, "longer", "epochs: 30")
    words = ("run", "-m", "--config-dir", "own", "pretrain=none,longer", *SMALL)
    sweep = shell.start(*words, "launch=slurm_here", "launch.timeout_min=60")
    shell.wait_for(lambda found: "pretrain=longer" in found)
    (job,) = [path.stem for path in (shell.sweep() / "jobs").glob("pretrain-longer-*.json")]
    os.kill(waiter_of(tmp_path, job), signal.SIGUSR2)  # as a cluster does before the limit
    assert sweep.wait(LIMIT) == 0
    assert set(states(shell.table()).values()) == {"finished"}
    logs = "".join(path.read_text() for path in shell.sweep().glob(".submitit/*/*.err"))
    out = "".join(path.read_text() for path in shell.sweep().glob(".submitit/*/*.out"))
    assert "Requeued job" in logs + out
    assert shell.run(*words) == 0
    assert set(states(shell.table()).values()) == {"skipped"}  # wherever they were carried out


@pytest.mark.slow
def test_a_signal_ends_the_jobs_of_submitit_on_this_machine(shell: Shell) -> None:
    pytest.importorskip("submitit", reason="the extra slurm is missing")
    words = ("run", "-m", *SMALL, "pretrain.epochs=5000", "seed=0,1", "launch=slurm_here")
    sweep = shell.start(*words)
    shell.wait_for(lambda found: len(found) == 2)
    sweep.terminate()
    assert sweep.wait(LIMIT) == 143
    assert set(states(shell.table()).values()) == {"stopped"}
    deadline = time.monotonic() + LIMIT
    while left := processes_in(shell.place):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


@pytest.mark.slow
def test_jobs_on_a_cluster_outlive_the_command_that_asked_for_them(
    shell: Shell, a_cluster: Path
) -> None:
    pytest.importorskip("submitit", reason="the extra slurm is missing")
    sweep = shell.start("run", "-m", *SMALL, "pretrain.epochs=60", "seed=0,1", "launch=slurm")
    shell.wait_for(lambda found: len(found) == 2)
    sweep.terminate()
    assert sweep.wait(LIMIT) == 143
    assert set(states(shell.records()).values()) == {"running"}
    shell.wait_for(lambda found: set(states(found).values()) == {"finished"}, outlives_command=True)
