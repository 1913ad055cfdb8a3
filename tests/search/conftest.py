"""The command line in the test's own process, whose jobs are forked from it."""

from tests.cli.conftest import ae_cls as ae_cls
from tests.jobs.conftest import forking as forking
