"""What the config group `search` may say."""

from typing import Literal, final

from pydantic import Field

from ae_cls.settings import PathText, Settings


@final
class SearchSettings(Settings):
    """Which trials are drawn, how many, and where they lie."""

    sampler: Literal["tpe", "random"] = Field(
        description="tpe: Bayesian, learns from earlier trials; random: a control"
    )
    trials: int = Field(ge=1, description="trials in all, those of earlier calls included")
    jobs: int = Field(ge=1, description="trials at a time")
    startup_trials: int = Field(ge=1, description="trials drawn at random before tpe begins")
    seed: int | None = Field(ge=0, lt=2**32, description="of the sampler; null: the run's seed")
    folder: PathText | None = Field(
        min_length=1, description="of the search; null: one named after its words, under outputs"
    )
