"""Matrix products of linear layers, each by the kernel that is faster for its shape on this
processor.

PyTorch has two kernels for these products: its own `mm` (through Intel's MKL), and oneDNN's. MKL
uses half of what an AMD processor has (AVX2 where there is AVX-512), and oneDNN all of it; each
call of oneDNN costs some 13 µs more. On Intel's processors MKL is as fast and cheaper to call.

**The choice is a function of shapes, number of threads and processor** (`_choose`), since it
decides the last bits: the two kernels sum in different orders. So a recipe repeats to the same bits
on its machine, with nothing remembered from one process to the next.

**How good it is** (`benchmarks/limits/kernels.py`). On an AMD processor (family 26, model 2) with
AVX-512, over layers of 30 to 1,024 units, batches of 1 to 1,024 and 1 and 2 threads, all products
as chosen took .1 % longer than by the better kernel each time; by `mm` 2.1 to 2.3 times as long.
With MKL told that this processor is Intel's, `mm` took less time than oneDNN nearly everywhere, and
at most 1.1 times as long in products of wide layers with batches of 256.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Product = Callable[..., Tensor]
LINEAR, WEIGHT, INPUT = "linear", "weight gradient", "input gradient"
# multiplications for each thread from which oneDNN is taken, by what oneDNN and PyTorch may use of
# the processor: from here on its rate, 2.2 times that of MKL with AVX-512 and 1.1 times with AVX2,
# is worth the dearer call. The gradient of a weight is copied into its place besides.
FROM = {
    "AVX512": {LINEAR: 1_000_000, INPUT: 1_000_000, WEIGHT: 2_500_000},
    "AVX2": {LINEAR: 6_000_000, INPUT: 6_000_000, WEIGHT: 15_000_000},
}
# a product of fewer rows, columns or terms than this waits for memory, whoever computes it
NARROW = 8

onednn: Any = (
    getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if torch.backends.mkldnn.is_available()
    else None
)


def fastest(kind: str, a: Tensor, b: Tensor) -> Product:
    """The fastest way to multiply tensors of these shapes; a layer asks once for each shape, as
    asking takes a microsecond.

    `way(LINEAR, x, weight)(x, weight, bias, relu)` is y = x Wᵀ + b, and max(y, 0) where `relu`.
    `way(WEIGHT, g, x)(g, x, grad, add)` writes gᵀ x into `grad`, or adds it there. `way(INPUT, g,
    weight)(g, weight)` is g W.
    """
    key = (kind, a.shape, b.shape, a.dtype, a.device.type, torch.get_num_threads())
    product = _by_shape.get(key)
    if product is None:
        product = _by_shape[key] = PRODUCTS[kind][_choose(kind, a, b)]
    return product


def _linear_mm(x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
    y = F.linear(x, weight, bias)
    return y.relu_() if relu else y


def _linear_onednn(x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
    y: Tensor = onednn(x, weight, bias, "relu" if relu else "none", [], "")
    return y


def _weight_mm(g: Tensor, x: Tensor, grad: Tensor, add: bool) -> Tensor:
    if grad.dtype != g.dtype:  # a product in bfloat16 lands in float32
        return grad.add_(torch.mm(g.T, x)) if add else grad.copy_(torch.mm(g.T, x))
    return grad.addmm_(g.T, x) if add else torch.mm(g.T, x, out=grad)


def _weight_onednn(g: Tensor, x: Tensor, grad: Tensor, add: bool) -> Tensor:
    gradient: Tensor = onednn(g.T, x.T, None, "none", [], "")
    return grad.add_(gradient) if add else grad.copy_(gradient)


def _input_mm(g: Tensor, weight: Tensor) -> Tensor:
    return torch.matmul(g, weight)


def _input_onednn(g: Tensor, weight: Tensor) -> Tensor:
    gradient: Tensor = onednn(g, weight.T, None, "none", [], "")
    return gradient


PRODUCTS: dict[str, dict[str, Product]] = {
    LINEAR: {"mm": _linear_mm, "onednn": _linear_onednn},
    WEIGHT: {"mm": _weight_mm, "onednn": _weight_onednn},
    INPUT: {"mm": _input_mm, "onednn": _input_onednn},
}
_by_shape: dict[tuple[Any, ...], Product] = {}
_forced: list[str] = []


def _choose(kind: str, a: Tensor, b: Tensor) -> str:
    """The name of the way for this product."""
    able = (
        onednn is not None
        and a.ndim == b.ndim == 2
        and a.dtype == b.dtype
        and a.device.type == "cpu"
    )
    # `mm` is oneDNN here too, but does not cut off at 0 in the same kernel
    if able and a.dtype == torch.bfloat16:
        return "onednn" if kind == LINEAR and torch.ops.mkldnn._is_mkldnn_bf16_supported() else "mm"
    able = able and a.dtype == torch.float32
    if not able or _forced:
        return _forced[-1] if able else "mm"
    # the rows and columns of the product, and what is summed over
    summed = a.shape[0] if kind == WEIGHT else a.shape[1]
    rows, columns = a.numel() // max(1, summed), b.numel() // max(1, summed)
    worth = FROM.get(torch.backends.cpu.get_cpu_capability(), FROM["AVX2"])[kind]
    wide = min(rows, columns, summed) >= NARROW
    enough = rows * columns * summed >= worth * torch.get_num_threads()
    return "onednn" if wide and enough and mkl_is_slow() else "mm"


@cache
def mkl_is_slow() -> bool:
    """Whether PyTorch multiplies by MKL on a processor that MKL does not use fully: AMD's, and
    those after its plans (Hygon).
    """
    return torch.backends.mkl.is_available() and vendor() in ("AuthenticAMD", "HygonGenuine")


def vendor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Who made the processor, as it says itself ("GenuineIntel", "AuthenticAMD"); "" where neither
    Linux nor Python knows.
    """
    with suppress(OSError), cpuinfo.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "vendor_id":
                return value.strip()
    # on Windows: "AMD64 Family 25 Model 33 Stepping 0, AuthenticAMD"
    return platform.processor().partition(", ")[2]


@contextmanager
def force(name: str) -> Iterator[None]:
    """Take the way called `name` ("mm" or "onednn") for every shape that both can do, however
    small.
    """
    _forced.append(name)
    _by_shape.clear()
    try:
        yield
    finally:
        _forced.pop()
        _by_shape.clear()
