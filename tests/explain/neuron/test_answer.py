"""One neuron against NumPy, a plain loop of PyTorch, and networks whose units are known by
construction.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.explain.neuron.answer import Neuron
from tests.explain.neuron.runs import QUICK, run_with_weights

# -- what it is and what makes it fire -------------------------------------------------------------


def test_a_hidden_unit_of_a_table() -> None:
    run = ss.train("iris", predict="mlp(6)", **QUICK)
    neuron = run.explain.neuron("layer1", 2)
    data, state = (
        ss.data.load("iris"),
        {name: t.numpy() for name, t in run.network.state_dict().items()},
    )
    sums = data.train.x.numpy() @ state["layer1.weight"][2] + state["layer1.bias"][2]
    on = sums > 0
    assert neuron.weights.tolist() == state["layer1.weight"][2].tolist()
    assert neuron.names == data.features
    assert neuron.bias == pytest.approx(float(state["layer1.bias"][2]))
    assert neuron.activation == "relu"
    assert neuron.firing == pytest.approx(on.mean())
    assert neuron.mean == pytest.approx(np.maximum(sums, 0).mean(), rel=1e-5)
    assert [one.sample for one in neuron.top] == np.argsort(-sums, kind="stable")[:8].tolist()
    assert neuron.top[0].sum == pytest.approx(sums.max(), rel=1e-5)
    classes = data.train.y.numpy()
    assert neuron.top[0].target == data.task.classes[classes[neuron.top[0].sample]]
    for group in neuron.groups:
        of_class = classes == data.task.classes.index(group.name)
        assert (group.count, group.firing) == (of_class.sum(), pytest.approx(on[of_class].mean()))
        assert group.mean == pytest.approx(np.maximum(sums, 0)[of_class].mean(), rel=1e-5)


def test_the_channel_of_a_convolution() -> None:
    run = ss.train("digits", predict="cnn(4, 6)", **QUICK)
    neuron = run.explain.neuron("layer2", 3)
    x, network = ss.data.load("digits").train.x, run.network
    with torch.no_grad():
        before = F.max_pool2d(F.relu(network.layer1(x)), 2)
        sums = F.conv2d(before, network.layer2.weight[3:4], network.layer2.bias[3:4], padding=1)[
            :, 0
        ]
    assert neuron.conv
    assert neuron.shape == (4, 3, 3)
    assert neuron.firing == pytest.approx(float((sums > 0).double().mean()), rel=1e-6)
    assert neuron.mean == pytest.approx(float(sums.relu().mean()), rel=1e-5)
    largest = sums.flatten(1).max(1)
    assert neuron.top[0].sample == int(largest.values.argmax())
    assert neuron.top[0].position == int(largest.indices[neuron.top[0].sample])
    # 2×2 positions a channel, once flattened
    columns = network.output.weight.detach()[:, 3 * 4 : 4 * 4]
    assert neuron.outgoing == pytest.approx(columns.norm(dim=1).tolist(), rel=1e-5)
    assert "kernel over input channel" in neuron.text()


def test_a_first_layer_over_images_has_the_shape_of_the_image() -> None:
    run = ss.train("digits", predict="linear()", **QUICK)
    neuron = run.explain.neuron("output", 3)
    assert neuron.image
    assert neuron.shape == (1, 8, 8)
    assert torch.equal(neuron.weights.reshape(-1), run.network.state_dict()["output.weight"][3])
    assert neuron.following is None
    assert neuron.without is None
    assert neuron.dead is None


@pytest.mark.parametrize(("bias", "w0"), [("b", False), ("w0", True)])
def test_the_perceptron(bias: str, w0: bool) -> None:
    run = ss.train("xor", predict=f"neuron('step', bias='{bias}')", **QUICK)
    neuron = run.explain.neuron("output", 0)
    state = run.network.state_dict()
    row = state["output.weight"][0].tolist()
    assert neuron.w0 is w0
    assert neuron.bias == pytest.approx(row[0] if w0 else float(state["output.bias"]))
    assert neuron.weights.tolist() == (row[1:] if w0 else row)
    assert neuron.names == ("x1", "x2")
    assert neuron.firing == pytest.approx(float(run.network(ss.data.load("xor").train.x).mean()))
    assert ("times x0 = 1" in " ".join(neuron.text().split())) is w0


def test_a_network_of_ones_own_shows_its_sums() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = nn.ModuleDict({"a": nn.Linear(4, 6), "b": nn.Linear(6, 3)})

        def forward(self, x: Tensor) -> Tensor:
            return self.inside["b"](torch.tanh(self.inside["a"](x)))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Own()
    run = ss.train("iris", predict=network, **QUICK)
    neuron = run.explain.neuron("inside.a", 1)
    x = ss.data.load("iris").train.x
    with torch.no_grad():
        sums = run.network.inside["a"](x)[:, 1]
    assert neuron.activation is None
    assert neuron.dead is None
    assert neuron.mean == pytest.approx(float(sums.mean()), rel=1e-4, abs=1e-6)
    assert neuron.without is not None


# -- twins -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["zeros()", "ones()"])
def test_units_that_start_alike_are_twins(start: str) -> None:
    run = ss.train(
        "iris",
        predict="mlp(4, activation='sigmoid')",
        initialize=start,
        repeat="full_batch()",
        **QUICK,
    )
    neuron = run.explain.neuron("layer1", 1)
    assert neuron.twins is not None
    assert neuron.twins.units == (0, 2, 3)
    assert neuron.twins.how == "the same weights"
    assert "get the same gradient" in " ".join(neuron.text().split())
    apart = ss.train("iris", predict="mlp(4, activation='sigmoid')", **QUICK).explain.neuron(
        "layer1", 1
    )
    assert apart.twins is None


def test_opposite_and_parallel_units_are_twins_too() -> None:
    run = run_with_weights(
        [[1.0, 2.0], [-1.0, -2.0], [3.0, 6.0], [2.0, -1.0]], [0.0] * 4, [[1.0] * 4]
    )
    opposite, parallel = run.explain.neuron("0", 0), run.explain.neuron("0", 2)
    assert opposite.twins is not None
    assert (opposite.twins.units, opposite.twins.how) == ((1,), "the opposite weights")
    assert parallel.twins is not None
    assert (parallel.twins.units, parallel.twins.how) == ((0,), "the same activation")
    assert parallel.twins.correlation == pytest.approx(1)
    assert run.explain.neuron("0", 3).twins is None


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "steps", "layer"),
    [
        ("iris", {"predict": "mlp(5, activation='sigmoid', dropout=0.5)"}, "layer1"),
        ("iris", {"predict": "mlp(5, batch_norm=True)"}, "layer1"),
        ("speed", {"predict": "polynomial(2)"}, "output"),
        ("circles", {"predict": "neuron()", "loss": "hinge()"}, "output"),
        ("digits37", {"predict": "cnn(4)"}, "layer1"),
    ],
)
@pytest.mark.sampled(1)
def test_the_screen_is_80_columns_and_40_lines(
    data: str, steps: dict[str, str], layer: str
) -> None:
    neuron: Neuron = ss.train(data, **steps, **QUICK).explain.neuron(layer, 0)
    lines = neuron.text(80).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 40
    assert len(neuron.to_dict()["top"]) == 8


def test_several_labels() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(100, 4, generator=draw)
    run = ss.train(TensorDataset(x, (x[:, :3] > 0).float()), predict="mlp(3)", **QUICK)
    neuron = run.explain.neuron("layer1", 0)
    assert [group.count for group in sorted(neuron.groups, key=lambda group: group.name)] == [
        int((run.explain.subject.data.train.y[:, index] > 0).sum()) for index in range(3)
    ]


def test_a_unit_that_overflows() -> None:
    run = run_with_weights([[3e38, 3e38]], [3e38], [[1.0]])
    with pytest.raises(ArgumentError, match="unit 0 of 0 gives numbers that are not finite"):
        run.explain.neuron("0", 0)


def test_a_network_without_units() -> None:
    run = ss.train("digits37", predict="pixel_similarity()", out=False)
    with pytest.raises(ArgumentError, match="only PixelSimilarity"):
        run.explain.neuron("output", 0)


def test_asking_changes_nothing() -> None:
    run = ss.train("circles", predict="mlp(4, dropout=0.5, batch_norm=True)", watch=0, **QUICK)
    before, mode = (
        {name: tensor.clone() for name, tensor in run.network.state_dict().items()},
        run.network.training,
    )
    first, second = (
        run.explain.neuron("layer1", 0, again=True),
        run.explain.neuron("layer1", 0, again=True),
    )
    assert first.life == second.life
    assert first.life.same, "looking on changes nothing in the training that is repeated"
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in run.network.state_dict().items()
    )
    assert run.network.training == mode
