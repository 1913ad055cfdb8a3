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
    """A job for each combination of values."""
    if command == "check":
        raise UsageError("check looks at one data set at a time", fix="ae-cls check without -m")
    from ae_cls.jobs.sweep import sweep
    from ae_cls.report.terminal import log_to_stderr

    log_to_stderr()
    return sweep(command, typed.overrides, typed.folders)


def show_config(command: str, typed: Words) -> int:
    """Print what the words compose to."""
    from ae_cls.words.compose import as_yaml

    key, resolve = typed.package, typed.resolve
    print(as_yaml(command, typed.overrides, typed.folders, key, resolve=resolve), end="")
    return 0


def explain_stages(command: str, typed: Words) -> int:
    """Say what is kept from earlier runs; nothing is made."""
    from ae_cls.experiment.common import StagedKeys
    from ae_cls.experiment.descriptions import COMMANDS
    from ae_cls.experiment.read import read
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.run.explain import explain, lines
    from ae_cls.words.compose import compose

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
