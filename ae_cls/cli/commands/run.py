"""`run`, `pretrain`, `classify`, `check` and `bench`: the commands whose words Hydra composes."""

import shlex
from collections.abc import Sequence

from ae_cls.cli.commands.modes import MODES, carry_out_sweep
from ae_cls.cli.exits import complain
from ae_cls.cli.flags import Words, sort_words
from ae_cls.cli.last import with_last_runs
from ae_cls.errors import printable


def run_composed(command: str, words: Sequence[str]) -> int:
    """Carry out a command, or what its flags ask for instead; the exit code.

    Raises:
        AeClsError: what the user can mend.
    """
    typed = sort_words(command, words)
    for folder in typed.folders:
        complain(f"options are also read from {printable(str(folder))}")
    if typed.mode != "help":
        typed = typed._replace(overrides=with_last_runs(typed.overrides))
    if typed.mode:
        return MODES[typed.mode](command, typed)
    from ae_cls.jobs.launch import is_elsewhere  # here and below, as these imports take time
    from ae_cls.words.compose import compose

    plain = compose(command, typed.overrides, typed.folders)
    if is_elsewhere(command, plain.pop("launch", None)):
        return carry_out_sweep(command, typed)
    from ae_cls.experiment.descriptions import COMMANDS
    from ae_cls.experiment.read import read
    from ae_cls.interrupt import end_on_signals
    from ae_cls.jobs.commands import carry_out, print_result
    from ae_cls.report.terminal import log_to_stderr

    log_to_stderr()
    end_on_signals()
    result = carry_out(command, read(COMMANDS[command], plain))
    if result is None:  # another process of the same run has it
        return 0
    code = print_result(command, result)
    if command == "run":
        complain(f"one run; whether pretraining helped: {_study_of(typed)}")
    return code


def _study_of(typed: Words) -> str:
    """The command that compares this run with its controls."""
    from ae_cls.study.request import words_for_study

    folders = (word for folder in typed.folders for word in ("--config-dir", str(folder)))
    return shlex.join(["ae-cls", "study", *folders, *words_for_study(typed.overrides)])
