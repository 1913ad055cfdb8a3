"""`ae-cls check`: read, look, write."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from ae_cls.check.advice import command_of
from ae_cls.check.files import PAGE, write_findings
from ae_cls.check.findings import Findings
from ae_cls.check.look import look
from ae_cls.check.reading import read_all_that_can_be
from ae_cls.compute import start
from ae_cls.experiment.check import Check
from ae_cls.run.folder import run_folder


@final
@dataclass(frozen=True)
class Checked:
    """What a check leaves behind.

    Attributes:
        folder: of the check.
        found: all findings.
    """

    folder: Path
    found: Findings

    @property
    def page(self) -> Path:
        return self.folder / PAGE

    @property
    def exit_code(self) -> int:
        """0 if a run would begin; findings are no failure."""
        return self.found.refusals[0].code if self.found.refusals else 0


def check(description: Check) -> Checked:
    """Look at a data set; what a run would refuse is a finding like others.

    Raises:
        UsageError: the device is not there.
        StorageError: the folder cannot be written.
    """
    start(description.device, description.precision, description.threads)
    with run_folder(description, {"command": "check"}) as begun:
        begun.enter("read")
        reading = read_all_that_can_be(description.dataset)
        begun.enter("look")
        if reading.dataset is None:
            again = command_of(description, (), refused=True, has_classes=False)
            found = Findings(description.words()[0], reading.refusals, again)
        else:
            found = look(description, reading.dataset, reading.refusals)
        begun.enter("write")
        write_findings(begun.path, found, reading.dataset)
    return Checked(begun.path, found)
