"""The contract table of the compiled engine: every layer, loss, head and optimizer against those of
PyTorch itself.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine.activations import activation_module, activation_names
from sevensteps.engine.compiled import Compiled, compiled_update, missing_compiled
from sevensteps.engine.modules import Dropout, Neuron, use_generator
from sevensteps.steps import loss as losses
from sevensteps.steps import step as steps
from tests.engine.test_agreement import HEADS, LAYERS, around, gradient, head, spread

pytest.importorskip("numba")
# its machine code is that of float64, which takes half a minute to compile where it is not kept;
# `make test` has the float32 that people train with
pytestmark = pytest.mark.long

DENSE = {name: row for name, row in LAYERS.items() if name in {
    *activation_names(), "linear", "linear without bias", "neuron", "neuron with w0", "dropout",
    "relu in place", "leaky_relu, less steep", "elu, less deep", "gelu by tanh", "softplus, steep",
    "softmax", "log_softmax", "nested",
}}  # fmt: skip
# samples of a batch: one; few; a part of a register; some registers and a rest
BATCHES = (1, 3, 9, 37)


@pytest.mark.parametrize("samples", BATCHES)
@pytest.mark.parametrize("name", DENSE)
def test_every_dense_layer(name: str, samples: int, oracle: Any, build: Any, error: Any) -> None:
    make, shape = LAYERS[name]
    x, y = spread(samples, *shape[1:]), spread(samples, 2)
    network = build(lambda: around(make, x))
    network = nn.Sequential(*(m for m in network if not isinstance(m, nn.Flatten)))
    loss = losses.mean_squared_error()
    assert missing_compiled(network, loss) is None
    wanted, _ = oracle(network, loss, x, y)
    gradients, _ = gradient(Compiled, network, loss, x, y)
    assert wanted.norm() > 0.01
    assert error(gradients, wanted) <= 1e-9


@pytest.mark.parametrize("samples", BATCHES)
@pytest.mark.parametrize("name", HEADS)
def test_every_loss_and_head(name: str, samples: int, oracle: Any, build: Any, error: Any) -> None:
    loss, outputs, y = HEADS[name]
    network, x = build(lambda: head(loss, outputs)), spread(samples, 3)
    y = y.repeat(7, *[1] * (y.ndim - 1))[:samples]
    wanted, twin = oracle(network, loss, x, y)
    engine = Compiled(copy.deepcopy(network), loss)
    assert error(engine.predict(x), twin(x).detach()) <= 1e-12
    assert error(engine.loss(y), loss.value(twin(x), y).detach()) <= 1e-12
    assert error(engine.gradient(), wanted) <= 1e-9


def classifier(dropout: float = 0.0, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A network wider than registers, with a rest, a frozen layer and dropout."""
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(20, 19), nn.Tanh(), Dropout(dropout), nn.Linear(19, 33), nn.ReLU(),
        nn.Linear(33, 7),
    )  # fmt: skip
    for parameter in network[4].parameters():
        parameter.requires_grad_(False)
    use_generator(network, torch.Generator().manual_seed(5))
    return network.to(dtype)


def samples(dtype: torch.dtype, count: int = 90) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(6)
    x = torch.randn(count, 4, 5, generator=draw, dtype=torch.float64).to(dtype)
    return x, torch.arange(count) % 7, torch.randperm(count, generator=draw)


OPTIMIZERS = {
    "sgd": steps.sgd(lr=0.1),
    "sgd with decay": steps.sgd(lr=0.1, weight_decay=0.01),
    "sgd with momentum": steps.sgd(lr=0.1, momentum=0.9, weight_decay=0.01),
    "sgd with nesterov": steps.sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": steps.adam(lr=0.01),
    "adam with decay": steps.adam(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.01),
    "adamw": steps.adamw(lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
    "rmsprop": steps.rmsprop(lr=0.01, weight_decay=0.01),
    "rmsprop with momentum": steps.rmsprop(lr=0.01, alpha=0.9, momentum=0.5),
    "adagrad": steps.adagrad(lr=0.05, weight_decay=0.01),
}


def by_torch(network: nn.Module, value: Any, x: Tensor, y: Tensor, rows: Tensor, size: int,
             clip: float | None) -> tuple[list[float], nn.Module]:  # fmt: skip
    """The losses and the network of the same steps by PyTorch alone."""
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = value.torch_class(trained, lr=value.lr, **value.options())
    summed = []
    for part in rows.split(size):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x[part]), y[part])
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(trained, clip)
        optimizer.step()
        summed.append(loss.item() * len(part))
    return summed, network


@pytest.mark.draws
@pytest.mark.parametrize("size", [1, 5, 40])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_over_many_steps(name: str, size: int, error: Any) -> None:
    value, (x, y, order) = OPTIMIZERS[name], samples(torch.float64)
    rows = order.repeat(30)[: 50 * size - size // 2]
    network = classifier(0.3)
    clip = 0.5 if "decay" in name else None
    summed, twin = by_torch(copy.deepcopy(network), value, x, y, rows, size, clip)
    engine = Compiled(network, losses.cross_entropy())
    stepper = value.prepare(engine.parameters, engine.gradients)
    update = engine.update(value, stepper)
    assert update is not None
    summed_losses = engine.take_steps(
        x, y, rows, size, update, torch.full((50,), value.lr, dtype=torch.float64), clip
    )
    assert error(summed_losses, torch.tensor(summed, dtype=torch.float64)) <= 1e-11
    for own, wanted in zip(network.parameters(), twin.parameters(), strict=True):
        assert error(own.detach(), wanted.detach()) <= 1e-11


def test_an_optimizer_that_is_not_written() -> None:
    class Other:
        torch_class = torch.optim.Rprop

        def options(self) -> dict[str, Any]:
            return {}

    assert compiled_update(Other(), steps.sgd().prepare(torch.zeros(1), torch.zeros(1))) is None


@pytest.mark.draws
def test_float32_agrees_to_its_precision(oracle: Any, error: Any) -> None:
    x, y, _ = samples(torch.float32)
    network = classifier(0.3, torch.float32)
    wanted, _ = oracle(network, losses.cross_entropy(), x, y)
    gradients, _ = gradient(Compiled, network, losses.cross_entropy(), x, y)
    assert gradients.dtype == torch.float32
    assert error(gradients, wanted) < 1e-5


@pytest.mark.draws
def test_activations_by_name_are_those_of_the_package() -> None:
    for name in activation_names():
        network = nn.Sequential(Neuron(2), activation_module(name))
        assert missing_compiled(network, losses.mean_squared_error()) is None
