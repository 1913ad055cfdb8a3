"""The command line, as the tests of its own room call it."""

from tests.cli.conftest import AeCls, ae_cls

__all__ = ["AeCls", "ae_cls"]
