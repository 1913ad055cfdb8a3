"""What a composed command does with a flag that asks for something else than one run."""

import sys
from collections.abc import Callable

from ae_cls.cli.flags import Words
from ae_cls.errors import UsageError
from ae_cls.terminal.fitted import fitted

# Imports stand inside the functions, as they take time, and each command needs few of them.


def print_help(command: str, typed: Words) -> int:
    """Of the options that are chosen, else of the command."""
    from ae_cls.cli.help import help_of, help_of_options

    text = help_of_options(command, typed.overrides, typed.folders) or help_of(command)
    print(fitted(text, sys.stdout))
    return 0


def carry_out_sweep(command: str, typed: Words) -> int:
    if command == "check":
        raise UsageError("check looks at one data set at a time", fix="ae-cls check without -m")
    _refuse_too_many(typed)
    _refuse_names_wrong_in_all(command, typed)
    from ae_cls.cli.sweep import sweep
    from ae_cls.processes.alone import refuse_several_processes

    refuse_several_processes("a sweep")
    return sweep(command, typed)


def _refuse_too_many(typed: Words) -> None:
    """Before any job is composed, by the number that the words or the chosen option's file say."""
    from ae_cls.cli.combinations import count_combinations
    from ae_cls.cli.words import chosen_options, parsed
    from ae_cls.experiment import configs
    from ae_cls.jobs.launch import MOST_JOBS
    from ae_cls.jobs.plan import refuse_too_many

    words = {word.key_or_group: word for word in parsed(typed.overrides, typed.folders)}
    option = chosen_options(typed.overrides, typed.folders).get("launch", "local")
    if configs.is_option("launch", option, typed.folders):
        said = configs.read_yaml(configs.option_file("launch", option, typed.folders))
        most = said.get("max_jobs", MOST_JOBS)
        if "launch.max_jobs" in words:
            most = words["launch.max_jobs"].value()
        if isinstance(most, int):  # what is none, the models will say
            refuse_too_many(count_combinations(typed.overrides, typed.folders), most)


def _refuse_names_wrong_in_all(command: str, typed: Words) -> None:
    """Before the models are imported, which takes seconds."""
    from ae_cls.cli.combinations import combinations
    from ae_cls.cli.compose import compose

    jobs = combinations(typed.overrides, typed.folders)
    for number, job in enumerate(jobs, 1):
        try:
            compose(command, job.words, typed.folders)
        except UsageError:
            if number == len(jobs):
                raise
        else:
            return


def show_config(command: str, typed: Words) -> int:
    """Print what the words compose to, as Hydra's own --cfg does."""
    from omegaconf import OmegaConf

    from ae_cls.cli.compose import composed

    config = composed(command, typed.overrides, typed.folders)
    absent = object()
    part = OmegaConf.select(config, typed.package, default=absent) if typed.package else config
    if part is absent:
        raise UsageError(f"there is no key {typed.package}", where="--package")
    if not OmegaConf.is_config(part):
        print(part)
        return 0
    if typed.package:
        print(f"# @package {typed.package}")
    print(OmegaConf.to_yaml(part, resolve=typed.resolve), end="")
    return 0


def explain_stages(command: str, typed: Words) -> int:
    """Say what is kept from earlier runs; nothing is made."""
    from ae_cls.cli.compose import compose
    from ae_cls.experiment.common import StagedKeys
    from ae_cls.experiment.descriptions import COMMANDS
    from ae_cls.experiment.read import read
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.run.explain import explain, lines

    log_to_stderr()
    plain = compose(command, typed.overrides, typed.folders)
    plain.pop("launch", None)
    description = read(COMMANDS[command], plain)
    if not isinstance(description, StagedKeys):
        raise UsageError(f"{command} keeps nothing, so there is nothing to explain")
    print("\n".join(lines(explain(description))))
    return 0


MODES: dict[str, Callable[[str, Words], int]] = {
    "help": print_help, "multirun": carry_out_sweep, "cfg": show_config, "explain": explain_stages,
}  # fmt: skip
"""The flags, by their long names."""
