"""Paths of the chain rule are products of derivatives; all of them together are the gradient."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.errors import ArgumentError
from sevensteps.explain.forward import unravel_index
from sevensteps.explain.gradient.paths import Chain, strongest_routes
from sevensteps.steps import loss as losses
from tests.engine.conftest import seeded
from tests.engine.test_agreement import HEADS, LAYERS, around, head, spread
from tests.explain.conftest import made
from tests.explain.gradient.gradients import plain, wanted


def agree(network: nn.Module, loss: Any, x: Tensor, y: Tensor) -> None:
    """At every layer the gradient of every parameter (some of its numbers) is the sum over its
    units, as autograd has it.
    """
    network = network.eval()
    wanted = plain(network, loss, x, y)
    chain = Chain(network, loss, x, y)
    assert wanted
    for name, slopes in wanted.items():
        scale = max(float(slopes.abs().max()), 1e-3)
        assert float((chain.parameter_gradient(name) - slopes).abs().max()) <= 1e-9 * scale
        for flat in range(0, slopes.numel(), max(1, slopes.numel() // 4)):
            at = unravel_index(flat, slopes.shape)
            jacobian = chain.parameter_jacobian(name, at)
            assert sorted(jacobian) == list(range(chain.owner(name), len(chain.layers)))
            for layer, derivatives in jacobian.items():
                assert (
                    abs(float((derivatives * chain.output_gradients[layer]).sum() - slopes[at]))
                    <= 1e-9 * scale
                )


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name: str) -> None:
    make, shape = LAYERS[name]
    x = spread(*shape)
    agree(seeded(lambda: around(make, x)), losses.mean_squared_error(), x, spread(shape[0], 2))


@pytest.mark.parametrize("name", HEADS)
def test_every_loss_and_head(name: str) -> None:
    loss, outputs, y = HEADS[name]
    agree(seeded(lambda: head(loss, outputs)), loss, spread(6, 3), y)


@torch.no_grad()
def brute(
    network: nn.Sequential, loss: Any, x: Tensor, y: Tensor, unit: int, feed: float
) -> dict[tuple[int, ...], float]:
    """The product of every path from unit `unit` of the first layer of a chain of Linear and Tanh,
    multiplied out.
    """
    z = x @ network[0].weight.T + network[0].bias
    a = z.tanh()
    z2 = a @ network[2].weight.T + network[2].bias
    b = z2.tanh()
    out = b @ network[4].weight.T + network[4].bias
    slope = (out.softmax(1) - torch.nn.functional.one_hot(y, 3))[0]
    found = {}
    for h, k in itertools.product(range(z2.shape[1]), range(3)):
        product = (
            feed
            * (1 - a[0, unit] ** 2)
            * network[2].weight[h, unit]
            * (1 - b[0, h] ** 2)
            * network[4].weight[k, h]
            * slope[k]
        )
        found[(h, k)] = float(product)
    return found


def test_paths_are_the_products_of_the_derivatives() -> None:
    network = seeded(
        lambda: nn.Sequential(
            nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)
        )
    )
    x, y = spread(1, 3), torch.tensor([2])
    found, complete = strongest_routes(network, losses.cross_entropy(), x, y, "0.weight", (1, 2))
    wanted = brute(network, losses.cross_entropy(), x, y, 1, float(x[0, 2]))
    assert complete
    assert len(found) == 15
    assert {(route.units[2], route.units[4]): route.product for route in found} == pytest.approx(
        wanted, rel=1e-12
    )
    assert [abs(route.product) for route in found] == pytest.approx(
        sorted((abs(v) for v in wanted.values()), reverse=True), rel=1e-12
    )
    assert sum(route.product for route in found) == pytest.approx(
        float(plain(network, losses.cross_entropy(), x, y)["0.weight"][1, 2])
    )


def test_of_too_many_paths_the_strongest_are_followed_exactly() -> None:
    network = seeded(
        lambda: nn.Sequential(
            nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 30), nn.Tanh(), nn.Linear(30, 3)
        )
    )
    x, y = spread(1, 3), torch.tensor([2])
    found, complete = strongest_routes(network, losses.cross_entropy(), x, y, "0.weight", (1, 2))
    wanted = brute(network, losses.cross_entropy(), x, y, 1, float(x[0, 2]))
    assert not complete
    assert len(found) == 32
    for route in found:
        assert route.product == pytest.approx(wanted[(route.units[2], route.units[4])], rel=1e-12)


@pytest.mark.draws
def test_samples_that_act_on_each_other_have_no_paths() -> None:
    network = nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Tanh(), nn.Linear(5, 3)
    )
    run = made("iris", predict=network, stop="epochs(1)")
    found = run.explain.gradient([0, 1, 2], "0.weight")
    assert found.paths == ()
    assert found.chain_rule == pytest.approx(
        float(wanted(run, [0, 1, 2])["0.weight"][found.index]), rel=1e-9
    )
    assert found.cuts[0].total == pytest.approx(found.chain_rule, rel=1e-9)
    assert "no path is one sample's alone" in found.notes[0]
    with pytest.raises(
        ArgumentError,
        match=r"^the network fails in float64: Expected more than 1 value per channel",
    ):
        run.explain.gradient(0, "0.weight")
