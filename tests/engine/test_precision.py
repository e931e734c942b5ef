"""precision="bf16": products in bfloat16, everything else in float32; the gradient is near, the
accuracy the same.
"""

from __future__ import annotations

import copy
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.engine import Autograd, ChainRule, Engine, FiniteDifferences, PerceptronRule
from sevensteps.engine.engine import LayerTrace
from sevensteps.engine.modules import Dropout, Neuron, Powers, Step, use_generator
from sevensteps.engine.precision import Cast
from sevensteps.errors import ArgumentError
from sevensteps.seeds import generator
from sevensteps.steps.loss import (
    Loss,
    cross_entropy,
    mean_absolute_error,
    mean_squared_error,
    negative_log_likelihood,
)

BF16 = torch.bfloat16
DIGITS = 2.0**-8  # what rounding to bfloat16 changes a number by, at most, as a share of it
X = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))
Y = torch.arange(64) % 4

CHAINS: dict[str, tuple[Any, Loss]] = {
    "linear": (lambda: nn.Linear(12, 4), cross_entropy()),
    "mlp": (
        lambda: nn.Sequential(
            nn.Linear(12, 30), nn.ReLU(), nn.Linear(30, 20), nn.Tanh(), nn.Linear(20, 4)
        ),
        cross_entropy(),
    ),
    "activations": (
        lambda: nn.Sequential(
            *[
                part
                for kind in (nn.LeakyReLU, nn.Sigmoid, nn.ELU, nn.SELU, nn.GELU, nn.Softplus)
                for part in (nn.Linear(12, 12), kind())
            ],
            nn.Linear(12, 4),
        ),
        cross_entropy(),
    ),
    "normed": (
        lambda: nn.Sequential(
            nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), Dropout(0.3), nn.Linear(16, 4)
        ),
        cross_entropy(),
    ),
    "log_softmax": (
        lambda: nn.Sequential(nn.Linear(12, 4), nn.LogSoftmax(-1)),
        negative_log_likelihood(),
    ),
    "powers": (lambda: nn.Sequential(Powers(2), nn.Identity(), nn.Linear(24, 4)), cross_entropy()),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 4, 1),
            nn.AvgPool2d(2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        cross_entropy(),
    ),
    "frozen": (
        lambda: nn.Sequential(nn.Linear(12, 8).requires_grad_(False), nn.ReLU(), nn.Linear(8, 4)),
        cross_entropy(),
    ),
}


def inputs(name: str) -> Tensor:
    return (
        torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)) if name == "cnn" else X
    )


def step(
    method: type[Engine], network: nn.Module, loss: Loss, x: Tensor, y: Tensor, low: bool
) -> Engine:
    use_generator(network, generator(0, "dropout"))
    engine = method(network, loss)
    if low:
        engine.multiply_in(BF16)
    engine.predict(x)
    engine.loss(y)
    engine.gradient()
    return engine


@pytest.mark.parametrize("method", [ChainRule, Autograd])
@pytest.mark.parametrize("name", CHAINS)
def test_the_gradient_is_that_of_float64_to_the_digits_of_bfloat16(
    name: str, method: type[Engine], build: Any, error: Any
) -> None:
    make, loss = CHAINS[name]
    network = build(make)
    exact = step(ChainRule, copy.deepcopy(network), loss, inputs(name).double(), Y, low=False)
    found = step(method, copy.deepcopy(network).float(), loss, inputs(name), Y, low=True)
    assert found.gradients.dtype == found.parameters.dtype == torch.float32
    # and it was not float32 after all
    assert DIGITS / 100 < error(found.gradients.double(), exact.gradients) < 8 * DIGITS


def test_only_products_see_bfloat16(build: Any) -> None:
    make, loss = CHAINS["normed"]
    engine = ChainRule(build(make).float(), loss)
    use_generator(engine.network, generator(0, "dropout"))
    engine.multiply_in(BF16)
    kinds = [
        str(layer.dtype) if isinstance(layer, Cast) else type(layer).__name__
        for layer in engine.layers
    ]
    assert kinds == [
        "torch.bfloat16",
        "Linear",
        "torch.float32",
        "BatchNorm",
        "ReLU",
        "DropoutMask",
        "torch.bfloat16",
        "Linear",
        "torch.float32",
    ]
    engine.trace = trace = LayerTrace()
    assert (
        engine.predict(X).dtype == engine.loss(Y).dtype == engine.gradient().dtype == torch.float32
    )
    assert set(trace.outputs) == {"0", "1", "2", "3", "4"}
    assert "" not in trace.output_gradients
    assert {
        tensor.dtype for tensor in (*trace.outputs.values(), *trace.output_gradients.values())
    } == {torch.float32}
    assert {p.dtype for p in engine.network.parameters()} == {torch.float32}


def test_every_step_multiplies_by_the_parameters_as_they_are_now(build: Any) -> None:
    make, loss = CHAINS["frozen"]
    engine = ChainRule(build(make).float(), loss)
    engine.multiply_in(BF16)
    for parameter in engine.network.parameters():  # as an initializer or a resumed run does
        parameter.data.fill_(1.0)
    assert torch.equal(engine.predict(torch.ones(2, 12)), torch.full((2, 4), 8 * 13.0 + 1))


@pytest.mark.parametrize("method", [ChainRule, Autograd])
def test_parts_of_a_batch_add_up(method: type[Engine], build: Any, error: Any) -> None:
    make, loss = CHAINS["mlp"]
    engine = step(method, build(make).float(), loss, X, Y, low=True)
    whole = engine.gradients.clone()
    for index, part in enumerate((slice(0, 16), slice(16, 64))):
        engine.predict(X[part])
        engine.loss(Y[part])
        engine.gradient(share=len(X[part]) / len(X), add=index > 0)
    assert error(engine.gradients, whole) < DIGITS


def test_methods_that_cannot_say_so(build: Any) -> None:
    for engine in (
        FiniteDifferences(build(lambda: nn.Linear(3, 1)), mean_squared_error()),
        PerceptronRule(nn.Sequential(Neuron(3), Step()), mean_absolute_error()),
    ):
        with pytest.raises(
            ArgumentError,
            match=rf"^{engine.method} cannot compute in bfloat16; use precision='float32'$",
        ):
            engine.multiply_in(BF16)
    with pytest.raises(
        ArgumentError,
        match=r"^finite_differences cannot compute in bfloat16; use precision='float32'$",
    ):
        ss.train("xor", gradient="finite_differences()", precision="bf16", out=False)


@pytest.mark.parametrize("gradient", ["chain_rule()", "autograd()"])
def test_a_training_is_judged_and_kept_in_float32(gradient: str) -> None:
    steps: dict[str, Any] = {
        "predict": "mlp(40)",
        "step": "sgd(lr=0.5)",
        "stop": "epochs(8)",
        "gradient": gradient,
        "threads": 1,
        "out": False,
    }
    full, low, again = (
        ss.train("digits", precision=precision, **steps)
        for precision in ("float32", "bf16", "bf16")
    )
    assert {p.dtype for p in low.network.state_dict().values()} == {torch.float32}
    assert low.metrics == again.metrics
    assert low.metrics["valid"]["loss"] != full.metrics["valid"]["loss"]
    assert low.metrics["valid"]["loss"] == pytest.approx(full.metrics["valid"]["loss"], rel=0.05)
    assert low.recipe == ss.Recipe.from_toml(low.recipe.to_toml())


@pytest.mark.slow
def test_the_accuracy_on_mnist_is_that_of_float32(mnist_dir: Path) -> None:
    data = ss.data.load("mnist", mnist_dir)
    steps: dict[str, Any] = {
        "predict": "mlp(256)",
        "step": "sgd(lr=0.1)",
        "repeat": "batches(256)",
        "stop": "epochs(3)",
        "out": False,
    }
    lower = [
        full - low
        for seed in range(3)
        for full, low in [
            [
                ss.train(data, precision=precision, seed=seed, **steps).metrics["valid"]["accuracy"]
                for precision in ("float32", "bf16")
            ]
        ]
    ]
    assert mean(lower) < 0.002, lower
