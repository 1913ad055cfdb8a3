"""`python -m ae_cls` is `ae-cls`."""

from ae_cls.cli.main import main

if __name__ == "__main__":
    main()
