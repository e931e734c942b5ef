"""What PyTorch's exceptions mean for a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sevensteps.observe.script.crash import explain_crash

pytestmark = pytest.mark.draws


def twice() -> None:
    loss = (torch.ones(2, requires_grad=True) ** 2).sum()
    loss.backward()
    loss.backward()


def in_place() -> None:
    x = torch.ones(2, requires_grad=True).exp()
    y = x * x
    x += 1
    y.sum().backward()


def assertion() -> None:
    loss = torch.tensor(float("nan"))
    assert not torch.isnan(loss)


CRASHES: dict[str, tuple[Callable[[], Any], str]] = {
    "linear": (
        lambda: nn.Linear(6, 2)(torch.ones(4, 5)),
        "expects 6 numbers for each row and got 5",
    ),
    "channels": (
        lambda: nn.Conv2d(3, 4, 3)(torch.ones(1, 1, 8, 8)),
        "expects 3 channels and got 1",
    ),
    "twice": (twice, "detach"),
    "in place": (in_place, "changed in place"),
    "no graph": (lambda: torch.ones(1).sum().backward(), "does not depend on any parameter"),
    "several": (lambda: torch.ones(2, requires_grad=True).exp().backward(), "mean"),
    "classes": (
        lambda: F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 3])),
        "A target says class 3",
    ),
    "batch": (
        lambda: F.cross_entropy(torch.ones(12, 3), torch.zeros(48).long()),
        "12 answers and there are 48 targets",
    ),
    "float classes": (
        lambda: F.cross_entropy(torch.ones(2, 3), torch.zeros(2)),
        "classes integers|classes as integers",
    ),
    "embedding": (lambda: nn.Embedding(4, 2)(torch.tensor([4])), "num_embeddings"),
    "double": (lambda: nn.Linear(2, 2)(torch.ones(1, 2).double()), "float32"),
    "two types": (lambda: torch.ones(2, 2).double() @ torch.ones(2, 2), "float32"),
    "sizes": (lambda: torch.ones(3) + torch.ones(4), "sizes 3 and 4 on axis 0"),
    "view": (lambda: torch.ones(6).view(4, -1), "6 numbers do not fit"),
    "single": (lambda: nn.BatchNorm1d(3)(torch.ones(1, 3)), "drop_last"),
    "probabilities": (
        lambda: F.binary_cross_entropy(torch.tensor([2.0]), torch.ones(1)),
        "sigmoid",
    ),
    "empty": (lambda: torch.optim.SGD([], lr=0.1), "ModuleList"),
    "leaf": (lambda: torch.ones(1, requires_grad=True).add_(1), "no_grad"),
    "recurrent": (lambda: nn.Linear(2, 2)(nn.GRU(2, 2)(torch.ones(1, 1, 2))), "got a tuple"),
    "assertion": (assertion, "not a number"),
    "memory": (lambda: raise_(RuntimeError("CUDA out of memory. Tried …")), "memory is full"),
    "devices": (
        lambda: raise_(
            RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                "cuda:0 and cpu!"
            )
        ),
        "on cuda:0 and others on cpu",
    ),
}


def raise_(failure: Exception) -> None:
    raise failure


@pytest.mark.parametrize("name", CRASHES)
def test_a_crash_is_explained(name: str) -> None:
    crash, meaning = CRASHES[name]
    with pytest.raises((RuntimeError, ValueError, IndexError, AssertionError, TypeError)) as raised:
        crash()
    text = explain_crash(raised.value, {})
    assert text.startswith("The script ended at test_crash.py:")
    assert any(part in text for part in meaning.split("|")), text


def test_the_layer_is_named() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2))
    with pytest.raises(RuntimeError) as raised:
        net(torch.ones(1, 3))
    text = explain_crash(raised.value, {"net": net})
    assert "layer net.1, Linear(in_features=5, out_features=2, bias=True)" in text


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), SystemExit(2), OSError("no file"), ValueError("--lr is odd")]
)
def test_what_is_not_about_a_training_is_not_explained(failure: BaseException) -> None:
    assert explain_crash(failure, {}) == ""


def test_a_step_before_the_backward_pass_is_said() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    loss = net(torch.ones(2, 3)).sum()
    with torch.no_grad():
        net[2].weight.add_(1)
    with pytest.raises(RuntimeError) as raised:
        loss.backward()
    assert "x += …" in explain_crash(raised.value, {})
    said = explain_crash(raised.value, {}, "train.py:9")
    assert "train.py:9" in said
    assert "Call step() after backward()" in said
