"""The products of a linear layer: every way gives the same, the faster is taken, and what was found
is kept.
"""

from __future__ import annotations

import json
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


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for each test, and nothing remembered in memory before or after."""
    file = tmp_path / "cache" / "kernels.json"
    monkeypatch.setattr(matmul, "_file", lambda: file)
    matmul.forget()
    yield file
    matmul.forget()


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


def large() -> tuple[Tensor, Tensor, Tensor]:
    return drawn(256, 200), drawn(64, 200), drawn(64)


@onednn
@pytest.mark.parametrize(("slow", "taken"), [("mm", "onednn"), ("onednn", "mm")])
def test_the_faster_way_is_taken_and_kept(
    slow: str, taken: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    ways = dict(matmul.PRODUCTS[matmul.LINEAR])
    calls: list[str] = []

    def timed(name: str) -> Any:
        def way(*arguments: Any) -> Tensor:
            calls.append(name)
            now[0] += 2.0 if name == slow else 1.0
            return ways[name](*arguments)

        return way

    monkeypatch.setattr(matmul.time, "perf_counter", lambda: now[0])
    monkeypatch.setitem(matmul.PRODUCTS, matmul.LINEAR, {name: timed(name) for name in ways})
    linear(*large())
    assert calls[-1] == taken
    assert calls.count(slow) == matmul.REPEATS
    (found,) = json.loads(cache.read_text()).values()
    assert found == {f"linear 256x200 64x200 threads {torch.get_num_threads()}": taken}
    matmul.forget()  # as a new process
    calls.clear()
    linear(*large())
    assert calls == [taken], "what was found before is not measured again"


@onednn
def test_a_near_tie_goes_to_mm(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def clock(name: str, seconds: float) -> Any:
        way = matmul.PRODUCTS[matmul.LINEAR][name]

        def called(*arguments: Any) -> Tensor:
            now[0] += seconds
            return way(*arguments)

        return called

    monkeypatch.setattr(matmul.time, "perf_counter", lambda: now[0])
    monkeypatch.setitem(
        matmul.PRODUCTS, matmul.LINEAR, {"mm": clock("mm", 1.0), "onednn": clock("onednn", 0.95)}
    )
    assert matmul._choose(matmul.LINEAR, *large()[:2]) == "mm"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"machine": 3}', "null", "[" * 5000])
def test_a_damaged_cache_is_replaced(content: str, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    x, weight, bias = large()
    assert near(linear(x, weight, bias), (x.double() @ weight.double().T + bias))
    if matmul.onednn is not None:
        assert isinstance(json.loads(cache.read_text()), dict)


def test_a_cache_that_cannot_be_written_is_done_without(cache: Path) -> None:
    cache.parent.write_text("a file where the folder should be")
    assert linear(*large()).shape == (256, 64)


def test_what_only_mm_can_do_is_not_measured(cache: Path) -> None:
    x, weight, bias = (t.double() for t in large())
    assert torch.equal(linear(x, weight, bias), torch.nn.functional.linear(x, weight, bias))
    assert linear(drawn(3, 256, 200), drawn(64, 200), None).shape == (3, 256, 64)
    assert linear(drawn(2, 3), drawn(4, 3), None).shape == (2, 4)
    assert not cache.exists()


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
