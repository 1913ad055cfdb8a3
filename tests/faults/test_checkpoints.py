"""Group K of the battery: checkpoints that somebody else may have made, in the place of ours."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from ae_cls.errors import ModelFileError
from ae_cls.run.checkpoints import CheckpointFolder
from ae_cls.store.files import sha256
from tests.faults.test_training import interrupt, trained
from tests.pretrain import test_layerwise
from tests.train.kept import checkpoint
from tests.train.test_loop import OneWeight

STEP = 4  # one step into the second epoch of three
RECORD = {
    "stage": "test", "epoch": 1, "step": 3, "lr": 0.1, "seconds": 1.0, "images_per_second": 1.0,
    "train": {}, "valid": {}, "best": True,
}  # fmt: skip


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The checkpoint of a training that was stopped."""
    folder = CheckpointFolder(tmp_path, of="one", every=math.inf)
    with pytest.raises(KeyboardInterrupt):
        trained(
            OneWeight(), "epochs=4", checkpoints=folder,
            factor_at=lambda step: interrupt() if step == STEP else 1.0,
        )  # fmt: skip
    newest, *older = sorted(tmp_path.iterdir(), reverse=True)
    for path in older:  # of the first epoch, where the machine is slow
        path.unlink()
    return newest


def text_of(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["checkpoint"])


def replaced(path: Path, text: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Put another checkpoint in its place, by the name that such a one must have."""
    content = safetensors.torch.save(tensors, {"checkpoint": json.dumps(text)})
    path.unlink()
    path.with_name(f"step-{STEP:012d}-{sha256(content)}.safetensors").write_bytes(content)


def refused(place: Path, network: OneWeight) -> ModelFileError:
    """What the same training says that finds such a checkpoint."""
    folder = CheckpointFolder(place, of="one", every=math.inf)
    with pytest.raises(ModelFileError) as error:
        trained(network, "epochs=4", checkpoints=folder)
    assert error.value.where.startswith(f"{place}/step-{STEP:012d}-")
    assert error.value.why
    return error.value


FACTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "missing": lambda facts: facts.pop("count"),
    "unknown": lambda facts: facts.update(more=1),
    "type": lambda facts: facts.update(seconds="0.5"),
    "negative": lambda facts: facts.update(count=-1),
    "history": lambda facts: facts.update(history=[{"step": 3}]),
    "record": lambda facts: facts.update(history=[RECORD | {"lr": None}]),
    "no-history": lambda facts: facts.update(history=[], count=0, seconds=0.0, terms=[]),
    "later-history": lambda facts: facts.update(history=[RECORD | {"step": 9}]),
    "no-time": lambda facts: facts.update(seconds=0.0),
    "other-term": lambda facts: facts.update(terms=["kl"]),
    "no-best": lambda facts: facts.update(best=None),
}


@pytest.mark.parametrize("how", FACTS, ids=lambda how: f"K-facts-{how}")
def test_facts_that_no_checkpoint_has_are_refused(how, stopped):
    text, tensors = text_of(stopped), safetensors.torch.load_file(stopped)
    FACTS[how](text["facts"])
    replaced(stopped, text, tensors)
    refused(stopped.parent, OneWeight())


TENSORS: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "missing": lambda tensors: tensors.pop("network.weight"),
    "unexpected": lambda tensors: tensors.update({"network.bias": torch.zeros(1)}),
    "shape": lambda tensors: tensors.update({"network.weight": torch.zeros(2, 2)}),
    "type": lambda tensors: tensors.update({"best.weight": torch.zeros(1, 1).half()}),
    "not-finite": lambda tensors: tensors["best.weight"].fill_(math.nan),
    "moment": lambda tensors: tensors.pop("optimiser.0.exp_avg"),
    "moment-of-none": lambda tensors: tensors.update({"optimiser.7.exp_avg": torch.zeros(1, 1)}),
    "moment-unnumbered": lambda tensors: tensors.update({"optimiser.step": torch.zeros(1)}),
}


@pytest.mark.parametrize("how", TENSORS, ids=lambda how: f"K08-{how}")
def test_tensors_of_another_training_are_refused_and_change_nothing(how, stopped):
    text, tensors = text_of(stopped), safetensors.torch.load_file(stopped)
    TENSORS[how](tensors)
    replaced(stopped, text, tensors)
    network = OneWeight()
    refused(stopped.parent, network)
    assert not network.weight.any()


@pytest.mark.parametrize("case", ["K-facts-part"])
def test_a_part_that_a_training_by_layers_does_not_have_is_refused(case, tmp_path):
    folder, begun = CheckpointFolder(tmp_path, of="one", every=math.inf), checkpoint(1)
    folder.keep(replace(begun, facts=begun.facts.model_copy(update={"part": 9})))
    with pytest.raises(ModelFileError) as error:
        test_layerwise.schedule().fit(test_layerwise.stack("conv"), test_layerwise.task(folder))
    assert "part 9" in error.value.why
