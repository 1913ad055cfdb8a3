"""`ae-cls report` on the command line, and its page in a real browser."""

import base64
import csv
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ae_cls.compare.report import Report, report
from ae_cls.jobs.verify import verify
from tests.cli.conftest import ae_cls, with_hydra
from tests.compare.made_up import made_up_sweep

__all__ = ["ae_cls"]
pytestmark = with_hydra


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("all") / "runs"
    return made_up_sweep(root, pretrained=0.8, random=0.6, hog=0.7)


@pytest.fixture(scope="module")
def made(runs: Path) -> Report:
    """A report on them, written once for all tests that only look at it."""
    return report([runs], runs.parent / "report")


def read(made: Report, suffix: str) -> str:
    (path,) = (path for path in made.files if path.name.endswith(suffix))
    return path.read_text()


def test_the_page_and_the_text_say_the_same(made):
    page, text = read(made, ".html"), read(made, ".md")
    (section,) = made.page.sections
    assert section.headline in html.unescape(page)
    assert text.startswith(f"# {section.headline}\n")
    said = "This test part was read by 46 runs; the best of 46 looks better than it is."
    assert said in page and said in text


def test_its_files_are_listed_and_damage_to_any_is_found(made, runs, tmp_path):
    place = Path(shutil.copytree(made.files[0].parent, tmp_path / "report"))
    (whole,) = verify(place)
    assert (whole.kind, whole.damage, whole.notes) == ("report", {}, ())
    for path in made.files:
        content = path.read_bytes()
        (place / path.name).write_bytes(content[:-2] + b"9\n")
        assert path.name in verify(place)[0].damage
        (place / path.name).write_bytes(content)
    (place / "manifest.json").write_text("{")
    report([runs], place)
    assert not verify(place)[0].damage


def test_a_report_above_the_runs_hides_none_from_verify(runs, tmp_path):
    above = Path(shutil.copytree(runs, tmp_path / "outputs" / "runs")).parent
    report([above / "runs"], above)
    kinds = [one.kind for one in verify(above)]
    assert kinds[0] == "report" and len(kinds) > 1


def test_each_arm_has_the_command_that_makes_it_again(made):
    commands = {one.arm: one.command for one in made.page.sections[0].again}
    assert commands["pretrain=quick"] == (
        "ae-cls run -m pretrain=quick labels.per_class=10,50 labels.draw=0,1,2,3"
    )


def test_results_are_a_row_a_run(made):
    rows = list(csv.DictReader(read(made, "results.csv").splitlines()))
    assert len(rows) == 24
    assert {row["pretrain"] for row in rows} == {"quick", "none"}
    assert {row["autoencoder"] for row in rows} == {"conv", "hog"}
    assert {row["labels.draw"] for row in rows} == {"0", "1", "2", "3"}
    for row in rows:
        metrics = json.loads((Path(row["folder"]) / "metrics.json").read_text())
        assert float(row["test_accuracy"]) == metrics["test"]["accuracy"]
        assert row["paired"] == "yes"
    times = list(csv.DictReader(read(made, "times.csv").splitlines()))
    assert [row["folder"] for row in times] == [row["folder"] for row in rows]
    assert {row["seconds"] for row in times} == {"1.500", "7.500"}


def test_nothing_from_the_data_is_read_as_html(made):
    page = read(made, ".html")
    assert "dog <b>" not in page and "copies <of>" not in page
    assert "<script" not in page
    assert not re.search(r'(src|href|srcset)="(?!data:)', page) and "url(" not in page


def test_samples_of_a_run_are_on_the_page(runs, tmp_path):
    own = Path(shutil.copytree(runs, tmp_path / "runs"))
    drawn = b"\x89PNG of samples"
    for config in own.rglob("config.json"):
        (config.parent / "figures").mkdir()
        (config.parent / "figures" / "samples.png").write_bytes(drawn)
    (section,) = report([own], tmp_path / "report").page.sections
    shown = [one for one in section.pictures if "codes drawn from its prior" in one.title]
    assert shown
    assert all(base64.b64decode(one.source.partition(",")[2]) == drawn for one in shown)


def test_a_damaged_run_hides_no_other(ae_cls, tmp_path):
    runs = made_up_sweep(tmp_path / "runs", draws=3, pretrained=0.8, random=0.5)
    (runs / "random-10-0" / "metrics.json").write_text("{")
    said = ae_cls("report", str(runs))
    assert said.code == 8, said.err
    assert said.out.startswith("Pretraining helps on digits")
    # A narrow terminal breaks lines within a path.
    assert "not read" in said.out and "random-10-0" in said.out.replace("\n", "")
    assert (runs / "report" / "report.html").is_file()


def test_no_run_is_an_error(ae_cls, tmp_path):
    said = ae_cls("report", str(tmp_path))
    assert said.code == 2 and "there is no run" in said.err


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
_ASKING = """
<body style="margin:0"><iframe id="page" width="390" height="800" style="border:0" srcdoc="{}">
</iframe><script>
page.onload = () => {{
  const found = page.contentDocument, images = [...found.images]
  document.body.innerHTML = "<pre>" + JSON.stringify({{
    width: found.documentElement.scrollWidth,
    images: images.length,
    broken: images.filter(one => !one.complete || one.naturalWidth === 0).length,
    first: found.querySelector("h1").textContent,
    ranks: [...found.querySelectorAll("table.report tbody tr")].map(r => r.cells[0].textContent),
  }}) + "</pre>"
}}
</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium to open the page in")
def test_the_page_in_a_browser_as_wide_as_a_phone(made, tmp_path):
    page = read(made, ".html")
    wrapper = tmp_path / "phone.html"
    wrapper.write_text(_ASKING.format(html.escape(page)))
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=3000"]
    opened = subprocess.run(
        [*command, "--dump-dom", wrapper.as_uri()],
        capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    answer = re.search(r"<pre>(.*)</pre>", opened.stdout, re.DOTALL)
    assert answer, opened.stdout[-500:]
    seen = json.loads(html.unescape(answer[1]))
    assert "CONSOLE" not in opened.stderr
    assert seen["width"] <= 390
    assert seen["images"] >= 4 and seen["broken"] == 0
    assert seen["first"].startswith("Pretraining helps on digits")
    assert seen["ranks"] == ["1", "2", "3"] * 2
