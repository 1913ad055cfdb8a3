"""`run`, `pretrain` and `classify`: the commands whose words Hydra composes."""

import os
from collections.abc import Sequence
from pathlib import Path

from ae_cls.cli.exits import complain
from ae_cls.cli.flags import Words, sort_words
from ae_cls.cli.search import WORD, asks_for_search, search
from ae_cls.cli.words import hydra_words
from ae_cls.errors import UsageError, printable
from ae_cls.experiment import configs


def run_composed(command: str, words: Sequence[str]) -> int:
    """Carry out a command; the exit code, unless a job alone ends the process with its own."""
    sorted_words = sort_words(words)
    if "--help" in sorted_words.flags:
        from ae_cls.cli.help import help_of

        print(help_of(command))
        return 0
    for folder in sorted_words.config_folders[1:]:
        _refuse_same_names(folder)
        complain(f"options are also read from {printable(str(folder))}")
    if "--multirun" in sorted_words.flags:
        _refuse_several_processes(command)
        if asks_for_search(sorted_words):
            return search(command, sorted_words)
        from ae_cls.cli.sweep import sweep  # here and below, as Hydra and torch take time to import

        return sweep(command, sorted_words)
    _refuse_search_of_one(command, sorted_words)
    from ae_cls.cli.compose import hand_to_hydra
    from ae_cls.cli.job import explain_job, job

    task = explain_job if "--explain" in sorted_words.flags else job
    hand_to_hydra(command, [*sorted_words.flag_words(), *hydra_words(sorted_words)], task)
    return 0


def _refuse_several_processes(command: str) -> None:
    from ae_cls.processes.launch import launched

    if launched(os.environ):
        raise UsageError(
            "a sweep is for one process, which starts others for each job",
            where="RANK, WORLD_SIZE",
            fix=f"ae-cls {command} -m devices=N, without torchrun or srun",
        )


def _refuse_search_of_one(command: str, words: Words) -> None:
    if asks_for_search(words) and not words.flags:
        raise UsageError("a search needs -m", where=WORD, fix=f"ae-cls {command} -m {WORD} ...")


def _refuse_same_names(folder: Path) -> None:
    """An option of the user must not be mistaken for one of ours."""
    if not folder.is_dir():
        raise UsageError("there is no such folder", where=f"--config-dir {folder}")
    ours = configs.config_folder()
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder)
        if (ours / name).is_file():
            raise UsageError(
                f"{name} is the name of an option of ae-cls",
                where=str(path),
                fix="another file name",
            )
