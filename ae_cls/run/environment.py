"""Where and with what a run was made: what may differ between two runs with equal metrics."""

import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ae_cls.compute import Compute, describe
from ae_cls.machine.versions import version

_PACKAGES = (
    "ae-cls", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "pillow", "safetensors",
    "skops", "hydra-core", "omegaconf", "pydantic",
)  # fmt: skip


def environment(compute: Compute, seconds: dict[str, float]) -> dict[str, Any]:
    """environment.json: an allow-list, nothing of the user's own environment."""
    return {
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "system": platform.platform(),
        "git_commit": git_commit(),
        **describe(compute),
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "peak_memory_mib": peak_memory_mib(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def git_commit() -> str | None:
    """The commit of the checkout that runs, "+changes" when files differ from it; else None."""
    home = Path(__file__).resolve().parents[2]
    if not (home / ".git").exists():
        return None
    try:
        commit = _git(home, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(home, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(home: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(home), *words], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def peak_memory_mib() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 2**20 if sys.platform == "darwin" else peak // 2**10  # bytes there, KiB here
