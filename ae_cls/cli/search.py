"""`hydra/sweeper=optuna`: whether a search is asked for, and whether it can be had."""

from importlib.util import find_spec

from ae_cls.cli.flags import SEARCH_WORD as WORD
from ae_cls.cli.flags import Words
from ae_cls.errors import UsageError

PACKAGE = "optuna>=5"
"""As the extra `search` says."""


def asks_for_search(words: Words) -> bool:
    """Whether Optuna is to propose the jobs."""
    return any(word.lstrip("+") == WORD for word in words.overrides)


def search(command: str, words: Words) -> int:
    """Carry out trials; 0 when all have finished, 8 when some have failed.

    Raises:
        UsageError: Optuna is not installed, or a word is wrong; nothing has been written then.
    """
    _refuse_missing_optuna()
    from ae_cls.cli.search_trials import carry_out_trials  # here, as it imports Optuna

    return carry_out_trials(command, words)


def _refuse_missing_optuna() -> None:
    if find_spec("optuna") is None:
        raise UsageError(
            "a search needs Optuna, which is not installed", where=WORD,
            fix=f'pip install "{PACKAGE}"',
        )  # fmt: skip
