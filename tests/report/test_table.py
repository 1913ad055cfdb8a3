import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import RenderableType

from ae_cls.evaluate.metrics import Metrics, evaluate
from ae_cls.report.jobs_table import JobRow, jobs_table
from ae_cls.report.table import print_table, summary_table

FOLDER = Path("outputs/run/fashion_mnist-conv-svm") / ("x" * 90)


@pytest.fixture(autouse=True)
def _a_plain_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")


def metrics_of(right: int, wrong: int) -> Metrics:
    answers = np.repeat([0, 1], [right, wrong])
    return evaluate(np.eye(2)[answers], np.zeros(right + wrong, dtype=np.int64), ("coat", "bag"))


def row(state: str = "finished", **changes: Any) -> JobRow:
    is_done = state == "finished"
    ours = JobRow(
        keys={"autoencoder": "vae", "head": "svm"},
        state=state,
        metrics={"valid": metrics_of(9, 1), "test": metrics_of(96, 4)} if is_done else {},
        seconds=12.34,
        reason="" if is_done else "the loss is not finite",
    )
    return replace(ours, **changes)


def printed(renderable: RenderableType, capsys: pytest.CaptureFixture[str]) -> str:
    print_table(renderable)
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_summary_tells_accuracies_majority_times_and_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = {
        "valid": metrics_of(9, 1),
        "test": metrics_of(96, 4),
        "reconstruction": {
            "intact": {"mse": 0.0123, "psnr": 19.1, "explained": 0.875},
            "corrupted": {"mse": 0.02, "psnr": 17.0, "explained": 0.75},
            "pca": {"mse": 0.0063, "psnr": 22.0, "explained": 0.9},
            "mean_colour": {"mse": 0.1084, "psnr": 9.6, "explained": -0.1},
        },
    }
    out = printed(summary_table(metrics, {"pretrain": 61.26, "classify": 0.5}, FOLDER), capsys)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines == [
        "valid accuracy 90.0 % 59.6 to 98.2 % (95 % interval) 10 images",
        "test accuracy 96.0 % 90.2 to 98.4 % (95 % interval) 100 images",
        "majority-class rate 100.0 %",
        "reconstruction error 0.0123 explains 87.5 % of the variance",
        "of corrupted images 0.02 explains 75.0 % of the variance",
        "of PCA of that size 0.0063",
        "of the mean colour 0.1084",
        "pretrain 61.3 s",
        "classify 0.5 s",
        str(FOLDER),
    ]


def test_summary_of_pretraining_has_no_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    perfect = {"mse": 0.0, "psnr": None, "explained": None}
    metrics = {"reconstruction": dict.fromkeys(("intact", "pca", "mean_colour"), perfect)}
    out = printed(summary_table(metrics, {}, FOLDER), capsys)
    assert out.splitlines() == [
        "reconstruction error  0",
        "of the mean colour    0",
        str(FOLDER),
    ]


def test_majority_rate_is_that_of_test_when_there_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    halves = evaluate(np.eye(2), np.array([0, 1]), ("coat", "bag"))
    both = printed(summary_table({"valid": metrics_of(9, 1), "test": halves}, {}, FOLDER), capsys)
    assert re.search(r"majority-class rate +50\.0 %", both)
    alone = printed(summary_table({"valid": metrics_of(9, 1)}, {}, FOLDER), capsys)
    assert re.search(r"majority-class rate +100\.0 %", alone) and "test accuracy" not in alone


def test_sweep_has_a_line_a_job_and_then_the_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(jobs_table([row(), row("failed"), row("skipped", reason="done before")]), capsys)
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "autoencoder head state valid % test % 95 % interval seconds",
        "vae svm finished 90.0 96.0 90.2 to 98.4 12.3",
        "vae svm failed 12.3",
        "vae svm skipped 12.3",
        "failed autoencoder=vae head=svm: the loss is not finite",
        "skipped autoencoder=vae head=svm: done before",
    ]


def test_means_are_over_seeds_and_draws_for_each_of_the_other_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def job(head: str, seed: int, right: int) -> JobRow:
        keys = {"head": head, "seed": str(seed), "labels.draw": str(seed % 2)}
        return row(keys=keys, metrics={"test": metrics_of(right, 100 - right)})

    rows = [job("svm", 0, 90), job("svm", 1, 94), job("svm", 2, 95), job("knn", 0, 80)]
    lost = row("failed", keys={"head": "knn", "seed": "1", "labels.draw": "1"})
    out = printed(jobs_table([*rows, lost]), capsys)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    deviation = np.std([90, 94, 95], ddof=1)
    assert lines[lines.index("") + 1 : -1] == [
        "mean over seed, labels.draw, and standard deviation (sd) of one run",
        "head n test % sd",
        f"svm 3 93.0 {deviation:.1f}",
        "knn 1 80.0",
    ]


def test_a_measure_that_heads_were_chosen_by_stands_beside_accuracy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    thirds = evaluate(np.eye(2)[[0, 0, 0]], np.array([0, 0, 1]), ("coat", "bag"))
    metrics = {"valid": thirds, "head": {"chosen_by": "balanced_accuracy"}}
    summary = printed(summary_table(metrics, {}, FOLDER), capsys).splitlines()
    assert [line.split()[:4] for line in summary[:2]] == [
        ["valid", "accuracy", "66.7", "%"], ["valid", "balanced", "accuracy", "50.0"],
    ]  # fmt: skip
    out = printed(jobs_table([row(metrics=metrics), row("failed")]), capsys)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "autoencoder head state valid % valid balanced % seconds"
    assert lines[1].endswith("finished 66.7 50.0 12.3")


def test_a_sweep_of_pretraining_shows_the_error_of_the_decoder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rebuilt = {"reconstruction": {"intact": {"mse": 0.01, "psnr": 20.0}}}
    lines = printed(jobs_table([row(metrics=rebuilt), row("failed")]), capsys).splitlines()
    assert lines[0].split()[2:] == ["state", "MSE", "PSNR", "dB", "seconds"]
    assert lines[1].split()[3:] == ["0.01", "20.0", "12.3"]


def test_a_job_is_one_line_that_fits_80_columns_and_is_whole_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = "[" + ",".join(map(str, range(100, 140))) + "]"
    keys = {"autoencoder.widths": widths, "pretrain.lr": "0.001", "head.lr": "0.1", "seed": "0"}
    rows = [row(keys=keys), row("failed", keys=keys, reason="because " * 30)]
    narrow = printed(jobs_table(rows), capsys).splitlines()
    assert narrow[0].split()[:5] == ["widths", "pret..", "head..", "seed", "state"]
    assert narrow[1].split()[:5] == ["[1..9]", "0.001", "0.1", "0", "finished"]
    assert narrow[2].split()[4] == "failed"
    assert max(map(len, narrow)) <= 80
    monkeypatch.delenv("COLUMNS")
    whole = printed(jobs_table(rows), capsys).splitlines()
    assert whole[0].split()[:4] == [*keys]
    assert whole[1].split()[:4] == [*keys.values()]
    assert whole[-1].count("because") == 30


def test_a_name_is_shortened_before_a_value_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"labels.per_class": "25", "seed": "1", "split.seed": "2", "labels.draw": "3"}
    out = printed(jobs_table([row(keys=keys)]), capsys)
    assert out.split()[:5] == ["per_c..", "seed", "split..", "draw", "state"]
    assert max(map(len, out.splitlines())) <= 80


def test_an_empty_sweep_is_only_titles(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(printed(jobs_table([]), capsys).splitlines()) == 1


def test_a_pipe_gets_plain_ascii_lines_without_trailing_blanks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for table in (
        jobs_table([row(), row("failed")]),
        summary_table({}, {"pretrain": 1.0}, FOLDER),
    ):
        out = printed(table, capsys)
        assert out.isascii() and "\x1b" not in out
        assert all(line == line.rstrip() for line in out.splitlines())


def test_colour_comes_with_a_terminal_and_goes_with_no_color(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[31mfailed" in printed(jobs_table([row("failed")]), capsys)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", printed(jobs_table([row("failed")]), capsys))


def test_words_are_neither_markup_nor_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [row("failed", keys={"a": "[red]"}, reason="[bold]\x1b[31m\nboom")]
    out = printed(jobs_table(rows), capsys)
    assert "failed  a=[red]: [bold]\\x1b[31m boom" in out


@pytest.mark.parametrize("name", ["日本", "naïve", "udc\udcff"])
def test_a_name_that_the_encoding_lacks_is_escaped(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_table(summary_table({}, {}, Path(name)))
    sys.stdout.flush()
    assert raw.getvalue() == name.encode("ascii", "backslashreplace") + b"\n"


def test_labels_read_before_the_test_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    labels = {"regime": "validation", "fit": 100, "choose": 6000, "evaluated": {}}
    besides = {"valid": metrics_of(9, 1), "protocol": {"labels": labels}}
    within = {"valid": metrics_of(9, 1), "protocol": {"labels": {**labels, "choose": 0}}}
    out = printed(summary_table(besides, {}, FOLDER), capsys)
    assert "labels before test 100 + 6,000 for choosing" in " ".join(out.split())
    out = printed(summary_table(within, {}, FOLDER), capsys)
    assert "labels before test 100 settings chosen within them" in " ".join(out.split())
    out = printed(jobs_table([row(metrics=besides), row(metrics=within)]), capsys)
    assert "100 + 6,000" in out
    assert "labels: those learnt from + those for choosing settings" in out
    assert "choosing" not in printed(jobs_table([row(metrics=within)]), capsys)


def test_repeated_folds_stand_beside_a_small_test_part(capsys: pytest.CaptureFixture[str]) -> None:
    again = {"accuracy": 0.4, "accuracy_ci95": [0.2, 0.6], "folds": 5, "repeats": 5, "n": 15}
    metrics = {"test": metrics_of(1, 2), "repeated_folds": again}
    out = printed(summary_table(metrics, {}, FOLDER), capsys)
    assert "accuracy, 5 x 5 folds 40.0 % 20.0 to 60.0 % (95 % interval) 15 images" in (
        " ".join(out.split())
    )
    metrics["repeated_folds"] = {"left_out": "for a reason"}
    assert "folds" not in printed(summary_table(metrics, {}, FOLDER), capsys)
