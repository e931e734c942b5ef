"""Networks trained together: each computes what the same network computes alone by the chain
rule.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine import ChainRule
from sevensteps.engine.ensemble.stacked import StackedEnsemble
from sevensteps.engine.modules import Dropout, Neuron, use_generator
from sevensteps.errors import ArgumentError, Error, ShapeError
from sevensteps.seeds import generator
from sevensteps.steps.loss import Loss, cross_entropy, mean_squared_error
from tests.engine.test_agreement import HEADS, LAYERS, around, head, spread

K = 3
X, Y = spread(6, 3), torch.arange(6) % 2


def members(make: Callable[[], nn.Module], build: Any) -> list[nn.Module]:
    """K networks of one make with parameters, statistics and dropout masks of their own."""
    networks = [build(make, seed) for seed in range(K)]
    for index, network in enumerate(networks):
        use_generator(network, generator(index, "dropout"))
        with torch.no_grad():
            for tensor in (
                *network.parameters(),
                *(b for b in network.buffers() if b.is_floating_point()),
            ):
                tensor.mul_(1 + 0.03 * index)
    return networks


def batches(x: Tensor, own: bool) -> list[Tensor]:
    """The batch of each network: the same for all, or the samples in an order of its own."""
    return [x.roll(index, 0) if own else x for index in range(K)]


def same(
    networks: list[nn.Module], loss: Loss, x: Tensor, y: Tensor, own: bool, limit: float, error: Any
) -> StackedEnsemble:
    """Compare outputs, losses, gradients and buffers of two steps of the stack with those of the
    networks alone.
    """
    alone = [ChainRule(copy.deepcopy(network), loss) for network in networks]
    stack = StackedEnsemble(networks, loss)
    xs, ys = batches(x, own), batches(y, own)
    for add in (False, True):
        outputs = stack.predict(torch.stack(xs) if own else x, own=own)
        losses = stack.loss(torch.stack(ys) if own else y)
        gradients = stack.gradient(share=0.5, add=add)
        for index, engine in enumerate(alone):
            assert error(outputs[index], engine.predict(xs[index])) <= limit
            assert error(losses[index], engine.loss(ys[index])) <= limit
            assert error(gradients[index], engine.gradient(share=0.5, add=add)) <= limit
            for found, wanted in zip(
                networks[index].buffers(), engine.network.buffers(), strict=True
            ):
                assert torch.allclose(found, wanted, rtol=limit, atol=limit)
    return stack


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name: str, own: bool, build: Any, error: Any) -> None:
    make, shape = LAYERS[name]
    x = spread(*shape)
    same(
        members(lambda: around(make, x), build),
        mean_squared_error(),
        x,
        spread(shape[0], 2),
        own,
        1e-9,
        error,
    )


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_every_loss(name: str, own: bool, build: Any, error: Any) -> None:
    loss, outputs, y = HEADS[name]
    same(members(lambda: head(loss, outputs), build), loss, spread(6, 3), y, own, 1e-9, error)


FIRST: dict[
    str, tuple[Callable[[], nn.Module], tuple[int, ...]]
] = {  # what the shared batch meets first
    "a bare linear layer": (lambda: nn.Linear(3, 2), (6, 3)),
    "dropout": (lambda: nn.Sequential(Dropout(0.4), nn.Linear(3, 2)), (6, 3)),
    "batch norm": (lambda: nn.Sequential(nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 2)), (6, 3)),
    "a neuron with w0": (lambda: nn.Sequential(nn.Flatten(), Neuron(12, "w0")), (6, 3, 4)),
    "pooling": (
        lambda: nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 2)),
        (6, 2, 6, 6),
    ),
    "a frozen layer": (
        lambda: nn.Sequential(nn.Linear(3, 4).requires_grad_(False), nn.ReLU(), nn.Linear(4, 2)),
        (6, 3),
    ),
    "a frozen bias": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), (6, 3)),
    "a cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 3, 2),
            nn.Softplus(),
            nn.Flatten(),
            Dropout(0.2),
            nn.Linear(12, 5),
            nn.GELU(),
            nn.BatchNorm1d(5),
            nn.Linear(5, 2),
        ),
        (6, 2, 6, 6),
    ),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", FIRST)
def test_whole_networks(name: str, own: bool, dtype: torch.dtype, build: Any, error: Any) -> None:
    make, shape = FIRST[name]
    networks = [network.to(dtype) for network in members(make, build)]
    if name == "a frozen bias":
        for network in networks:
            network[0].bias.requires_grad_(False)
    loss, y = (
        (mean_squared_error(), spread(6, 1).to(dtype)) if "w0" in name else (cross_entropy(), Y)
    )
    same(
        networks,
        loss,
        spread(*shape).to(dtype),
        y,
        own,
        1e-9 if dtype == torch.float64 else 1e-4,
        error,
    )


def test_evaluation_mode_is_each_network_s(build: Any, error: Any) -> None:
    networks = members(
        lambda: nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), Dropout(0.5), nn.Linear(4, 2)
        ).eval(),
        build,
    )
    same(networks, cross_entropy(), X, Y, False, 1e-9, error)


def small(build: Any) -> list[nn.Module]:
    return members(lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), build)


def step(stack: StackedEnsemble, rates: Tensor) -> None:
    stack.predict(X)
    stack.loss(Y)
    stack.parameters -= rates[:, None] * stack.gradient()


def test_the_networks_are_trained_and_those_dropped_stay_as_they_are(build: Any) -> None:
    networks = small(build)
    alone = copy.deepcopy(networks)
    stack = StackedEnsemble(networks, cross_entropy())
    rates = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    step(stack, rates)
    stack.keep([2, 0])
    left = copy.deepcopy(networks[1].state_dict())
    step(stack, rates[[2, 0]])
    assert len(stack) == 2
    assert stack.parameters.shape == stack.gradients.shape == (2, 26)
    assert stack.networks == [networks[2], networks[0]]
    assert all(torch.equal(left[name], value) for name, value in networks[1].state_dict().items())
    assert networks[1][0].weight.untyped_storage().nbytes() == 26 * 8  # not the memory of all
    for index, steps in ((0, 2), (1, 1), (2, 2)):
        engine = ChainRule(alone[index], cross_entropy())
        for _ in range(steps):
            engine.predict(X)
            engine.loss(Y)
            engine.parameters -= rates[index] * engine.gradient()
        for found, wanted in zip(
            networks[index].parameters(), engine.network.parameters(), strict=True
        ):
            assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_one_batch_may_have_targets_of_each_network_s_own(build: Any, error: Any) -> None:
    stack, targets = (
        StackedEnsemble(small(build), cross_entropy()),
        torch.stack([Y, 1 - Y, Y.roll(1)]),
    )
    stack.predict(X)
    losses = stack.loss(targets, own=True)
    for network, target, found in zip(stack.networks, targets, losses, strict=True):
        assert error(found, cross_entropy()(network(X).detach(), target)) <= 1e-9


def test_each_call_needs_the_one_before(build: Any) -> None:
    stack = StackedEnsemble(small(build), cross_entropy())
    with pytest.raises(Error, match="call predict"):
        stack.loss(Y)
    stack.predict(X)
    with pytest.raises(Error, match=r"gradient\(\) needs a loss"):
        stack.gradient()


def test_what_does_not_fit_is_refused_in_one_line(build: Any) -> None:
    networks = small(build)
    stack = StackedEnsemble(networks, cross_entropy())
    for x, own, text in (
        (X, True, r"\[6, 3\]; give a batch to each of 3 networks, as \[3, samples, features\]"),
        (X[:, :2], False, "do not fit 0, a Linear over 3 features"),
        (X[None], True, "a batch to each of 3"),
    ):
        with pytest.raises(ShapeError, match=text):
            stack.predict(x, own=own)
    stack.predict(X)
    with pytest.raises(
        ShapeError, match=r"targets \[5\] against 3 networks' outputs for 6 samples; give \[6, …\]"
    ):
        stack.loss(Y[:5])
    for others, text in (
        ([], "a stack of no networks"),
        ([networks[0], networks[0]], "one network stands twice"),
        (
            [
                networks[0],
                build(lambda: nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))),
            ],
            "network 1 has 0 Linear.*out_features=5.*where network 0 has 0 Linear.*out_features=4",
        ),
        (
            [networks[0], networks[1].eval()],
            "network 1 has .*, evaluating where network 0 has .*, training",
        ),
        ([networks[0], build(lambda: nn.Sequential(nn.Linear(3, 4)))], "network 1 has "),
        (
            [nn.Sequential(nn.Mish())],
            r"in network 0 0 \(Mish\) has no written derivative; train them one by one",
        ),
        ([nn.Sequential(nn.Softmax(0))], r"Softmax\(dim=0\) works across samples"),
    ):
        with pytest.raises(ArgumentError, match=text) as failure:
            StackedEnsemble(others, cross_entropy())
        assert "\n" not in str(failure.value)
