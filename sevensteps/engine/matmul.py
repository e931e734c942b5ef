"""The three matrix products of a linear layer, each by the fastest way that PyTorch has for its
shape on this machine.

PyTorch's own `mm` goes through MKL, which on some processors reaches half the rate of oneDNN; on
others, and for few samples, it is the reverse. So both are timed once for each shape, which takes
some milliseconds, and the answer is kept: in memory, and in a file of the user's cache, because the
two round differently and a recipe must repeat to the same bits."""

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
    weight)(g, weight)` is g W."""
    key = (kind, a.shape, b.shape, a.dtype, a.device.type, torch.get_num_threads())
    found = _chosen.get(key)
    if found is None:
        found = _chosen[key] = PRODUCTS[kind][_choose(kind, a, b)]
    return found


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
    found: Tensor = onednn(g.T, x.T, None, "none", [], "")
    return grad.add_(found) if add else grad.copy_(found)


def _input_mm(g: Tensor, weight: Tensor) -> Tensor:
    return torch.matmul(g, weight)


def _input_onednn(g: Tensor, weight: Tensor) -> Tensor:
    found: Tensor = onednn(g, weight.T, None, "none", [], "")
    return found


LINEAR, WEIGHT, INPUT = "linear", "weight gradient", "input gradient"
PRODUCTS: dict[str, dict[str, Product]] = {
    LINEAR: {"mm": _linear_mm, "onednn": _linear_onednn},
    WEIGHT: {"mm": _weight_mm, "onednn": _weight_onednn},
    INPUT: {"mm": _input_mm, "onednn": _input_onednn},
}
_chosen: dict[tuple[Any, ...], Product] = {}
_forced: list[str] = []
_decided: dict[str, str] = {}  # what was measured or remembered in this process, by product


def _choose(kind: str, a: Tensor, b: Tensor) -> str:
    """The name of the way for this product: as forced, as remembered, or as measured now."""
    able = (
        onednn is not None
        and a.ndim == b.ndim == 2
        and a.dtype == b.dtype
        and a.device.type == "cpu"
    )
    if (
        able and a.dtype == torch.bfloat16
    ):  # `mm` is oneDNN here too, but does not cut off at 0 in the same kernel
        return "onednn" if kind == LINEAR and torch.ops.mkldnn._is_mkldnn_bf16_supported() else "mm"
    able = able and a.dtype == torch.float32
    if not able or _forced:
        return _forced[-1] if able else "mm"
    # a [M, K] by b: the rows and columns of the product, and what is summed over
    if (a.numel() * b.numel()) // (a.shape[0] if kind == WEIGHT else a.shape[1]) < SMALL:
        return "mm"
    name = f"{kind} {'x'.join(map(str, a.shape))} {'x'.join(map(str, b.shape))} threads {torch.get_num_threads()}"
    if name not in _decided:
        remembered = _read()
        if remembered.get(name) not in PRODUCTS[kind]:
            remembered[name] = _measure(kind, a, b)
            _write(remembered)
        _decided[name] = remembered[name]
    return _decided[name]


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
    median = {
        name: statistics.median(times[1:]) for name, times in taken.items()
    }  # the first call sets the kernel up
    return "onednn" if median["onednn"] < MARGIN * median["mm"] else "mm"


@contextmanager
def force(name: str) -> Iterator[None]:
    """Take the way called `name` ("mm" or "onednn") for every shape that both can do, however
    small.
    """
    _forced.append(name)
    _chosen.clear()
    try:
        yield
    finally:
        _forced.pop()
        _chosen.clear()


def decisions() -> dict[str, str]:
    """What was decided in this process so far, by product, for `decided`."""
    return dict(_decided)


def forget() -> None:
    """Decide anew, as a new process does."""
    _chosen.clear()
    _decided.clear()


@contextmanager
def reuse(before: Mapping[str, str]) -> Iterator[None]:
    """Take the ways that another process took, so that the numbers are the same to the last bit;
    others are measured as ever.
    """
    known = dict(_decided)
    _chosen.clear()
    _decided.update(
        {name: fastest for name, fastest in before.items() if fastest in PRODUCTS[LINEAR]}
    )
    try:
        yield
    finally:
        _chosen.clear()
        _decided.clear()
        _decided.update(known)


# -- what was found, kept from one process to the next ---------------------------------------------


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
        held = json.loads(_file().read_text(encoding="utf-8"))
        if isinstance(held, dict):
            return held
    return {}


def _read() -> dict[str, Any]:
    held = _load().get(_machine())
    return held if isinstance(held, dict) else {}


def _write(found: dict[str, Any]) -> None:
    """Keep what was found; a cache that cannot be written is done without."""
    with suppress(OSError):
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        beside.write_text(json.dumps({**_load(), _machine(): found}, indent=1), encoding="utf-8")
        beside.replace(file)
