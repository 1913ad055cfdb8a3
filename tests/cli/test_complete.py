"""What a shell is offered behind a line, asked directly and by the shells themselves."""

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import AeCls, with_hydra
from tests.composed import CONFIGS

pytestmark = with_hydra

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def suggested(ae_cls: AeCls):
    """The words that a shell is offered behind a line."""

    def ask(line: str) -> list[str]:
        outcome = ae_cls("-sc", "query", line)
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out.splitlines()

    return ask


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("ae-cls ", ["run", "classify", "predict"]),
        ("ae-cls ru", ["run"]),
        ("ae-cls run hea", ["head="]),
        ("ae-cls run seed=1 -m head=", ["head=linear", "head=svm"]),
        ("ae-cls run head=l", ["head=linear"]),
        ("ae-cls run -m head=linear,s", ["head=linear,svm"]),
        ("ae-cls run autoencoder.corruption=g", ["autoencoder.corruption=gaussian"]),
        ("ae-cls run -m autoencoder=shallow,deep autoencoder.", ["autoencoder.tied="]),
        ("ae-cls run 'head.C=[1, 2]' te", ["test="]),
        ("ae-cls run lab", ["labels."]),
        ("ae-cls pretrain autoencoder=vae autoencoder.", ["autoencoder.beta="]),
        ("ae-cls run autoencoder/", ["autoencoder/corruption="]),
        (
            "ae-cls run autoencoder.corruption=gaussian autoencoder.corruption.d",
            ["autoencoder.corruption.deviation="],
        ),
        ("ae-cls run --", ["--multirun", "--config-dir", "--cfg"]),
        ("ae-cls run --cfg ", ["job"]),
        ("ae-cls predict -", ["--output", "--device"]),
        ("ae-cls encode RUN --split t", ["train", "test"]),
        ("ae-cls cache ", ["ls", "verify", "prune"]),
    ],
)  # fmt: skip
def test_commands_groups_options_keys_flags_and_their_values_are_offered(
    suggested, line: str, among: list[str]
) -> None:
    assert set(among) <= set(suggested(line))


def test_only_groups_of_the_command_are_offered(suggested) -> None:
    assert "head=" in suggested("ae-cls classify ")
    assert not any(word.startswith("pretrain") for word in suggested("ae-cls classify "))


def test_keys_of_the_chosen_option_alone_are_offered(suggested) -> None:
    assert "autoencoder.beta=" not in suggested("ae-cls run autoencoder.")


def test_options_of_the_users_folder_are_offered(suggested, tmp_path: Path) -> None:
    (tmp_path / "own" / "head").mkdir(parents=True)
    (tmp_path / "own" / "head" / "mine.yaml").write_text("name: linear\n")
    assert suggested("ae-cls run -cd own head=mi") == ["head=mine"]


@pytest.mark.parametrize(
    "line",
    ["ae-cls run head=xgbost autoencoder.", "ae-cls run --no x", "ae-cls predict ",
     "ae-cls rnu ", "ae-cls run 'head", "ae-cls run seed.", "ae-cls run --config-dir "],
)  # fmt: skip
def test_where_a_path_may_stand_or_a_word_is_wrong_there_is_silence(suggested, line: str) -> None:
    assert suggested(line) == []


def test_completion_imports_no_torch() -> None:
    script = (
        "import sys; from ae_cls.cli.main import dispatch; "
        "dispatch(['-sc', 'query', 'ae-cls run autoencoder=vae autoencoder.']); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.endswith("autoencoder.principal_path=\nFalse\n")


def test_an_unknown_shell_is_refused(ae_cls: AeCls) -> None:
    outcome = ae_cls("-sc", "install=tcsh")
    assert outcome.code == 2
    assert "install=fish" in outcome.err


def shell(name: str, *words: str, **settings) -> str:
    """What a shell prints, in which `ae-cls` is this checkout."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    environment = {**os.environ, "PATH": PATH, "PYTHONPATH": str(CONFIGS.parent)}
    done = subprocess.run(
        [name, *words], capture_output=True, text=True, timeout=120, env=environment, **settings
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_bash_completes(tmp_path: Path) -> None:
    script = """
eval "$(ae-cls -sc install=bash)"
ask() { COMP_LINE="$1" COMP_POINT=${#1}; _ae_cls ae-cls; echo "${COMPREPLY[*]}"; }
complete -p ae-cls; ask "ae-cls ru"; ask "ae-cls run head=l"; ask "ae-cls predict x"
"""
    assert shell("bash", "-c", script).splitlines() == [
        "complete -o default -F _ae_cls ae-cls", "run", "ladder lda linear", "",
    ]  # fmt: skip


def test_fish_completes(tmp_path: Path) -> None:
    (tmp_path / "picture.png").touch()
    script = """
ae-cls -sc install=fish | source
for line in 'ae-cls ru' 'ae-cls run head=li' 'ae-cls predict pic'
    complete -C $line
end
"""
    told = shell("fish", "--no-config", "-c", script, cwd=tmp_path)
    assert told.splitlines() == ["run", "head=linear", "picture.png"]


def test_zsh_completes(tmp_path: Path) -> None:
    (tmp_path / "picture.png").touch()
    script = 'autoload -Uz compinit; compinit -u -D; eval "$(ae-cls -sc install=zsh)"'
    assert shell("zsh", "-f", "-c", f"{script}; print $_comps[ae-cls]") == "_ae_cls\n"
    for line, whole in (
        ("ae-cls ru", "ae-cls run"),
        ("ae-cls run head=li", "ae-cls run head=linear"),
        ("ae-cls predict pic", "ae-cls predict picture.png"),
    ):
        assert completed_at_a_terminal(script, line, tmp_path) == whole


def completed_at_a_terminal(script: str, line: str, folder: Path) -> str:
    """The line that zsh makes of this one at the key TAB: completion needs a terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.environ.update(PATH=PATH, TERM="dumb", PYTHONPATH=str(CONFIGS.parent))
        os.execvp("zsh", ["zsh", "-f", "-i"])
    try:
        # Ctrl-A and Ctrl-E: the line becomes the argument of a command that prints it.
        os.write(terminal, f"unsetopt zle_bracketed_paste; {script}; print -r rea''dy\n".encode())
        wait_for(terminal, "ready\r\n")
        os.write(terminal, f"{line}\t\x01print -r -- '<\x05>'\n".encode())
        return wait_for(terminal, ">\r\n").rpartition("\r\n<")[2].partition(">")[0].strip()
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


def wait_for(terminal: int, end: str) -> str:
    """What the terminal shows until it shows `end`."""
    shown, until = b"", time.monotonic() + 60
    while end.encode() not in shown and time.monotonic() < until:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096)
    assert end.encode() in shown, shown
    return shown.decode()
