"""What is said at the end of a search: which trial was best among how many, and how to test it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from ae_cls.report.table import print_table, uncut
from ae_cls.search.goal import Goal, Metrics
from ae_cls.search.request import Request
from ae_cls.search.trials import Ended


def print_winner(request: Request, goal: Goal, ended: Sequence[Ended], folder: Path) -> None:
    """Tell of the best trial, that it was chosen among many, and what to type next."""
    print_table(Group(*map(uncut, _lines(request, goal, ended, folder))))


def _lines(request: Request, goal: Goal, ended: Sequence[Ended], folder: Path) -> list[str]:
    finished = [ending for ending in ended if ending.record.is_done]
    failed = f", {len(ended) - len(finished)} of which failed" if len(finished) < len(ended) else ""
    counted = f"{len(ended)} trials{failed}"
    if not finished:
        return ["", f"none of {counted}: there is no winner"]
    best = min(
        finished, key=lambda ending: (*goal.rank(ending.record.metrics), ending.trial.number)
    )
    own, score = request.space.words(best.trial.drawn), goal.score_of(best.record.metrics)
    said = [
        "",
        f"best {goal.name} of {counted}: {score:z.6g} with {' '.join(own)}",
        _chosen_on(goal, best.record.metrics),
    ]
    if not goal.words:
        run = shlex.quote(str(folder / best.name))
        return [*said, "fit and test a classifier on it:", f"ae-cls classify encoder={run}"]
    shared = [word for word in request.of_trials if not word.lstrip("+").startswith("test=")]
    typed = shlex.join([*request.flags, *shared, *own, "test=true"])
    return [*said, "test it, once:", f"ae-cls {request.command} {typed}"]


def _chosen_on(goal: Goal, metrics: Metrics) -> str:
    """A search reads the labels of the validation part, whatever the budget of its trials."""
    labels = metrics.get("protocol", {}).get("labels")
    if not labels:
        return "chosen on the validation images: expect a lower score on new images"
    count, fit = metrics[goal.part]["n"], labels["fit"]
    return (
        f"chosen on {count:,} labelled validation images beside the {fit:,} labels learnt from: "
        "expect a lower score on new images"
    )
