"""What every engine does alike: the order of its calls, accumulation, and the checks at its
border.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine import Autograd, ChainRule, Engine, FiniteDifferences, PerceptronRule
from sevensteps.engine.modules import Neuron, Step
from sevensteps.errors import ArgumentError, Error, ShapeError
from sevensteps.steps.loss import cross_entropy, mean_absolute_error, mean_squared_error

METHODS = [ChainRule, Autograd, FiniteDifferences]
X = torch.tensor(
    [[0.5, -1.0, 2.0], [1.5, 0.3, -0.7], [-0.2, 0.9, 1.1], [2.0, -0.4, 0.6], [0.1, 0.2, 0.3]],
    dtype=torch.float64,
)
Y = torch.tensor([[1.0], [0.0], [2.0], [-1.0], [0.5]], dtype=torch.float64)


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


@pytest.mark.parametrize("method", METHODS)
def test_predict_and_loss_are_the_network_s_own(method: type[Engine], build: Any) -> None:
    network = build(small)
    wanted = copy.deepcopy(network)(X).detach()
    engine = method(network, mean_squared_error())
    output = engine.predict(X)
    torch.testing.assert_close(output, wanted)
    assert not output.requires_grad
    torch.testing.assert_close(engine.loss(Y), mean_squared_error()(wanted, Y))


@pytest.mark.parametrize("method", METHODS)
def test_parts_of_a_batch_add_up_to_the_whole(method: type[Engine], build: Any, error: Any) -> None:
    engine = method(build(small), mean_squared_error())
    engine.predict(X)
    engine.loss(Y)
    whole = engine.gradient().clone()
    for index, part in enumerate((slice(0, 2), slice(2, 5))):
        engine.predict(X[part])
        engine.loss(Y[part])
        engine.gradient(share=len(X[part]) / len(X), add=index > 0)
    assert error(engine.gradients, whole) < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_what_was_in_the_gradient_is_overwritten(method: type[Engine], build: Any) -> None:
    engine = method(build(small), mean_squared_error())
    results = []
    for old in (0.0, float("nan")):
        engine.gradients.fill_(old)
        engine.predict(X)
        engine.loss(Y)
        results.append(engine.gradient().clone())
    assert torch.equal(*results)


@pytest.mark.parametrize("method", METHODS)
def test_eval_mode_is_honoured(method: type[Engine], build: Any) -> None:
    network = build(
        lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    ).eval()
    before = copy.deepcopy(network.state_dict())
    engine = method(network, mean_squared_error())
    output = engine.predict(X)
    engine.loss(Y)
    engine.gradient()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    torch.testing.assert_close(output, network(X).detach())


@pytest.mark.parametrize("method", METHODS)
def test_each_call_needs_the_one_before(method: type[Engine], build: Any) -> None:
    engine = method(build(small), mean_squared_error())
    with pytest.raises(Error, match="call predict"):
        engine.loss(Y)
    engine.predict(X)
    with pytest.raises(Error, match=r"gradient\(\) needs a loss"):
        engine.gradient()
    engine.loss(Y)
    engine.gradient()
    with pytest.raises(Error, match=r"before each gradient\(\)"):
        engine.gradient()


def refused(network: nn.Module, x: Tensor, text: str) -> None:
    engine = Autograd(network, mean_squared_error())
    with pytest.raises(ShapeError, match=text):
        engine.predict(x)


def test_inputs_are_checked_at_the_border(build: Any) -> None:
    network = build(small)
    refused(network, X[0], r"inputs have shape \[3\]; give at least one sample")
    refused(network, X[:0], r"inputs have shape \[0, 3\]")
    refused(
        network,
        X.float(),
        r"inputs \[5, 3\] are torch.float32, the network computes in torch.float64; use x.to",
    )
    refused(network, torch.zeros(5, 3, dtype=torch.int64), "are torch.int64")
    refused(
        network,
        X[:, :2],
        r"inputs \[5, 2\] do not fit 0, a Linear over 3 features; give 3 features",
    )
    refused(
        network,
        X[:, :, None],
        r"inputs \[5, 3, 1\] do not fit 0.*begin the network with nn.Flatten",
    )
    flattened = build(lambda: nn.Sequential(nn.Flatten(), Neuron(4)))
    refused(flattened, X[:, :, None], r"inputs \[5, 3, 1\] do not fit 1, a Neuron over 4 features")
    picture = build(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 1)))
    refused(
        picture,
        X,
        r"inputs \[5, 3\] do not fit 0, a Conv2d over 1 channels; give \[samples, 1, height, "
        r"width\]",
    )
    refused(picture, X.view(5, 3, 1, 1), "a Conv2d over 1 channels")


def test_shapes_that_only_the_network_knows_are_refused_in_one_line(build: Any) -> None:
    network = build(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 1)))
    for method in METHODS:
        with pytest.raises(
            ShapeError, match=r"the network fails on inputs \[2, 1, 5, 5\]: .*shape"
        ) as failure:
            method(network, mean_squared_error()).predict(
                torch.zeros(2, 1, 5, 5, dtype=torch.float64)
            )
        assert "\n" not in str(failure.value)


def test_outputs_are_checked_at_the_border(build: Any) -> None:
    network = build(lambda: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)))
    refused(network, X, r"gives \[5\] for inputs \[5, 3\]; it must give \[samples, outputs\]")


def test_a_loss_that_takes_the_mean_is_refused(build: Any) -> None:
    class Mean(mean_squared_error):
        def __call__(self, output: Tensor, target: Tensor) -> Tensor:
            return (output - target).square().mean()

    engine = Autograd(build(small), Mean())
    engine.predict(X)
    with pytest.raises(
        ShapeError, match=r"gives \[\] for 5 samples; it must give one number per sample"
    ):
        engine.loss(Y)


def test_one_sample_has_no_batch_statistics(build: Any) -> None:
    for method in METHODS:
        engine = method(
            build(lambda: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))), mean_squared_error()
        )
        with pytest.raises(ShapeError, match=r"\[1, 3\]"):
            engine.predict(X[:1])


@pytest.mark.parametrize("method", METHODS)
def test_a_step_activation_is_refused_with_the_reason(method: type[Engine], build: Any) -> None:
    network = build(lambda: nn.Sequential(Neuron(3), Step()))
    with pytest.raises(
        ArgumentError,
        match=rf"{method.method}: 1 is a step activation.*0 everywhere.*use perceptron_rule\(\)",
    ):
        method(network, mean_absolute_error())


@pytest.mark.parametrize("method", METHODS)
def test_frozen_layers_pass_the_gradient_on(
    method: type[Engine], oracle: Any, build: Any, error: Any
) -> None:
    network = build(
        lambda: nn.Sequential(
            nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)
        )
    )
    network[2].requires_grad_(False)
    network[2].weight.grad = torch.ones(4, 4, dtype=torch.float64)  # left by an earlier training
    network[3].bias.requires_grad_(False)
    y = torch.tensor([0, 1, 1, 0, 1])
    wanted, _ = oracle(network, cross_entropy(), X, y)
    engine = method(network, cross_entropy())
    engine.predict(X)
    engine.loss(y)
    assert error(engine.gradient(), wanted) < 1e-6
    assert (network[2].weight.grad == 1).all()


def test_the_perceptron_checks_its_border_too() -> None:
    engine = PerceptronRule(nn.Sequential(Neuron(3), Step()), mean_absolute_error())
    with pytest.raises(ShapeError, match=r"inputs \[5, 2\] do not fit 0, a Neuron over 3 features"):
        engine.predict(X[:, :2].float())
