"""The data set as far as it can be read, and all that a run would refuse about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from ae_cls.check.findings import Refusal
from ae_cls.dataset.contract import Dataset, DatasetConfig
from ae_cls.dataset.read import refuse_contradictions, with_copies
from ae_cls.errors import AeClsError, DataError


@final
@dataclass(frozen=True)
class Reading:
    """A data set, None where nothing of it can be read, and why a run would end."""

    dataset: Dataset | None
    refusals: tuple[Refusal, ...]


def read_all_that_can_be(config: DatasetConfig) -> Reading:
    """Load what there is; files that cannot be decoded are left out, whatever the config says.

    What was refused once is read again more leniently where it can be, so that one look shows all.
    """
    refusals: list[Refusal] = []
    for lenient in _ever_more_lenient(config):
        try:
            dataset = with_copies(lenient.load())
        except DataError as error:
            _add(refusals, refusal_of(error))
            continue
        try:
            refuse_contradictions(config, dataset)
        except DataError as error:
            _add(refusals, refusal_of(error))
        return Reading(dataset, tuple(refusals))
    try:
        config.load()  # as it is: it may say more, such as which files are damaged
    except DataError as error:
        _add(refusals, refusal_of(error))
    return Reading(None, tuple(refusals))


def refusal_of(error: AeClsError) -> Refusal:
    """What the error says."""
    return Refusal(error.code, error.what, error.where, error.why, error.fix)


def _add(refusals: list[Refusal], refusal: Refusal) -> None:
    if refusal not in refusals:
        refusals.append(refusal)


def _ever_more_lenient(config: DatasetConfig) -> Iterator[DatasetConfig]:
    decodes = hasattr(config, "on_bad")
    lenient = config.model_copy(update={"on_bad": "skip"} if decodes else {})
    yield lenient
    if getattr(config, "spellings", None) == "refuse":
        yield lenient.model_copy(update={"spellings": "keep"})
