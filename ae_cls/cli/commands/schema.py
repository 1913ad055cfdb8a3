"""`ae-cls schema`: the description of a run as JSON schema."""

import json
from collections.abc import Sequence

from ae_cls.cli.parser import Parser

SUMMARY = "print the JSON schema of a run's config.json"
_KINDS = ("run", "pretrain", "classify", "bench")


def parser() -> Parser:
    """What may stand behind `ae-cls schema`."""
    found = Parser("schema", SUMMARY)
    found.add_argument(
        "command", nargs="?", choices=_KINDS, default="run", help="whose config (default: run)"
    )
    return found


def schema(words: Sequence[str]) -> int:
    """Print it; 0."""
    command = parser().read(words).command
    from ae_cls.experiment.descriptions import COMMANDS  # here, as it imports torch

    print(json.dumps(COMMANDS[command].model_json_schema(), indent=2, ensure_ascii=False))
    return 0
