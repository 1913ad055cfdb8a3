"""Device, precision, threads."""

import pytest
import torch

from ae_cls import compute
from ae_cls.errors import UsageError


def test_auto_takes_bf16_only_where_the_processor_multiplies_it(monkeypatch):
    for flags, precision in (({"avx2"}, "fp32"), ({"amx_bf16"}, "bf16"), (set(), "fp32")):
        monkeypatch.setattr(compute, "_cpu_flags", lambda flags=flags: flags)
        assert compute.resolve("cpu", "auto").precision == precision


def test_a_precision_that_is_named_is_taken():
    assert compute.resolve("cpu", "fp32").precision == "fp32"
    assert compute.resolve("cpu", "bf16").precision == "bf16"


def test_autocast_multiplies_in_bf16_only_where_that_is_allowed():
    one = compute.resolve("cpu", "bf16")
    left, right = torch.rand(4, 4), torch.rand(4, 4)
    with one.autocast():
        assert (left @ right).dtype == torch.bfloat16
    with one.suited_to(allows_bf16=False).autocast():
        assert (left @ right).dtype == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused_with_the_fix():
    with pytest.raises(UsageError, match="cuda is not available") as refused:
        compute.resolve("cuda", "auto")
    assert "device=cpu" in refused.value.fix
    assert compute.resolve("auto", "auto").device.type == "cpu"


def test_threads_are_those_asked_for():
    before = torch.get_num_threads()
    try:
        compute.start("cpu", "auto", 2)
        assert torch.get_num_threads() == 2
    finally:
        compute.start("cpu", "auto", before)
