"""A gradient taken apart: every layer, loss and head against PyTorch's autograd, every path against
the Jacobians' products.
"""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.explain.forward import unravel_index
from sevensteps.explain.gradient.answer import Gradient
from sevensteps.explain.gradient.paths import Chain, strongest_routes
from sevensteps.steps import loss as losses
from tests.engine.conftest import seeded
from tests.engine.test_agreement import HEADS, LAYERS, around, head, spread
from tests.explain.conftest import GRADIENTS, made

Runs = Callable[[str], ss.Run]


def plain(network: nn.Module, loss: Any, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The gradient of the mean loss by PyTorch alone."""
    twin = copy.deepcopy(network)
    loss.value(twin(x), y).mean().backward()
    return {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}


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


# -- paths -----------------------------------------------------------------------------------------


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
    assert [abs(route.product) for route in found] == sorted(
        (abs(v) for v in wanted.values()), reverse=True
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


# -- a run's own gradients -------------------------------------------------------------------------


def wanted(run: ss.Run, samples: list[int]) -> dict[str, Tensor]:
    """By PyTorch, in float64 and evaluation mode."""
    subject = run.explain.subject
    x, y = subject.part("valid")
    network = copy.deepcopy(run.network).double().eval()
    y = y[samples]
    return plain(
        network, run.recipe.loss, x[samples].double(), y.double() if y.is_floating_point() else y
    )


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("samples", [[3], [0, 1, 2, 5]])
def test_a_run_s_gradients(runs: Runs, name: str, samples: list[int]) -> None:
    run = runs(name)
    expected = wanted(run, samples)
    before = {key: tensor.clone() for key, tensor in run.network.state_dict().items()}
    for parameter, slopes in expected.items():
        found = run.explain.gradient(samples[0] if len(samples) == 1 else samples, parameter)
        scale = max(float(slopes.abs().max()), 1e-12)
        assert abs(float(slopes[found.index])) == pytest.approx(float(slopes.abs().max()))
        assert found.autograd == pytest.approx(float(slopes[found.index]), abs=1e-12 * scale)
        assert abs(found.finite_difference - found.autograd) <= 1e-6 * scale + 1e-9
        assert (found.chain_rule is None) == (found.lacking is not None) == (name == "own")
        if found.chain_rule is not None and found.chain_rule != 0:
            assert found.chain_rule == pytest.approx(float(slopes[found.index]), abs=1e-9 * scale)
            for cut in found.cuts:
                assert cut.total == pytest.approx(found.chain_rule, abs=1e-9 * scale)
            for path in found.paths:
                assert path.product == pytest.approx(
                    math.prod(factor.value for factor in path.factors), rel=1e-9
                )
            assert found.by_sample[0].unit == f"sample {found.sample}"
        assert all(len(line) <= 80 for line in found.text().splitlines())
        assert len(found.text().splitlines()) <= 60
    after = run.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_whole_backward_pass(runs: Runs, name: str) -> None:
    run = runs(name)
    expected = wanted(run, [1, 4])
    found = run.explain.gradient([1, 4])
    sizes = {
        f"{layer.name}.{key}": size
        for layer in found.layers
        for key, size in layer.parameters.items()
    }
    assert sizes == pytest.approx(
        {key: float(slopes.norm()) for key, slopes in expected.items()}, rel=1e-9
    )
    assert (found.relative is None) == (name == "own")
    assert found.relative is None or found.relative <= 1e-12
    for layer, before in itertools.pairwise(found.layers):
        assert before.slope == pytest.approx(layer.slope * layer.factor)
    assert all(len(line) <= 80 for line in found.text().splitlines())


def test_the_slopes_of_the_layers_are_autograd_s(runs: Runs) -> None:
    run = runs("digits")
    x, y = (held[3:4] for held in run.explain.subject.part("valid"))
    network = copy.deepcopy(run.network).double()
    hidden = network[:2](x.double())
    out = network[2:](hidden)
    hidden_slope, out_slope = torch.autograd.grad(
        run.recipe.loss.value(out, y).mean(), [hidden, out]
    )
    rows = {row.name: row for row in run.explain.gradient(3).layers}
    assert rows["output"].slope == pytest.approx(float(out_slope.norm()))
    assert rows["layer1"].slope == pytest.approx(float(hidden_slope.norm()))


def test_the_layer_that_loses_the_gradient_is_named(runs: Runs) -> None:
    found = runs("deep").explain.gradient(0)
    lost = {row.name: row.factor for row in found.layers if row.factor is not None}
    assert found.loses == min(lost, key=lambda name: lost[name])
    assert found.loses.startswith("activation")
    assert lost[found.loses] <= 0.25
    assert "(a sigmoid: .25 at most)" in found.text()


def test_a_batch_is_the_mean_of_its_samples(runs: Runs) -> None:
    explain = runs("digits").explain
    each = [explain.gradient(i, "layer1.weight", (3, 20)) for i in (0, 7, 9)]
    batch = explain.gradient([0, 7, 9], "layer1.weight", (3, 20))
    assert batch.chain_rule == pytest.approx(sum(one.chain_rule for one in each) / 3, rel=1e-12)
    assert {held.unit: held.product for held in batch.by_sample} == pytest.approx(
        {f"sample {i}": one.chain_rule / 3 for i, one in zip((0, 7, 9), each, strict=True)},
        abs=1e-18,
    )
    assert explain.gradient("all", "output.bias", (0,)).samples == tuple(range(359))


@pytest.mark.draws
def test_a_hand_worked_gradient() -> None:
    # y = 2 a + .5 with a = relu(w x + b), w = 1, b = 0 as set; x = 3, target 1: L = (6.5 - 1)²,
    # dL/dw = 2 · 5.5 · 2 · 1 · 3 = 66
    network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), (1.0, 0.0, 2.0, 0.5), strict=True):
            parameter.fill_(value)
    data = ss.data.from_arrays(
        [[3.0], [-1.0]], [1.0, 0.25], valid=None, target_scale="none", scale="none"
    )
    run = made(data, predict=network, initialize="as_given()", stop="epochs(0)")
    found = run.explain.gradient(0, "0.weight", (0, 0), part="train")
    assert [factor.value for factor in found.paths[0].factors] == [11, 2, 1, 3]
    assert found.chain_rule == found.autograd == 66
    assert found.finite_difference == pytest.approx(66)
    assert found.formula.text().splitlines()[-2:] == ["= 11 · 2 · 1 · 3", "= 66"]
    dead = run.explain.gradient(1, "0.weight", (0, 0), part="train")
    assert dead.chain_rule == dead.autograd == dead.finite_difference == 0
    assert "The path ends here: 1[0] is off for this sample, its input is -1." in dead.notes
    assert [factor.value for factor in dead.paths[0].factors] == [2 * (0.5 - 0.25) * 2, 0, -1]


# -- what a reader should notice -------------------------------------------------------------------


def notes(run: ss.Run, *asked: Any, **more: Any) -> str:
    found = run.explain.gradient(*asked, **more)
    assert isinstance(found, Gradient)
    return " ".join(found.notes)


def test_where_a_path_does_not_begin(runs: Runs) -> None:
    run = runs("digits")
    zero = int((run.explain.subject.part("valid")[0][3].flatten() == 0).nonzero()[0, 0])
    assert "The path does not begin: what the parameter multiplies is 0" in notes(
        run, 3, "layer1.weight", (0, zero)
    )


def test_where_a_unit_is_off(runs: Runs) -> None:
    run = runs("digits")
    x = run.explain.subject.part("valid")[0]
    hidden = run.network[:2](x[3:4])[0].detach()
    unit, lit = int(hidden.argmin()), int(x[3].argmax())
    assert float(hidden[unit]) < 0
    found = run.explain.gradient(3, "layer1.weight", (unit, lit))
    assert found.chain_rule == found.autograd == 0
    assert f"The path ends here: activation1[{unit}] is off" in found.notes[0]


def test_where_the_loss_is_flat(runs: Runs) -> None:
    run = runs("hinge")
    right = run.explain.samples(best=1).ranked[0]
    assert right.loss == 0
    hidden = run.network[:3](run.explain.subject.part("valid")[0][right.index : right.index + 1])[
        0
    ].detach()
    assert "The loss is flat here" in notes(
        run, right.index, "output.weight", (0, int(hidden.argmax()))
    )


def test_a_relu_at_exactly_0() -> None:
    data = ss.data.from_arrays(
        [[1.0], [2.0]], [1.0, 0.25], valid=None, scale="none", target_scale="none"
    )
    run = made(data, predict="mlp(1)", initialize="zeros()", stop="epochs(0)")
    assert "activation1[0] is exactly 0, where ReLU has no derivative" in notes(
        run, 0, "layer1.weight", (0, 0), part="train"
    )


def test_sigmoids_and_modes(runs: Runs) -> None:
    said = notes(runs("iris"), 3, "layer1.weight")
    assert "2 sigmoid factors, at most .25 each, 0.0625 together" in said
    assert "dropout leaves nothing out and batch norm has its running statistics" in notes(
        runs("cnn"), 3, "layer1.bias"
    )


def test_a_saturated_sigmoid(runs: Runs) -> None:
    run = copy.copy(runs("iris"))
    run.network = copy.deepcopy(run.network)
    with torch.no_grad():
        run.network[1].bias += 6  # sigmoid(6) (1 - sigmoid(6)) = .0025
    assert "Saturated on this path: activation1" in notes(run, 3, "layer1.weight")


def test_what_can_be_said_without_a_written_derivative(runs: Runs) -> None:
    found = runs("own").explain.gradient(3, "0.weight", (0, 1))
    assert found.lacking == "1 (Mish) has no written derivative"
    assert found.paths == found.cuts == ()
    assert "No factors: 1 (Mish) has no written derivative" in found.text()
    assert "autograd           " in found.text()


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


def test_the_bias_as_a_weight_of_x0() -> None:
    run = made("circles", predict="neuron(bias='w0')", stop="epochs(1)")
    first, second = (
        run.explain.gradient(0, "output.weight", (0, i)).paths[0].factors[-1] for i in (0, 1)
    )
    assert (first.value, first.why) == (1, "x0 = 1: w0 is the bias")
    assert second.why == "its input, x1"


# -- formulas --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits", "digits37", "cnn", "iris", "own", "labels"])
def test_the_formula_in_three_languages(runs: Runs, name: str) -> None:
    run = runs(name)
    parameter = next(key for key, _ in run.network.named_parameters())
    for samples in (3, [1, 2]):
        found = run.explain.gradient(samples, parameter)
        tree = ElementTree.fromstring(found.html())  # well-formed
        assert found._repr_html_() == found.html()
        assert {"script", "img", "link"}.isdisjoint(element.tag for element in tree.iter())
        assert parameter in "".join(tree.itertext())
        latex = found.latex()
        assert latex.count("{") == latex.count("}")
        assert latex.startswith("\\begin{aligned}")
        assert re.sub(r"[^\d.]", "", f"{found.autograd:.6g}".split("e")[0]) in latex
        if name != "own":
            assert (
                latex.count(r"\partial")
                == found.formula.text().count("∂")
                == 2 * (len(found.formula.links) + 2)
            )


def test_the_formula_of_one_path(runs: Runs) -> None:
    found = runs("digits37").explain.gradient(0, "layer1.weight")
    unit, pixel = found.index
    lines = found.formula.text().splitlines()
    assert lines[:2] == [
        f"∂L/∂layer1.weight[{unit},{pixel}]",
        f"= ∂L/∂output[0] · ∂output[0]/∂activation1[{unit}] · ∂activation1[{unit}]/∂layer1[{unit}]"
        f" · ∂layer1[{unit}]/∂layer1.weight[{unit},{pixel}]",
    ]
    assert found.paths[0].factors[-1].why == f"its input, pixel ({pixel // 8}, {pixel % 8})"
    assert found.paths[0].factors[1].why == f"output.weight[0,{unit}]"


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("digits", {"samples": 359}, "there is no sample 359 in valid; it has 359, counted from 0"),
        ("digits", {"samples": [0, 400]}, "there is no sample 400 in valid"),
        ("digits", {"samples": []}, "a batch of no samples has no gradient; give at least one"),
        ("digits", {"samples": "most"}, "samples are a number, several, or 'all', not 'most'"),
        (
            "digits",
            {"samples": 0, "part": "test"},
            "there is no part 'test'; the data have train and valid",
        ),
        (
            "digits",
            {"samples": 0, "parameter": "layer9.weight"},
            "there is no trained parameter 'layer9.weight'; the network has ",
        ),
        (
            "digits",
            {"samples": 0, "parameter": "layer1.weight", "index": (12, 0)},
            "layer1.weight has shape [12, 64]; it has no number at ",
        ),
        (
            "digits",
            {"samples": 0, "parameter": "layer1.weight", "index": (1,)},
            "it has no number at [1]",
        ),
        ("similarity", {"samples": 0}, "the network has no parameter that is trained"),
        ("perceptron", {"samples": 0}, "is a step activation, whose derivative is 0 everywhere"),
    ],
)
def test_bad_input_is_one_line(runs: Runs, name: str, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        runs(name).explain.gradient(**asked)
