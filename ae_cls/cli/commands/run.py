"""`run`, `pretrain`, `classify` and `bench`: the commands whose words Hydra composes."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ae_cls.cli.exits import complain
from ae_cls.cli.flags import Words, sort_words
from ae_cls.cli.launched import launch_of, refuse_several_processes
from ae_cls.errors import UsageError, printable
