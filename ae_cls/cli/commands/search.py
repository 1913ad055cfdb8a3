"""`ae-cls search`: Optuna proposes the jobs."""

from collections.abc import Sequence
from importlib.util import find_spec

from ae_cls.cli.exits import complain
from ae_cls.cli.flags import Words, sort_words
from ae_cls.cli.last import with_last_runs
from ae_cls.cli.parser import Parser
from ae_cls.errors import UsageError, printable
from ae_cls.experiment import configs

SUMMARY = "let Optuna propose settings; validation says which are best"
PACKAGE = "optuna>=5"
"""As the extra `search` says."""

_COMMANDS = ("run", "pretrain", "classify")
_EPILOG = """\
Words with several values are searched, the others are as they are in one run:

  ae-cls search run 'head.C=tag(log, interval(0.001, 10))' autoencoder.latent_dim=32,64,128
  ae-cls search pretrain autoencoder=conv,vae 'autoencoder.latent_dim=int(interval(8, 128))'
  ae-cls search run head=linear,svm labels.per_class=20 search.trials=30 search.jobs=2

"""


def parser() -> Parser:
    keys = configs.keys_of("search/optuna")
    rows = [f"  {f'search.{key.name}={key.default}':<26}{key.meaning}" for key in keys]
    arguments = Parser("search", SUMMARY, epilog="\n".join([_EPILOG, *rows]))
    arguments.add_argument("command", choices=_COMMANDS, help="what the trials are")
    return arguments


def search_command(words: Sequence[str]) -> int:
    """Carry out trials; 0 when all have finished, 8 when some have failed.

    Raises:
        UsageError: Optuna is not installed, or a word is wrong; nothing has been written then.
    """
    command = parser().parse_args(words[:1]).command
    typed = sort_words(command, words[1:])
    if typed.mode == "help":
        return search_command(["--help"])
    if typed.mode:
        raise UsageError(
            f"a search takes no --{typed.mode}", fix="only --config-dir FOLDER and --help"
        )
    _refuse_missing_optuna()
    return _search(command, typed._replace(overrides=with_last_runs(typed.overrides)))


def _search(command: str, typed: Words) -> int:
    from ae_cls.search.request import Request  # here and below, as these imports take time
    from ae_cls.search.searched import searched

    request = Request(command, *searched(typed.overrides, typed.folders), typed.folders)
    request.refuse_names()
    from ae_cls.processes.alone import refuse_several_processes
    from ae_cls.report.terminal import log_to_stderr
    from ae_cls.search.search import search

    refuse_several_processes("a search")
    log_to_stderr()
    for folder in typed.folders:
        complain(f"options are also read from {printable(str(folder))}")
    return search(request)


def _refuse_missing_optuna() -> None:
    if find_spec("optuna") is None:
        raise UsageError(
            "a search needs Optuna, which is not installed", fix=f'pip install "{PACKAGE}"'
        )
