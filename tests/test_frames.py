"""From the command line to the loss by few stairs: what a reader of a traceback has to climb."""

import sys
import traceback
from pathlib import Path

import pytest

from ae_cls.autoencoder.conv import Conv
from ae_cls.cli.main import main

HOME = Path(__file__).parents[1] / "ae_cls"
MOST_FRAMES = 16
WORDS = (
    "run", "pretrain=quick", "pretrain.epochs=1", "pretrain.min_steps=20", "threads=1", "store=own",
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings(
    # OmegaConf's containers derive from typing.MutableMapping, and the shape checker warns of that.
    "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"
)


def test_few_of_our_frames_lie_between_main_and_a_loss(monkeypatch, tmp_path):
    frames: list[str] = []

    def fail(self, *_):
        frames.extend(
            f"{Path(frame.filename).relative_to(HOME)}: {frame.name}"
            for frame in traceback.extract_stack()
            if Path(frame.filename).is_relative_to(HOME)
        )
        raise ZeroDivisionError("inside a loss")

    monkeypatch.setattr(Conv, "loss", fail)
    monkeypatch.setattr(sys, "argv", ["ae-cls", *WORDS, f"outputs={tmp_path}"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert frames[0] == "cli/main.py: main"
    # The loss itself is the one that raised.
    assert len(frames) + 1 <= MOST_FRAMES, "\n".join(frames)
