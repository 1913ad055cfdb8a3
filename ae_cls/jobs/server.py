"""Imported first by the process that jobs are forked from, so that it ends with who started it.

It would go on importing for seconds, and then end by itself, if that was killed meanwhile.
"""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>; a forked child does not inherit it

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
