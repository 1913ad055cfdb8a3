"""What the config group `study` and the keys beside it may say."""

from typing import Literal, final

from pydantic import Field

from ae_cls.settings import PathText, Settings


@final
class StudySettings(Settings):
    """What is compared with what, how often, and in how much time."""

    arms: tuple[str, ...] = Field(description="what is compared: options of the group arm")
    each: Literal["autoencoder", "head"] | None = Field(
        description="a group of which each option is a further arm; null: none"
    )
    budgets: tuple[int | str, ...] | None = Field(
        min_length=1,
        description="labels of each class, shares of the labels such as 10%, or all; null: fitted "
        "to the data",
    )
    finetune_at: tuple[int | str, ...] | None = Field(
        min_length=1,
        description="budgets at which each autoencoder of study.each=autoencoder is fine-tuned, "
        "too, as an arm of its own; null: none",
    )
    draws: int | None = Field(
        ge=1,
        le=1000,
        description="draws of labels at each budget; null: 5, and up to 20 of arms that leave the "
        "encoder as it is, while they cost half the time of the others at most",
    )
    seeds: int = Field(ge=1, le=1000, description="seeds, that is networks, for each of them")
    folds: int | None = Field(
        ge=2,
        le=100,
        description="test parts of a small data set; null: 5 where there is no official test part "
        "and little data, else one split",
    )
    repeats: int = Field(ge=1, le=100, description="divisions into folds, where there are folds")
    minutes: float | None = Field(
        gt=0,
        description="time available; what does not fit is left out and named; null: as long as "
        "it takes",
    )
    pretrain_minutes: float | None = Field(
        gt=0,
        description="of pretraining for each network, by measured speed, in whole epochs; networks "
        "of a preset whose epoch takes more than twice as long are left out; null: as long as "
        "pretrain says",
    )
    folder: PathText | None = Field(
        min_length=1, description="of the study; null: one named after its words, under outputs"
    )
