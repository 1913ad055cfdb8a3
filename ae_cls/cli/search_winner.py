"""What is said at the end of a search: which trial was best among how many, and how to test it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from ae_cls.cli.flags import Words
from ae_cls.cli.search_goal import Goal
from ae_cls.cli.search_space import Space
from ae_cls.cli.search_study import Outcome, Trial
from ae_cls.report.table import print_table, uncut

Ended = Sequence[tuple[Trial, Outcome]]


def print_winner(
    command: str, words: Words, space: Space, goal: Goal, ended: Ended, folder: Path
) -> None:
    """Tell of the best trial, that it was chosen among many, and what to type next."""
    print_table(Group(*map(uncut, _lines(command, words, space, goal, ended, folder))))


def _lines(
    command: str, words: Words, space: Space, goal: Goal, ended: Ended, folder: Path
) -> list[str]:
    finished = [(trial, outcome) for trial, outcome in ended if outcome.score is not None]
    failed = f", {len(ended) - len(finished)} of which failed" if len(finished) < len(ended) else ""
    counted = f"{len(ended)} trials{failed}"
    if not finished:
        return ["", f"none of {counted}: there is no winner"]
    trial, outcome = min(finished, key=lambda pair: (*goal.rank(pair[1].metrics), pair[0].number))
    own = space.words(trial.drawn)
    told = [
        "",
        f"best {goal.name} of {counted}: {outcome.score:.6g} with {' '.join(own)}",
        "chosen on the validation images: expect less of new ones",
    ]
    if not goal.words:
        run = shlex.quote(str(folder / outcome.name))
        return [*told, "fit and test a classifier on it:", f"ae-cls classify encoder={run}"]
    typed = shlex.join([*_flags(words), *_shared(words, space), *own, "test=true"])
    return [*told, "test it, once:", f"ae-cls {command} {typed}"]


def _flags(words: Words) -> list[str]:
    return [word for word in words.flag_words() if word != "--multirun"]


def _shared(words: Words, space: Space) -> list[str]:
    """The words that all trials share, as they were typed."""
    searched = {*space.dimensions, "test"}
    return [
        word
        for word in words.overrides
        if not word.lstrip("+~").startswith(("hydra.", "hydra/"))
        and word.lstrip("+").partition("=")[0] not in searched
    ]
