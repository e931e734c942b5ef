"""The products of a linear layer: every way gives the same, and which is taken follows from shapes,
threads and processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sevensteps as ss
from sevensteps.engine import matmul
from sevensteps.seeds import generator

onednn = pytest.mark.skipif(matmul.onednn is None, reason="this PyTorch has no oneDNN")
WAYS = [pytest.param("mm"), pytest.param("onednn", marks=onednn)]
SHAPES = [(256, 784, 30), (7, 5, 3), (64, 130, 1), (1, 20, 10), (33, 1, 4)]


@pytest.fixture
def amd(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A processor of AMD with AVX-512, whatever is there, and two threads."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(matmul, "mkl_is_slow", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(sum(shape), "split"))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool = False) -> Tensor:
    return matmul.fastest(matmul.LINEAR, x, weight)(x, weight, bias, relu)


def weight_gradient(g: Tensor, x: Tensor, grad: Tensor, add: bool) -> None:
    matmul.fastest(matmul.WEIGHT, g, x)(g, x, grad, add)


def input_gradient(g: Tensor, weight: Tensor) -> Tensor:
    return matmul.fastest(matmul.INPUT, g, weight)(g, weight)


def near(found: Tensor, exact: Tensor) -> bool:
    """Within the rounding of float32: the sums have up to a thousand terms of size one."""
    return bool(torch.allclose(found.double(), exact, rtol=1e-5, atol=1e-4))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_a_linear_layer(way: str, shape: tuple[int, int, int], relu: bool, biased: bool) -> None:
    samples, inputs, outputs = shape
    x, weight, bias = (
        drawn(samples, inputs),
        drawn(outputs, inputs),
        drawn(outputs) if biased else None,
    )
    exact = x.double() @ weight.double().T + (bias.double() if bias is not None else 0)
    with matmul.force(way):
        assert near(linear(x, weight, bias, relu), exact.clamp_min(0) if relu else exact)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_its_gradients(way: str, shape: tuple[int, int, int]) -> None:
    samples, inputs, outputs = shape
    g, x, weight = drawn(samples, outputs), drawn(samples, inputs), drawn(outputs, inputs)
    flat = torch.full((3 + outputs * inputs,), 2.0)
    grad = flat[3:].view(outputs, inputs)  # a view at an odd place, as in the flat vector
    with matmul.force(way):
        assert near(input_gradient(g, weight), g.double() @ weight.double())
        weight_gradient(g, x, grad, add=False)
        assert near(grad, g.double().T @ x.double())
        weight_gradient(g, x, grad, add=True)
        assert near(grad, 2 * g.double().T @ x.double())
        assert flat[:3].tolist() == [2.0] * 3
        turned = g.T.contiguous().T  # as cross_entropy hands its derivative on
        weight_gradient(turned, x, grad, add=False)
        assert near(grad, g.double().T @ x.double())
        assert near(input_gradient(turned, weight), g.double() @ weight.double())


def operands(kind: str, samples: int, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
    x, g, weight = (
        torch.empty(samples, inputs),
        torch.empty(samples, outputs),
        torch.empty(outputs, inputs),
    )
    return {matmul.LINEAR: (x, weight), matmul.WEIGHT: (g, x), matmul.INPUT: (g, weight)}[kind]


@onednn
@pytest.mark.usefixtures("amd")
@pytest.mark.parametrize("kind", list(matmul.PRODUCTS))
@pytest.mark.parametrize(("capability", "factor"), [("AVX512", 1), ("AVX2", 6), ("DEFAULT", 6)])
def test_onednn_from_so_many_multiplications_a_thread_on(
    kind: str, capability: str, factor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    samples = (250 if kind == matmul.WEIGHT else 100) * factor
    for threads in (1, 2):
        torch.set_num_threads(threads)
        assert matmul._choose(kind, *operands(kind, samples * threads, 100, 100)) == "onednn"
        assert matmul._choose(kind, *operands(kind, samples * threads - 1, 100, 100)) == "mm"


@onednn
@pytest.mark.usefixtures("amd")
@pytest.mark.parametrize("kind", list(matmul.PRODUCTS))
def test_narrow_products_are_mms(kind: str) -> None:
    wide = 2_000_000
    for sizes in ((8, 1000, wide // 1000), (wide // 1000, 8, 1000), (wide // 1000, 1000, 8)):
        sizes = tuple(size if size == 8 else 2 * size for size in sizes)
        assert matmul._choose(kind, *operands(kind, *sizes)) == "onednn"
        narrow = tuple(7 if size == 8 else 2 * size for size in sizes)
        assert matmul._choose(kind, *operands(kind, *narrow)) == "mm"


@pytest.mark.usefixtures("amd")
def test_mm_where_mkl_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "mkl_is_slow", lambda: False)
    assert matmul._choose(matmul.LINEAR, *operands(matmul.LINEAR, 4096, 1024, 1024)) == "mm"


@pytest.mark.parametrize("name", ["AuthenticAMD", "GenuineIntel"])
def test_who_made_the_processor(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nvendor_id\t: {name}\ncpu family\t: 26\n")
    assert matmul.vendor(cpuinfo) == name
    # as on Windows
    monkeypatch.setattr("platform.processor", lambda: f"AMD64 Family 25 Model 33, {name}")
    assert matmul.vendor(tmp_path / "none") == name
    # as on a Mac
    monkeypatch.setattr("platform.processor", lambda: "arm")
    assert matmul.vendor(tmp_path / "none") == ""
    cpuinfo.write_bytes(b"\xff\n:::\n")
    assert matmul.vendor(cpuinfo) == ""


@pytest.mark.usefixtures("amd")
def test_what_only_mm_can_do() -> None:
    x, weight, bias = drawn(256, 400).double(), drawn(64, 400).double(), drawn(64).double()
    assert torch.equal(linear(x, weight, bias), torch.nn.functional.linear(x, weight, bias))
    assert linear(drawn(3, 256, 400), drawn(64, 400), None).shape == (3, 256, 64)
    assert linear(drawn(2, 3), drawn(4, 3), None).shape == (2, 4)


@pytest.mark.parametrize("way", WAYS)
def test_a_training_learns_alike_by_each_way(way: str) -> None:
    data = ss.data.load("digits")
    steps: dict[str, Any] = {
        "predict": "mlp(40, 20)",
        "step": "sgd(lr=0.1)",
        "stop": "epochs(3)",
        "threads": 1,
        "out": False,
    }
    plain = ss.train(data, **steps, gradient="autograd()").metrics["valid"]["loss"]
    with matmul.force(way):
        first, again = (ss.train(data, **steps) for _ in range(2))
    assert first.metrics["valid"]["loss"] == pytest.approx(plain, rel=1e-4)
    assert first.metrics == again.metrics
