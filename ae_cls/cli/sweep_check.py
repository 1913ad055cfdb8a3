"""The jobs of a sweep are checked in a process that has torch; the sweep's own needs none."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any, final

from ae_cls.cli.job_process import context
from ae_cls.errors import UsageError


@final
@dataclass(frozen=True)
class Checked:
    """What a composed job is.

    Attributes:
        digest: the same for equal jobs; empty where there is a mistake.
        mistake: all that is wrong with it.
    """

    digest: str = ""
    mistake: str = ""


def checked(command: str, jobs: Sequence[dict[str, Any]]) -> list[Checked]:
    """Each composed config, validated."""
    heard, tell = context().Pipe(duplex=False)
    process = context().Process(target=_check, args=(command, jobs, tell))
    process.start()
    tell.close()
    answer = json.loads(heard.recv_bytes())
    process.join()
    return [Checked(**each) for each in answer]


def _check(command: str, jobs: Sequence[dict[str, Any]], tell: Connection) -> None:
    answer = [asdict(_checked(command, each)) for each in jobs]
    tell.send_bytes(json.dumps(answer).encode())


def _checked(command: str, plain: dict[str, Any]) -> Checked:
    from ae_cls.cli.sweep_job import digest
    from ae_cls.experiment.descriptions import COMMANDS  # here, as it imports torch
    from ae_cls.experiment.read import read

    try:
        return Checked(digest=digest(read(COMMANDS[command], plain)))
    except UsageError as error:
        return Checked(mistake=error.where or error.what)
