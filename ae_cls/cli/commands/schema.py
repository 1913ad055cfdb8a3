"""`ae-cls schema`: the description of a run as JSON schema."""

from collections.abc import Sequence

from ae_cls.cli.parser import Parser

SUMMARY = "print the JSON schema of a run's config.json"
_KINDS = ("run", "pretrain", "classify", "check", "bench")


def parser() -> Parser:
    arguments = Parser("schema", SUMMARY)
    arguments.add_argument(
        "command", nargs="?", choices=_KINDS, default="run", help="whose config (default: run)"
    )
    return arguments


def schema(words: Sequence[str]) -> int:
    """Print it; 0."""
    command = parser().read(words).command
    import json  # here and below, as imports take time

    from ae_cls.experiment.descriptions import COMMANDS

    print(json.dumps(COMMANDS[command].model_json_schema(), indent=2, ensure_ascii=False))
    return 0
