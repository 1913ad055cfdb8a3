"""`ae-cls bench` as it is typed; a test that it runs, never of how fast."""

import json
from pathlib import Path

import pytest

from ae_cls.bench.contenders import CONTENDERS
from tests.bench.test_bench import SMALL
from tests.cli.conftest import AeCls


def test_bench_leaves_table_and_json(tmp_path: Path, ae_cls: AeCls) -> None:

    outcome = ae_cls("bench", *SMALL, f"folder={tmp_path / 'b'}")
    assert outcome.code == 0, outcome.err
    found = json.loads((tmp_path / "b" / "bench.json").read_text())
    assert len(found["contenders"]) == len(CONTENDERS)
    for row in found["contenders"]:
        assert row["all_images_per_second"] == [row["images_per_second"]]
        assert row["images_per_second"] > 0 and row["peak_memory_mib"] > 50
        used = row["images_per_second"] * row["flop_per_image"]
        assert row["share_of_matrix_rate"] == pytest.approx(used / row["matrix_flop_per_second"])
        assert row["contender"].partition(",")[0] in outcome.out
    assert found["contenders"][0]["ratio"] == 1.0
    assert str(tmp_path / "b") in outcome.out
