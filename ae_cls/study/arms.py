"""Arms: named words over the same experiment, from `configs/arm` or from the shell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from pydantic import Field

from ae_cls.errors import UsageError, did_you_mean
from ae_cls.experiment import configs
from ae_cls.experiment.mistakes import read_part
from ae_cls.settings import Settings
from ae_cls.study.request import group_of
from ae_cls.study.settings import StudySettings

QUESTION = "pretrained"
"""The arm that is the user's own words."""

Words = tuple[str, ...]


@final
class ArmFile(Settings):
    """What a file in `configs/arm` may say."""

    words: tuple[str, ...] = Field(description="over the words of the study")
    same_compute: bool = Field(
        description="whether it trains for as many epochs more as pretraining would cost"
    )


@final
@dataclass(frozen=True)
class Arm:
    """One of the things that are compared.

    Attributes:
        name: in tables.
        words: over those of the study.
        meaning: one line, for people.
        same_compute: whether it trains for as many epochs more as pretraining would cost.
        is_asked_for: by the user, not by a preset; then it must be possible.
        budgets: on which it is compared, as `study.budgets` may say them; None: on all.
    """

    name: str
    words: Words
    meaning: str
    same_compute: bool = False
    is_asked_for: bool = False
    budgets: tuple[int | str, ...] | None = None


def arms_of(
    settings: StudySettings, own: Mapping[str, Words], folders: Sequence[Path], *, chosen: bool
) -> list[Arm]:
    """The arms of a study, each once, the user's own last.

    Args:
        settings: of the study.
        own: arms given in the shell, by name.
        folders: the user's option folders.
        chosen: whether the user has named the arms, in place of a preset.

    Raises:
        UsageError: there is no such arm, or one is named as one of ours.
    """
    known = configs.options("arm", folders)
    for name in own:
        if name in known:
            raise UsageError(f"arm.{name} is the name of an arm of ae-cls", fix="another name")
    for name in settings.arms:
        if name not in known and name not in own:
            near = did_you_mean(name, [*known, *own]) or ", ".join(known)
            raise UsageError(f"there is no arm {name}", where="study.arms", fix=near)
    arms = [_from_file(name, folders, chosen) for name in settings.arms if name not in own]
    arms += _each(settings.each, folders)
    arms += _each_finetuned(settings, folders)
    arms += [Arm(name, words, "an arm of yours", False, True) for name, words in own.items()]
    return list({arm.name: arm for arm in reversed(arms)}.values())[::-1]


def _each(group: str | None, folders: Sequence[Path]) -> list[Arm]:
    """An arm for each option of a group; a control that has an arm of its own is that arm."""
    if group is None:
        return []
    arms = configs.options("arm", folders)
    return [
        _from_file(option, folders, False)
        if option in arms
        else Arm(option, (f"{group}={option}",), configs.says(group, option, folders))
        for option in configs.options(group, folders)
    ]


def _each_finetuned(settings: StudySettings, folders: Sequence[Path]) -> list[Arm]:
    """Each autoencoder again; controls that have an arm of their own have nothing to train."""
    if settings.finetune_at is None:
        return []
    if settings.each != "autoencoder":
        raise UsageError(
            "there are no autoencoders to fine-tune one by one", where="study.finetune_at",
            fix="study=variants",
        )  # fmt: skip
    controls = configs.options("arm", folders)
    return [
        Arm(
            f"{option}_finetuned", (f"autoencoder={option}", "head=finetune"),
            f"{option}, trained further on the labels", budgets=settings.finetune_at,
        )
        for option in configs.options("autoencoder", folders)
        if option not in controls
    ]  # fmt: skip


def _from_file(name: str, folders: Sequence[Path], chosen: bool) -> Arm:
    path = configs.option_file("arm", name, folders)
    read = read_part(
        ArmFile.model_validate_json, configs.read_yaml(path), f"arm/{name}", "words, same_compute"
    )
    return Arm(name, read.words, configs.first_comment(path), read.same_compute, chosen)


def words_of_arm(arm: Arm, words: Sequence[str], defaults: Mapping[str, str]) -> Words:
    """The words of the study with those of the arm over them.

    What an arm chooses replaces the study's choice of that group with all its keys; what both
    choose alike keeps the study's keys. An arm that chooses no head leaves the encoder as it is:
    where the words of the study fine-tune, it takes the default head.

    Args:
        arm: of the study.
        words: of the study, as they were typed.
        defaults: the option of each group where no word chooses one.
    """
    study = {key: value for key, _, value in (word.partition("=") for word in words)}
    chosen = {key: value for key, _, value in (word.partition("=") for word in arm.words)}
    now = {group: study.get(group, default) for group, default in defaults.items()}
    replaced = {key for key, value in chosen.items() if key in defaults and now[key] != value}
    if "head" not in chosen and now["head"] == "finetune":
        replaced.add("head")
    kept = [word for word in words if group_of(word) not in replaced]
    new = [word for word in arm.words if word not in words]
    return (*kept, *new)
