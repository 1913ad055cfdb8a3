"""`ae-cls study`: does pretraining help here, by how much, and is that real?"""

from collections.abc import Sequence

from ae_cls.cli import flags
from ae_cls.cli.commands.modes import print_help, show_config
from ae_cls.cli.exits import complain
from ae_cls.cli.flags import Words
from ae_cls.cli.parser import Parser
from ae_cls.errors import printable
from ae_cls.experiment import configs

COMMAND = "study"
SUMMARY = configs.first_comment(configs.config_folder() / f"{COMMAND}.yaml")


def parser() -> Parser:
    return flags.parser(COMMAND)


def study_command(words: Sequence[str]) -> int:
    """Carry out a study; 0 when all runs have finished, 8 when some have not.

    Raises:
        AeClsError: what the user can mend.
    """
    typed = flags.sort_words(COMMAND, words)
    for folder in typed.folders:
        complain(f"options are also read from {printable(str(folder))}")
    if typed.mode == "help":
        return print_help(COMMAND, typed)
    if typed.mode == "cfg":
        return show_config(COMMAND, typed)
    return _study(typed)


def _study(typed: Words) -> int:
    from ae_cls.processes.alone import refuse_several_processes  # here, as these take time
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.study.request import Request, own_arms
    from ae_cls.study.study import explain, study

    refuse_several_processes("a study")
    log_to_stderr()
    request = Request(*own_arms(typed.overrides), typed.folders)
    if typed.mode == "explain":
        explain(request)
        return 0
    return study(request)
