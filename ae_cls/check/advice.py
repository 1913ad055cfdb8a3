"""Words of the command line that suit a data set, and the whole line to type next."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ae_cls.check.findings import Advice, BadFile, Balance
from ae_cls.dataset.contract import Dataset, DatasetConfig
from ae_cls.dataset.files.published import data_folder
from ae_cls.dataset.image_files import ImageFilesConfig
from ae_cls.dataset.noticed import cuts_too_much
from ae_cls.errors import typed
from ae_cls.experiment import configs
from ae_cls.experiment.check import Check

_LEAST_SIDE = 8  # pixels of an image that every network takes
_STEP = 4  # pixels: sides are multiples of it, as networks halve them


def advice_of(
    config: DatasetConfig, dataset: Dataset, bad: Sequence[BadFile], balance: Balance | None
) -> tuple[Advice, ...]:
    """What suits these images better than the words that were said."""
    return tuple([*_about_files(config, dataset, bad), *_about_classes(balance)])


def command_of(check: Check, advice: Sequence[Advice], *, refused: bool, has_classes: bool) -> str:
    """The line to type next, quoted for a shell: the words that were said, and what is advised.

    Args:
        check: what was asked for.
        advice: words; they take the place of earlier ones with the same key.
        refused: whether a run would end; then the same check comes next, after mending.
        has_classes: whether there is something to classify.
    """
    words = dict(_words_said(check))
    if not refused:
        words |= {one.word.partition("=")[0]: one.word for one in advice}
    command = "check" if refused else "run" if has_classes else "pretrain"
    return " ".join(["ae-cls", command, *words.values()])


def _about_files(
    config: DatasetConfig, dataset: Dataset, bad: Sequence[BadFile]
) -> Iterator[Advice]:
    if not isinstance(config, ImageFilesConfig) or dataset.facts is None:
        return
    if bad and config.on_bad == "error":
        yield Advice("dataset.on_bad=skip", "leaves out, and counts, the files without an image")
    if cuts_too_much(dataset.facts, config.frame):
        yield Advice("dataset.fit=pad", "shows all of each picture; fit=crop cuts much of it away")
    typical = int(np.median(np.maximum(dataset.facts.height, dataset.facts.width)))
    side = max(_LEAST_SIDE, -(-typical // _STEP) * _STEP)
    if side < max(dataset.image_shape[1:]) and isinstance(config.image_size, int):
        why = f"the median picture has {typical} pixels: more are made up, and cost time"
        yield Advice(f"dataset.image_size={side}", why)
    if config.channels == 3 and config.bands is None and (dataset.facts.bands == 1).all():
        yield Advice("dataset.channels=1", "all files are grey: three channels cost time")


def _about_classes(balance: Balance | None) -> Iterator[Advice]:
    if balance is not None and balance.is_unequal:
        yield Advice("head.class_weight=balanced", "a rare class counts as much in training")
        yield Advice("labels.choose_by=balanced_accuracy", "and in the choice of settings")


def _words_said(check: Check) -> Iterator[tuple[str, str]]:
    """Key and word of all that differs from the defaults; the option of the data set first."""
    name = check.dataset.name  # pyright: ignore[reportAttributeAccessIssue]  # each option has one
    yield "dataset", f"dataset={name}"
    defaults = configs.read_yaml(configs.config_folder() / "dataset" / f"{name}.yaml")
    yield from _differing("dataset.", check.dataset.model_dump(mode="json"), defaults)
    defaults = configs.read_yaml(configs.config_folder() / "check.yaml")
    yield from _differing("split.", check.split.model_dump(mode="json"), defaults["split"])
    if check.seed:
        yield "seed", f"seed={check.seed}"


def _differing(
    start: str, values: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if key not in ("name", "about") and value != defaults.get(key):
            shown = str(data_folder(value)) if key == "root" else value
            yield start + key, _word(start + key, shown)


def _word(key: str, value: object) -> str:
    """`key=value` as a shell and Hydra's grammar take it."""
    if isinstance(value, str):
        return typed(key, value)
    return shlex.quote(f"{key}={_text(value)}")


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, str):
        return shlex.split(typed("key", value))[0].removeprefix("key=")
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
