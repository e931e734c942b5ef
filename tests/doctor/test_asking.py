"""Networks are called with one input, several or named ones, and numbers are mended where nothing
is lost.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.asking import (
    ask,
    main_target,
    mended,
    mended_targets,
    only_tensor,
    sample_limit_of,
    set_mode,
)
from sevensteps.observe.samples import Inputs

A, B = torch.ones(3, 2), torch.full((3, 2), 2.0)


class One(nn.Module):
    def forward(self, x: Any) -> Any:
        return x


class Two(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a - b


class Optional(nn.Module):
    def forward(self, a: Tensor, b: Tensor | None = None) -> Tensor:
        return a if b is None else a - b


class Star(nn.Module):
    def forward(self, *parts: Tensor) -> Tensor:
        return parts[0] - parts[-1]


class Names(nn.Module):
    def forward(self, **named: Tensor) -> Tensor:
        return named["a"] - named["b"]


@pytest.mark.parametrize("network", [Two(), Optional(), Star()])
def test_several_inputs_are_several_arguments(network: nn.Module) -> None:
    assert torch.equal(ask(network, (A, B)), A - B)
    assert torch.equal(ask(network, [A, B]), A - B)


def test_named_inputs_are_named_arguments_or_one_dictionary() -> None:
    named = {"b": B, "a": A}
    assert torch.equal(ask(Two(), named), A - B)
    assert ask(One(), named) is named
    both = (A, B)
    assert ask(One(), both) is both
    assert torch.equal(ask(Names(), Inputs((), named)), A - B)
    assert torch.equal(ask(Two(), Inputs((A,), {"b": B})), A - B)
    assert torch.equal(ask(One(), A), A)


@pytest.mark.draws
def test_numbers_are_mended_to_the_network() -> None:
    network = nn.Linear(2, 1).double()
    inputs = {"x": A, "n": torch.ones(3, dtype=torch.uint8), "m": torch.ones(3, dtype=torch.bool)}
    found = mended(network, inputs)
    assert [found[key].dtype for key in "xnm"] == [torch.float64, torch.int64, torch.bool]
    targets = mended_targets(A, (B.double(), torch.ones(3, dtype=torch.int32)))
    assert [t.dtype for t in targets] == [torch.float32, torch.int64]


def test_the_main_target_is_the_only_one_or_the_one_named_so() -> None:
    assert only_tensor({"x": A}) is A
    assert only_tensor((A, B)) is None
    assert main_target({"labels": A, "weight": B}) is A
    assert main_target({"first": A, "second": B}) is None
    assert main_target(A) is A


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def train(self, mode: bool = True) -> Any:  # its normalisation stays as it is
        super().train(mode)
        self.norm.eval()


class Layer(nn.Linear):
    def train(self, epochs: int) -> None:  # type: ignore[override]
        raise AssertionError("a training of its own")


@pytest.mark.draws
def test_a_mode_is_set_as_the_network_does_it_and_no_training_begun() -> None:
    frozen = Frozen()
    set_mode(frozen, True)
    assert frozen.training
    assert not frozen.norm.training
    network = nn.Sequential(Layer(2, 2), nn.Dropout())
    set_mode(network, False)
    assert not any(module.training for module in network.modules())


def test_fewer_samples_are_asked_the_longer_each_takes() -> None:
    assert [sample_limit_of(s) for s in (0.0, 1e-6, 1e-3, 4e-3, 2e-2, 1.0)] == [
        *(1024, 1024, 500, 256, 100, 64)
    ]
    assert [sample_limit_of(1e-3, numbers) for numbers in (1e4, 1e6, 1e9)] == [500, 50, 8]


class ToldItsMode(nn.Module):
    """Of training it is told in the call."""

    def forward(self, x: torch.Tensor, training: bool = False) -> torch.Tensor:
        return x - x.mean(0) if training else x


def test_a_call_that_was_told_of_training_is_told_of_evaluation() -> None:
    network, x = ToldItsMode(), torch.arange(6.0).view(3, 2)
    inputs = Inputs((x,), {"training": True})
    assert torch.equal(ask(network.train(), inputs), x - x.mean(0))
    assert torch.equal(ask(network.eval(), inputs), x)
