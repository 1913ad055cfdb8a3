"""`ae-cls bench` as it is typed; a test that it runs, never of how fast."""

import json
from pathlib import Path
from typing import Any

import pytest

from ae_cls.bench import child, compare, speed
from ae_cls.bench.contenders import CONTENDERS, Contender
from ae_cls.experiment.benchmark import Benchmark
from tests.bench.test_bench import SMALL
from tests.cli.conftest import AeCls


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> list[Contender]:
    """Who is measured in a new process: the first, as to start one takes longer than the rest."""
    started: list[Contender] = []

    def measured(benchmark: Benchmark, contender: Contender, task: child.Task) -> Any:
        if started:
            return json.loads(json.dumps(speed.speed(benchmark, contender)))
        started.append(contender)
        return child.measured(benchmark, contender, task)

    monkeypatch.setattr(compare, "measured", measured)
    monkeypatch.setattr(speed, "_SIDE", 64)
    return started


def test_bench_leaves_table_and_json(
    tmp_path: Path, ae_cls: AeCls, one_process: list[Contender]
) -> None:
    outcome = ae_cls("bench", *SMALL, f"folder={tmp_path / 'b'}")
    assert outcome.code == 0, outcome.err
    found = json.loads((tmp_path / "b" / "bench.json").read_text())
    assert one_process == [CONTENDERS[0]]
    assert len(found["contenders"]) == len(CONTENDERS)
    for row in found["contenders"]:
        assert row["all_images_per_second"] == [row["images_per_second"]]
        assert row["images_per_second"] > 0 and row["peak_memory_mib"] > 50
        used = row["images_per_second"] * row["flop_per_image"]
        assert row["share_of_matrix_rate"] == pytest.approx(used / row["matrix_flop_per_second"])
        assert row["contender"].partition(",")[0] in outcome.out
    assert found["contenders"][0]["ratio"] == 1.0
    assert str(tmp_path / "b") in outcome.out
