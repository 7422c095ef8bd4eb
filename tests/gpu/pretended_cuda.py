"""A CUDA device that is pretended: tensors that say they lie there, compute on the CPU, and refuse what a GPU refuses.

It holds programs to the rules of a second device where there is none: what is made where, what is copied, what NumPy
can't read. It knows nothing of speed, streams, and how a GPU's own kernels round.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
aten = torch.ops.aten
TAKES_BOTH = {aten.copy_.default}
"""What may have tensors of both devices."""
TAKES_INDICES = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
"""What takes indices of the CPU for a tensor of the GPU."""


class OnCuda(Tensor):
    """A tensor that says that it lies on the GPU; torch below Python sees one of the CPU."""

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    @staticmethod
    def __new__(cls, kept: Tensor):
        made = Tensor._make_wrapper_subclass(
            cls, kept.shape, strides=kept.stride(), storage_offset=kept.storage_offset(), dtype=kept.dtype
        )
        made.kept = kept
        return made

    def __repr__(self) -> str:
        return f"OnCuda({self.kept})"

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return carry_out(function, args, kwargs or {})


def kept(value: Any) -> Any:
    """Return what a pretended tensor keeps on the CPU."""
    return value.kept if isinstance(value, OnCuda) else value


def on_cuda(value: Any) -> Any:
    """Pretend that a tensor lies on the GPU."""
    if not isinstance(value, Tensor) or isinstance(value, OnCuda):
        return value
    return OnCuda(value.resolve_conj().resolve_neg())  # which torch does when it looks at the tensor itself


def carry_out(function, args: tuple, kwargs: dict) -> Any:
    """Compute on the CPU what a kernel would; refuse tensors of both devices.

    >>> with pretended_cuda():
    ...     torch.ones(2, device="cuda") + torch.ones(2)
    Traceback (most recent call last):
    RuntimeError: Expected all tensors to be on the same device, but found cuda:0 and cpu (aten.add.Tensor)
    """
    makes_there = kwargs.get("device") is not None and kwargs["device"].type == "cuda"
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = makes_there or any(isinstance(tensor, OnCuda) for tensor in given)
    here = [tensor for tensor in given if not isinstance(tensor, OnCuda) and tensor.dim()]
    if function in TAKES_INDICES:
        here = [tensor for tensor in here if tensor is args[0]]
    if there and here and function not in TAKES_BOTH:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found cuda:0 and cpu ({function})"
        )
    if there and kwargs.get("generator") is not None:
        raise RuntimeError(f"Expected a 'cuda' device type for generator but found 'cpu' ({function})")
    if makes_there:
        kwargs = {**kwargs, "device": CPU}
    result = function(*tree_map(kept, args), **tree_map(kept, kwargs))
    written = [
        value.alias_info is not None and value.alias_info.is_write for value in function._schema.returns
    ]
    if any(written):  # in place: what was given is what comes back
        return args[0] if len(written) == 1 else args[: len(written)]
    return tree_map(on_cuda, result) if there else result


class Kernels(TorchDispatchMode):
    """Below automatic differentiation: what is made on the GPU from nothing."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return carry_out(function, args, kwargs or {})


class Calls(TorchFunctionMode):
    """Above it: copies between the devices, for torch below Python knows but one."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.device:
            return function(*args, **kwargs)
        if kwargs.get("device") is not None:
            kwargs["device"] = numbered(kwargs["device"])
        if function is Tensor.to:
            return converted(*args, **kwargs)
        if function is Tensor.cpu:
            return moved(args[0], CPU)
        if function is Tensor.cuda:
            return moved(args[0], CUDA)
        if function in (torch.tensor, torch.as_tensor) and "device" in kwargs:
            return moved(function(*args, **{**kwargs, "device": None}), kwargs["device"])
        if function is Tensor.tolist:
            return kept(args[0].detach()).tolist()
        if function is torch.nn.functional.one_hot:  # makes a tensor beside what it is given, below Python
            made = function(*map(kept, args), **kwargs)
            return on_cuda(made) if isinstance(args[0], OnCuda) else made
        return function(*args, **kwargs)


def numbered(device: str | torch.device) -> torch.device:
    """Return a device; the GPU with its number, for without one torch asks the driver."""
    device = torch.device(device)
    return CUDA if device.type == "cuda" else device


def moved(tensor: Tensor, device: torch.device | None) -> Tensor:
    """Return a tensor on a device: itself, or a copy."""
    if device is None or (device.type == "cuda") == isinstance(tensor, OnCuda):
        return tensor
    return (ToCuda if device.type == "cuda" else ToCpu).apply(tensor)


def converted(
    tensor: Tensor, *args, device: torch.device | None = None, non_blocking=False, **kwargs
) -> Tensor:
    """Do what Tensor.to does."""
    if args and isinstance(args[0], Tensor):
        device, args = args[0].device, (args[0].dtype, *args[1:])
    elif args and not isinstance(args[0], torch.dtype):
        device, args = args[0] and numbered(args[0]), args[1:]
    kinds = [of for of in args if isinstance(of, torch.dtype)]  # the others: non_blocking
    tensor = moved(tensor, device)
    return Tensor.to(tensor, *kinds, **kwargs) if kinds or kwargs else tensor


class ToCuda(torch.autograd.Function):
    """A copy to the GPU, through which gradients come back."""

    @staticmethod
    def forward(context, tensor):
        return OnCuda(tensor.detach().clone())

    @staticmethod
    def backward(context, gradient):
        return gradient.kept.clone()


class ToCpu(torch.autograd.Function):
    """A copy from the GPU."""

    @staticmethod
    def forward(context, tensor):
        return tensor.kept.clone()

    @staticmethod
    def backward(context, gradient):
        return OnCuda(gradient.clone())


class Pool(ThreadPoolExecutor):
    """Threads that pretend as their maker does."""

    def __init__(self, *args):
        super().__init__(*args, initializer=lambda: (Kernels().__enter__(), Calls().__enter__()))


@contextmanager
def pretended_cuda() -> Iterator[None]:
    """Pretend, inside, that there is a GPU. Autocast is that of the CPU, to bfloat16 as well."""
    stream, autocast = SimpleNamespace(wait_stream=lambda other: None), torch.autocast
    of_cuda = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "manual_seed_all": lambda seed: None,
        "set_device": lambda device: None,
        "get_device_name": lambda device=None: "a pretended GPU",
        "mem_get_info": lambda device=None: (2**30, 2**30),
        "Stream": lambda device=None: stream,
        "current_stream": lambda device=None: stream,
        "stream": lambda of: nullcontext(),
        "_lazy_init": lambda: None,
    }
    with pytest.MonkeyPatch.context() as patch, Kernels(), Calls():
        for name, value in of_cuda.items():
            patch.setattr(torch.cuda, name, value)
        patch.setattr(torch, "autocast", lambda device, *args, **more: autocast("cpu", *args, **more))
        patch.setattr(torch.__future__, "_swap_module_params_on_conversion", True)
        patch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
        patch.setattr(Tensor, "record_stream", lambda tensor, of: None)
        patch.setattr("spectral_priority.training.feed.ThreadPoolExecutor", Pool)
        yield
