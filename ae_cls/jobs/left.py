"""What a command that was stopped has left in its folder, and what to type to go on."""

import shlex
from pathlib import Path

from ae_cls.jobs.record import PLAN, SweepFolder
from ae_cls.run.folder import read_status

_RESUMED = ("run", "pretrain", "classify")


def saved_in(folder: Path) -> tuple[str, str]:
    """What is in the folder of a run, sweep, search or study, and what to type.

    Of the latter nothing, where the same command goes on.

    Raises:
        AeClsError: the folder is damaged or cannot be read.
    """
    if (folder / PLAN).is_file():
        records = [record for _, record in SweepFolder(folder).ended()]
        done = sum(record.is_done for record in records)
        return f"{done} of {len(records)} jobs have finished, in {folder}", ""
    if read_status(folder).get("command") not in _RESUMED:
        return "nothing", ""
    from ae_cls.run.stopped import saved_so_far  # here, as it imports torch

    return f"{saved_so_far(folder)}, of {folder}", shlex.join(["ae-cls", "resume", str(folder)])
