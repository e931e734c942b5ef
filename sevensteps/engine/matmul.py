"""Matrix products of linear layers, each by the kernel measured to be fastest for its shape.

**What is measured.** PyTorch has two kernels for these products: its own `mm` (through MKL), and
oneDNN's. On some processors MKL reaches half the rate of oneDNN; on others, and for few samples, it
is the reverse. So the first time that a product of more than `SMALL` multiplications is asked for,
both are timed `REPEATS` times in turn, which takes some milliseconds, and the faster by the median
is taken.

**What is cached, and where.** The choice for each kind of product, shapes and number of threads: in
this process (`_by_product`), and in `kernels.json` of the user's cache folder, by processor and
version of PyTorch, from one process to the next.

**The choice decides the last bits.** The two kernels sum in different orders, so a training
repeated with other choices rounds differently. A resumed run takes the choices of its `state.json`
(`decisions`, `reuse`) whatever the cache says; a recipe run anew takes those of the cache, and
gives the same bits for as long as the cache is there.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# multiplications: below it the call costs more than the work, and `mm` has the cheaper call
SMALL = 1_000_000
REPEATS = 7
# oneDNN must take less than this share of the time of `mm`: near ties would change sides by chance
MARGIN = 0.9

Product = Callable[..., Tensor]
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


LINEAR, WEIGHT, INPUT = "linear", "weight gradient", "input gradient"
PRODUCTS: dict[str, dict[str, Product]] = {
    LINEAR: {"mm": _linear_mm, "onednn": _linear_onednn},
    WEIGHT: {"mm": _weight_mm, "onednn": _weight_onednn},
    INPUT: {"mm": _input_mm, "onednn": _input_onednn},
}
_by_shape: dict[tuple[Any, ...], Product] = {}
_forced: list[str] = []
_by_product: dict[str, str] = {}  # what was measured or remembered in this process, by product


def _choose(kind: str, a: Tensor, b: Tensor) -> str:
    """The name of the way for this product: as forced, as remembered, or as measured now."""
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
    # a [M, K] by b: the rows and columns of the product, and what is summed over
    if (a.numel() * b.numel()) // (a.shape[0] if kind == WEIGHT else a.shape[1]) < SMALL:
        return "mm"
    shapes = " ".join("x".join(map(str, tensor.shape)) for tensor in (a, b))
    name = f"{kind} {shapes} threads {torch.get_num_threads()}"
    if name not in _by_product:
        remembered = _read()
        if remembered.get(name) not in PRODUCTS[kind]:
            remembered[name] = _measure(kind, a, b)
            _write(remembered)
        _by_product[name] = remembered[name]
    return _by_product[name]


def _measure(kind: str, a: Tensor, b: Tensor) -> str:
    rest: tuple[Any, ...] = ()
    if kind == LINEAR:
        rest = torch.zeros(b.shape[0]), True
    elif kind == WEIGHT:
        rest = torch.zeros(a.shape[1], b.shape[1]), False
    taken: dict[str, list[float]] = {name: [] for name in PRODUCTS[kind]}
    for _ in range(REPEATS):  # in turn, so that a slow moment of the machine meets both
        for name, multiply in PRODUCTS[kind].items():
            start = time.perf_counter()
            multiply(a, b, *rest)
            taken[name].append(time.perf_counter() - start)
    # the first call sets the kernel up
    median = {name: statistics.median(times[1:]) for name, times in taken.items()}
    return "onednn" if median["onednn"] < MARGIN * median["mm"] else "mm"


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


def decisions() -> dict[str, str]:
    """What was decided in this process so far, by product, for `decided`."""
    return dict(_by_product)


def forget() -> None:
    """Decide anew, as a new process does."""
    _by_shape.clear()
    _by_product.clear()


@contextmanager
def reuse(before: Mapping[str, str]) -> Iterator[None]:
    """Take the choices of another process, so that the numbers are the same to the last bit;
    others are measured as ever.
    """
    known = dict(_by_product)
    _by_shape.clear()
    _by_product.update(
        {name: fastest for name, fastest in before.items() if fastest in PRODUCTS[LINEAR]}
    )
    try:
        yield
    finally:
        _by_shape.clear()
        _by_product.clear()
        _by_product.update(known)


# -- the choices, from one process to the next ------ ---------------------------------------------


def _file() -> Path:
    import pooch

    return Path(pooch.os_cache("sevensteps")) / "kernels.json"


def _machine() -> str:
    """What the times depend on besides the shape: processor and PyTorch."""
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        model = next(
            (
                line.partition(":")[2].strip()
                for line in text.splitlines()
                if line.startswith("model name")
            ),
            model,
        )
    return f"{model}, {os.cpu_count()} processors, torch {torch.__version__}"


def _load() -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        cached = json.loads(_file().read_text(encoding="utf-8"))
        if isinstance(cached, dict):
            return cached
    return {}


def _read() -> dict[str, Any]:
    choices = _load().get(_machine())
    return choices if isinstance(choices, dict) else {}


def _write(choices: dict[str, Any]) -> None:
    """Write the choices of this machine; a cache that cannot be written is done without."""
    with suppress(OSError):
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        beside.write_text(json.dumps({**_load(), _machine(): choices}, indent=1), encoding="utf-8")
        beside.replace(file)
