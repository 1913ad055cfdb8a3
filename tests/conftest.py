"""Shapes and types are checked while tests run; one thread a process, as tests share two cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch and BLAS start

from jaxtyping import install_import_hook

install_import_hook("ae_cls", "beartype.beartype")

import torch

torch.set_num_threads(1)
