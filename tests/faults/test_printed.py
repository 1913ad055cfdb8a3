"""Group O of the battery: what a report prints follows from the answers of its runs (O08, T11)."""

import csv
import html
import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from ae_cls.compare.report import Report, report
from ae_cls.evaluate.interval import wilson_interval
from ae_cls.evaluate.paired import compare_differences
from tests.cli.conftest import with_hydra
from tests.compare.made_up import made_up_sweep
from tests.faults.test_training import TINY

pytestmark = with_hydra

WORDS = {"pretrain=quick": "pretrained", "hog": "hog"}
ARMS, BUDGETS, DRAWS = ("pretrained", "random", "hog"), (10, 50), 4


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("printed") / "runs"
    return made_up_sweep(root, draws=DRAWS, pretrained=0.8, random=0.6, hog=0.7)


@pytest.fixture(scope="module")
def made(runs: Path) -> Report:
    return report([runs], runs.parent / "report")


def arm_of(name: str) -> str:
    """The folder of an arm that the report names by its words."""
    return next((arm for word, arm in WORDS.items() if word in name), "random")


def answers(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "predictions.csv").read_text().splitlines()))


def right(root: Path, arm: str, per_class: int) -> np.ndarray:
    """A row a draw: whether each test image was answered rightly."""
    tables = [answers(root / f"{arm}-{per_class}-{draw}") for draw in range(DRAWS)]
    return np.array([[row["label"] == row["predicted"] for row in rows] for rows in tables], float)


def tables_of(text: str) -> dict[int, list[dict[str, str]]]:
    """The tables of report.md by their budget, a dictionary a line."""
    found: dict[int, list[dict[str, str]]] = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        if budget := re.match(r"(\d+) a class", part):
            titles, _, *rows = (line for line in part.splitlines() if line.startswith("|"))
            cells = [
                [cell.strip() for cell in row.strip("|").split("|")] for row in (titles, *rows)
            ]
            found[int(budget[1])] = [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]
    return found


@pytest.mark.parametrize("case", ["O08-tables"])
def test_the_digits_of_the_tables_are_those_of_the_answers(case, runs, made):
    tables = tables_of((runs.parent / "report" / "report.md").read_text())
    assert tables.keys() == {*BUDGETS}
    for budget, rows in tables.items():
        assert len(rows) == len(ARMS)
        leading = right(runs, "pretrained", budget)
        for row in rows:
            arm = arm_of(row["way of classifying"])
            own = right(runs, arm, budget)
            judged = compare_differences(own, np.arange(own.shape[1]))
            low, high = max(0.0, judged.low), min(1.0, judged.high)
            assert row["right, %"] == f"{100 * own.mean():.1f}"
            assert row["95 % interval"] == f"{100 * low:.1f} to {100 * high:.1f}"
            assert row["runs"] == str(DRAWS)
            gap = f"{100 * (leading - own).mean():+.1f}"
            difference = row["best pretrained minus this"]
            assert difference.startswith(f"{gap} (") if arm != "pretrained" else not difference


@pytest.mark.parametrize("case", ["O08-method"])
def test_the_p_values_are_those_of_all_ways_to_flip_the_signs(case, runs, made):
    text = (runs.parent / "report" / "report.md").read_text()
    lines = re.findall(
        r"- (\d+) a class: (.*?) minus (.*?): (\S+) points,.*sign-flip p (\S+),", text
    )
    assert len(lines) >= len(BUDGETS) * (len(ARMS) - 1)
    for budget, one, other, points, p in lines:
        first, second = (
            right(runs, arm_of(name), int(budget)).mean(axis=1) for name in (one, other)
        )
        gaps = first - second
        flips = np.array(list(product((-1, 1), repeat=DRAWS))) @ gaps
        assert points == f"{100 * gaps.mean():+.1f}"
        assert float(p) == pytest.approx(np.mean(np.abs(flips) >= abs(gaps.sum()) - 1e-12))


@pytest.mark.parametrize("case", ["O08-classes"])
def test_the_classes_of_the_page_have_the_recall_of_the_answers(case, runs, made):
    (section,) = made.page.sections
    page = html.unescape((runs.parent / "report" / "report.html").read_text())
    names = [arm_of(name) for name in section.class_arms]
    assert len(section.classes) == 3
    for line in section.classes:
        for arm, said in zip(names, (line.pretrained, line.control), strict=True):
            tables = [answers(runs / f"{arm}-{BUDGETS[-1]}-{draw}") for draw in range(DRAWS)]
            own = [[row for row in rows if row["label"] == line.name] for rows in tables]
            recall = np.mean([[r["predicted"] == line.name for r in rows] for rows in own])
            low, high = wilson_interval(float(recall) * len(own[0]), len(own[0]))
            assert line.images == str(len(own[0]))
            assert said == f"{100 * recall:.1f} ({100 * low:.1f} to {100 * high:.1f})"
            assert said in page


@pytest.mark.parametrize("case", ["O08-results"])
def test_the_numbers_of_the_table_of_runs_are_those_of_the_answers(case, runs, made):
    text = (runs.parent / "report" / "results.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(ARMS) * len(BUDGETS) * DRAWS
    for row in rows:
        own = [one["label"] == one["predicted"] for one in answers(Path(row["folder"]))]
        limits = wilson_interval(sum(own), len(own))
        assert float(row["test_accuracy"]) == pytest.approx(np.mean(own), rel=1e-12)
        assert [float(row["accuracy_low"]), float(row["accuracy_high"])] == pytest.approx(limits)


@pytest.mark.parametrize("case", ["O08-terminal", "T11-command"])
def test_the_digits_on_the_terminal_are_those_of_the_answers(case, ae_cls):
    short = ("head=linear", "head.max_steps=1") if case == "T11-command" else ()
    ended = ae_cls(*TINY, *short)
    assert ended.code == 0, ended.err
    (run,) = Path("outputs/run").glob("*/*")
    own = [row["label"] == row["predicted"] for row in answers(run)]
    low, high = wilson_interval(sum(own), len(own))
    (line,) = (line for line in ended.out.splitlines() if line.startswith("test accuracy"))
    assert line.split()[2] == f"{100 * np.mean(own):.1f}"
    assert f"{100 * low:.1f} to {100 * high:.1f} %" in line and f"{len(own)} images" in line
    metrics = json.loads((run / "metrics.json").read_text())
    if case == "T11-command":
        assert metrics["head"]["converged"] is False
        assert "the head has not converged" in " ".join(metrics["warnings"])
        assert "the head has not converged" in ended.err


@pytest.mark.parametrize("case", ["T11-page"])
def test_a_head_that_has_not_converged_is_on_the_first_page(case, tmp_path):
    root = made_up_sweep(tmp_path / "runs", draws=3, pretrained=0.8, random=0.6)
    for name in ("random-10-0", "random-50-1"):
        path = root / name / "metrics.json"
        plain = json.loads(path.read_text())
        plain["head"] = {"converged": False, "steps": 1}
        path.write_text(json.dumps(plain))
    made = report([root], tmp_path / "report")
    said = [one for one in made.page.sections[0].more if "has not converged" in one]
    assert len(said) == 1 and "in 2 of 6 runs" in said[0] and "head.max_steps" in said[0]
    text = (tmp_path / "report" / "report.md").read_text()
    assert text.index("has not converged") < text.index("## ")
