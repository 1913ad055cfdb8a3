"""What is received comes in by one door, and what would run it is in no module of ours (M16)."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "store", "saved", "run", "compare", "jobs", "study", "search", "head", "encode", "report",
    "cli/commands",
)  # fmt: skip
"""Those that read files of runs, models and stores."""
READING = re.compile(
    r"\.read_text\(|\.read_bytes\(|(?<![\w.])open\(|\.open\(|json\.loads?\(|np\.load\(|safe_open"
    r"|np\.fromfile|np\.memmap\(|load_file"
)
ELSEWHERE = {
    "store/received.py": "the door",
    "store/arrays.py": "arrays behind the door; new files are opened to be written",
    "store/lock.py": "/proc of this machine; locks are opened to be held",
    "store/ledger.py": "a line is added to a file of this user",
    "store/files.py": "new files, opened to be written",
    "store/ours.py": "files of ours, opened to be written",
    "jobs/worker.py": "logs, opened to be written",
    "jobs/process.py": "the answer of a process of ours",
    "run/others.py": "what the first process sends the others",
    "run/program.py": "our own modules",
    "run/resume.py": "a copy of a value",
    "report/page/template.py": "our own page",
    "encode/feature_table.py": "a file without a name that this process has just written",
    "head/estimator_file.py": "what skops has just written",
}
"""Modules that read otherwise, and what."""


def reads() -> Iterator[tuple[str, int, str]]:
    for room in ROOMS:
        for path in sorted((ROOT / "ae_cls" / room).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if READING.search(line) and "def " not in line:
                    yield str(path.relative_to(ROOT / "ae_cls")), number, line.strip()


def test_there_is_no_other_way_in() -> None:
    found = list(reads())
    assert [one for one in found if one[0] not in ELSEWHERE] == []
    assert set(ELSEWHERE) == {module for module, _, _ in found}, "an exception is not needed"


FORBIDDEN = {
    "pickle": "import pickle\n\npickle.loads(b'')\n",
    "cloudpickle": "import cloudpickle\n\ncloudpickle.loads(b'')\n",
    "marshal": "import marshal\n\nmarshal.loads(b'')\n",
    "joblib": "import joblib\n\njoblib.load('a')\n",
    "torch.load": "import torch\n\ntorch.load('a')\n",
    "torch.jit.load": "import torch\n\ntorch.jit.load('a')\n",
    "numpy.load": "import numpy as np\n\nnp.load('a')\n",
    "eval": "eval('1')\n",
    "exec": "exec('1')\n",
    "shell": "import subprocess\n\nsubprocess.run('ls', shell=True, check=True)\n",
    "os.system": "import os\n\nos.system('ls')\n",
    "yaml.load": "import yaml\n\nyaml.load('a', yaml.Loader)\n",
    "tar": "import tarfile\n\ntarfile.open('a').extractall()\n",
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_ruff_refuses_what_runs_what_it_reads(name: str) -> None:
    ruff = shutil.which("ruff", path=Path(sys.executable).parent) or shutil.which("ruff")
    assert ruff, "ruff comes with the extra dev"
    words = [ruff, "check", "--no-cache", "--quiet", "--stdin-filename", "ae_cls/store/x.py", "-"]
    found = subprocess.run(
        words, input=FORBIDDEN[name], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1 and re.search(r"S\d\d\d|TID251", found.stdout), found


@pytest.mark.parametrize(
    "line", ["np.load(a, allow_pickle=True)", "allow_pickle = True", "ZipFile(a).extractall(b)"]
)
def test_scripts_lint_refuses_what_ruff_has_no_rule_for(line: str) -> None:
    lint = (ROOT / "scripts" / "lint").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"forbidden='(.+)'", lint)
    assert re.search(pattern, line) and not re.search(pattern, "np.load(a, allow_pickle=False)")
