"""`ae-cls`, and `python -m ae_cls`."""

import sys


def main() -> None:
    """The entry point: Ctrl-C ends it without a traceback, also while the program is imported."""
    try:
        from ae_cls.machine.utf8 import begin_again_in_utf8

        begin_again_in_utf8()
        from ae_cls.cli.main import main as carry_out
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    carry_out()


if __name__ == "__main__":
    main()
