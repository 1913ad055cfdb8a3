"""With `test=false` the test images are not read, whoever might."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ae_cls.dataset.contract import Dataset, ImageTable
from ae_cls.errors import UsageError
from ae_cls.jobs import commands
from ae_cls.report.table import print_table, summary_table
from ae_cls.run import data as run_data
from ae_cls.run import figures as run_figures
from ae_cls.run import run as runner
from tests.composed import described, experiment

QUICK = (
    "pretrain=quick", "pretrain.epochs=1", "pretrain.min_steps=2", "autoencoder.widths=[8,16]",
    "autoencoder.depth=1", "autoencoder.latent_dim=8", "device=cpu", "precision=fp32", "threads=1",
)  # fmt: skip
LINEAR = ("head.C=[0.1]",)
FINETUNE = ("head=finetune", "head.epochs=1", "head.min_steps=20")


@dataclass(frozen=True)
class Guarded:
    """A table of images some rows of which must not be read."""

    images: ImageTable
    closed: frozenset[int]

    @property
    def shape(self) -> torch.Size:
        return self.images.shape

    def __len__(self) -> int:
        return len(self.images)

    def index_select(self, dim: int, index: Tensor, /) -> Tensor:
        assert self.closed.isdisjoint(index.tolist()), "a test image was read"
        return self.images.index_select(0, index)


def with_closed_test(dataset: Dataset) -> Dataset:
    given = experiment()
    test = run_data.make_split(dataset, given.split, given.labels, given.seed).test
    return dataclasses.replace(dataset, images=Guarded(dataset.images, frozenset(test.tolist())))


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits whose test images must not be read once it is known which they are.

    Until then all are: for the hash that is the name of the data in the store, and to find copies,
    which decide together with the labels which rows are the test part, but nothing else.
    """
    read: Callable[..., Dataset] = run_data.read
    monkeypatch.setattr(run_data, "read", lambda config: with_closed_test(read(config)))


def go(place: Path, command: str, *words: str) -> runner.Result:
    given = described(command, *words).model_copy(update={"outputs": str(place)})
    return commands.COMMANDS[command](given)


@pytest.mark.parametrize("head", [LINEAR, FINETUNE], ids=["linear", "finetune"])
def test_a_run_with_its_test_part_closed_reads_no_test_image(
    closed: None, tmp_path: Path, head: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    for name in ("confusion_matrix", "confident_mistakes"):
        draw = getattr(run_figures, name)
        monkeypatch.setattr(
            run_figures, name, lambda *given, _draw=draw: drawn.append(given[-1]) or _draw(*given)
        )
    result = go(tmp_path, "run", *QUICK, *head, "test=false")
    assert "test" not in result.metrics
    assert result.metrics["valid"]["accuracy"] > 0.5
    rebuilt = result.metrics.get("reconstruction")
    if head is FINETUNE:
        assert rebuilt is None
    else:
        assert rebuilt is not None and rebuilt["part"] == "valid"
    assert not (result.folder / "predictions.csv").exists()
    assert (result.folder / "figures" / "confusion_matrix.png").exists()
    assert drawn == ["validation", "validation"]


def test_a_run_that_opens_its_test_part_does_read_it(closed: None, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="a test image was read"):
        go(tmp_path, "run", *QUICK, *LINEAR, "test=true")


def test_closing_the_test_part_changes_nothing_else(tmp_path: Path) -> None:
    opened, shut = (
        go(tmp_path, "run", *QUICK, *LINEAR, "figures=false", f"test={word}")
        for word in ("true", "false")
    )
    assert (opened.test_read_by, shut.test_read_by) == (1, 1)  # by the first alone
    evaluated = opened.metrics["protocol"]["labels"]["evaluated"]
    assert evaluated.pop("test") == opened.metrics["protocol"]["images"]["test"]
    for part in ("valid", "labels", "protocol", "encoder", "head"):
        assert shut.metrics[part] == opened.metrics[part]
    for name in ("model/model.safetensors", "model/head.safetensors"):
        assert (shut.folder / name).read_bytes() == (opened.folder / name).read_bytes()


def test_pretrain_and_then_classify_with_the_test_part_closed_read_no_test_image(
    closed: None, tmp_path: Path
) -> None:
    first = go(tmp_path, "pretrain", *QUICK)
    result = go(tmp_path, "classify", f"encoder={first.folder}", *LINEAR, "test=false")
    assert "test" not in result.metrics
    assert result.metrics["valid"]["accuracy"] > 0.5


def test_no_test_part_is_a_mistake_only_where_it_would_be_read(tmp_path: Path) -> None:
    words = (*QUICK, *LINEAR, "figures=false", "split.test_fraction=0.0")
    with pytest.raises(UsageError, match="no test part") as refused:
        go(tmp_path, "run", *words)
    assert "test=false" in refused.value.fix
    assert not list(tmp_path.iterdir())
    assert go(tmp_path, "run", *words, "test=false").metrics["protocol"]["images"]["test"] == 0


def test_the_summary_of_a_closed_run_tells_of_validation_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = go(tmp_path, "run", *QUICK, *LINEAR, "figures=false", "test=false")
    print_table(summary_table(result.metrics, result.seconds, result.folder))
    shown = capsys.readouterr().out
    assert "valid accuracy" in shown and "test accuracy" not in shown
    assert "majority-class rate" in shown
