"""One vector of parameters, one of gradients, and the network's tensors as views of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine import Autograd, ChainRule, FiniteDifferences, flatten
from sevensteps.errors import ArgumentError
from sevensteps.steps.loss import mean_squared_error


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))


def assert_views(network: nn.Module, parameters: Tensor, gradients: Tensor) -> None:
    for parameter in network.parameters():
        for tensor, flat in ((parameter.data, parameters), (parameter.grad, gradients)):
            assert tensor.untyped_storage().data_ptr() == flat.untyped_storage().data_ptr()


def test_values_stay_and_tensors_become_views(build: Any) -> None:
    network = build(small)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    parameters, gradients, slices = flatten(network)
    assert list(slices) == list(before)
    assert parameters.shape == gradients.shape == (15,)
    for name, (place, shape) in slices.items():
        assert torch.equal(parameters[place].view(shape), before[name])
    assert_views(network, parameters, gradients)
    parameters.fill_(2.0)
    gradients.fill_(3.0)
    assert all(
        (p == 2).all() and (p.grad == 3).all() and p.requires_grad for p in network.parameters()
    )


@pytest.mark.parametrize("method", [ChainRule, Autograd, FiniteDifferences])
def test_views_stay_views_while_training(method: Any, build: Any) -> None:
    network = build(small)
    engine = method(network, mean_squared_error())
    x, y = torch.arange(12, dtype=torch.float64).view(4, 3), torch.ones(4, 1, dtype=torch.float64)
    losses = []
    for _ in range(3):
        engine.predict(x)
        losses.append(float(engine.loss(y).mean()))
        engine.parameters.sub_(engine.gradient(), alpha=0.1)
        assert_views(network, engine.parameters, engine.gradients)
    assert losses[2] < losses[0]


def test_loading_weights_keeps_the_views(build: Any) -> None:
    network, other = build(small, 0), build(small, 1)
    parameters, gradients, slices = flatten(network)
    network.load_state_dict(other.state_dict())
    assert_views(network, parameters, gradients)
    place, shape = slices["2.weight"]
    assert torch.equal(parameters[place].view(shape), other[2].weight)


def test_a_tied_parameter_is_there_once_and_stays_tied(build: Any) -> None:
    network = build(
        lambda: nn.ModuleDict(
            {"encode": nn.Linear(2, 2, bias=False), "decode": nn.Linear(2, 2, bias=False)}
        )
    )
    network["decode"].weight = network["encode"].weight
    parameters, _, slices = flatten(network)
    assert list(slices) == ["encode.weight"]
    assert len(parameters) == 4
    parameters.zero_()
    assert network["decode"].weight is network["encode"].weight
    assert (network["decode"].weight == 0).all()


def test_frozen_parameters_are_left_alone(build: Any) -> None:
    network = build(small)
    network[0].requires_grad_(False)
    network[0].half()
    place = network[0].weight.data_ptr()
    parameters, _, slices = flatten(network)
    assert list(slices) == ["1.weight", "1.bias", "2.weight", "2.bias"]
    assert parameters.dtype == torch.float64
    assert network[0].weight.data_ptr() == place
    assert network[0].weight.grad is None


def test_no_parameter_is_an_empty_vector() -> None:
    parameters, gradients, slices = flatten(nn.Flatten())
    assert parameters.shape == gradients.shape == (0,)
    assert slices == {}


def test_flattening_again_keeps_the_values(build: Any) -> None:
    network = build(small)
    first, _, _ = flatten(network)
    second, gradients, _ = flatten(network)
    assert torch.equal(first, second)
    assert first.data_ptr() != second.data_ptr()
    assert_views(network, second, gradients)


def test_mixed_types_are_refused(build: Any) -> None:
    network = build(small)
    network[2].float()
    with pytest.raises(
        ArgumentError,
        match=r"\(0.weight is torch.float64 on cpu, 2.weight is torch.float32 on cpu\); use",
    ):
        flatten(network)


def test_lazy_and_complex_parameters_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"weight has no shape yet .*run one batch"):
        flatten(nn.LazyLinear(3))
    network = nn.Module()
    network.angle = nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(ArgumentError, match=r"angle holds torch.complex64"):
        flatten(network)


def test_memory_shared_behind_the_parameters_is_refused(build: Any) -> None:
    network = build(small)
    network[0].bias.data = network[0].weight.data[0, :2]
    with pytest.raises(
        ArgumentError, match=r"0.bias and 0.weight are two parameters over the same memory"
    ):
        flatten(network)
