"""The tests of this folder run on the GPU; where there is none, on a pretended one."""

from collections.abc import Iterator

import pytest
import torch
from pretended_cuda import pretended_cuda


@pytest.fixture(autouse=True)
def cuda() -> Iterator[None]:
    """Pretend a GPU where there is none."""
    if torch.cuda.is_available():
        yield
        return
    with pretended_cuda():
        yield
