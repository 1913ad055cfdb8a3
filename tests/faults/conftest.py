"""The command line in the test's own process, as in tests/cli."""

from tests.cli.conftest import AeCls, ae_cls

__all__ = ["AeCls", "ae_cls"]
