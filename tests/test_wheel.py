"""The wheel works outside the checkout: its configs are inside it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.composed import CONFIGS

HOME = CONFIGS.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built with what `scripts/test` has installed: no download."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(HOME)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_config_module_page_and_shell_script_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    configs = {f"ae_cls/configs/{p.relative_to(CONFIGS)}" for p in CONFIGS.rglob("*.yaml")}
    modules = {str(p.relative_to(HOME)) for p in (HOME / "ae_cls").rglob("*.py")}
    scripts = {str(p.relative_to(HOME)) for p in (HOME / "ae_cls" / "cli" / "shells").iterdir()}
    parts = [p for kind in ("html", "css") for p in (HOME / "ae_cls").rglob(f"*.{kind}")]
    pages = {str(part.relative_to(HOME)) for part in parts}
    assert pages and names == configs | modules | scripts | pages


def test_the_wheel_runs_in_another_folder(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    start = (
        "import ae_cls, sys; from ae_cls.cli.main import main; "
        f"assert ae_cls.__file__.startswith({str(site)!r}), ae_cls.__file__; main()"
    )
    words = ["run", "pretrain=none", "autoencoder=pixels", "head.C=[0.1]"]
    done = subprocess.run(
        [sys.executable, "-c", start, *words], capture_output=True, text=True, timeout=200,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("outputs/run/digits-pixels-linear/*/metrics.json"))) == 1
