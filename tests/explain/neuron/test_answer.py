"""One neuron against NumPy, a plain loop of PyTorch, and networks whose units are known by
construction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import sevensteps as ss
from sevensteps.api.explain import explain
from sevensteps.errors import ArgumentError
from sevensteps.explain.neuron.answer import Neuron
from sevensteps.explain.neuron.history import UnitHistory, UnitMoment, unit_history
from sevensteps.explain.neuron.units import locate_layer

QUICK: dict[str, Any] = {"stop": "epochs(2)", "out": False}


def run_with_weights(
    weight: list[list[float]],
    bias: list[float],
    out: list[list[float]],
    activation: nn.Module | None = None,
) -> Any:
    """A run of no steps on circles, of a network with these numbers."""
    network = nn.Sequential(
        nn.Linear(2, len(bias), device="meta"),
        activation or nn.ReLU(),
        nn.Linear(len(bias), 1, device="meta"),
    )
    for layer, parameters in ((network[0], (weight, bias)), (network[2], (out, [0.0]))):
        layer.weight, layer.bias = (nn.Parameter(torch.tensor(numbers)) for numbers in parameters)
    return ss.train("circles", predict=network, stop="max_steps(0)", out=False)


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
    columns = network.output.weight.detach()[
        :, 3 * 4 : 4 * 4
    ]  # 2×2 positions a channel, once flattened
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


# -- dead units, dead inputs, twins, and what is lost ----------------------------------------------


def test_a_unit_is_dead_when_its_sum_is_never_above_zero() -> None:
    run = run_with_weights([[1.0, 0.0], [0.0, 1.0]], [-5.0, 0.5], [[1.0, 1.0]])
    dead, alive = run.explain.neuron("0", 0), run.explain.neuron("0", 1)
    assert dead.dead
    assert not alive.dead
    assert dead.firing == 0
    assert dead.whole == dead.without
    assert "Dead:" in dead.text()
    assert "Alive:" in alive.text()
    leaky = run_with_weights([[1.0, 0.0]], [-5.0], [[1.0]], nn.LeakyReLU()).explain.neuron("0", 0)
    assert leaky.firing == 0
    assert leaky.dead is None, "its slope is nowhere 0"


def test_dead_inputs_do_not_make_a_unit_dead() -> None:
    run = ss.train("digits", predict="mlp(5)", step="sgd(lr=0.1)", **QUICK)
    neuron = run.explain.neuron("layer1", 0)
    never = (ss.data.load("digits").train.x.flatten(1).numpy() == 0).all(0)
    assert neuron.dead_inputs == never.sum() > 0
    assert neuron.dead_moved == 0
    assert neuron.dead is False
    assert neuron.moved is not None
    assert neuron.moved > 0
    decayed = ss.train(
        "digits", predict="mlp(5)", step="sgd(lr=0.1, weight_decay=0.1)", **QUICK
    ).explain.neuron("layer1", 0)
    assert decayed.dead_moved is not None
    assert decayed.dead_moved > 0


def test_the_144_dead_pixels(mnist_dir: Path) -> None:
    run = ss.train("mnist37", predict="mlp(3)", stop="epochs(1)", data_dir=mnist_dir, out=False)
    neuron = explain(run, data_dir=mnist_dir).neuron("layer1", 1)
    assert neuron.dead_inputs == 144
    assert neuron.inputs == 784
    assert neuron.dead_moved == 0
    assert "144 dead inputs of 784" in neuron.text()
    assert max(map(len, neuron.text(80).splitlines())) <= 80
    assert len(neuron.text(80).splitlines()) <= 40


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


@pytest.mark.parametrize(
    ("data", "predict", "layer"),
    [
        ("digits", "mlp(6)", "layer1"),
        ("digits", "mlp(6, 5, activation='tanh', batch_norm=True)", "layer1"),
        ("digits", "cnn(4, 6)", "layer2"),
        ("diabetes", "mlp(6)", "layer1"),
    ],
)
def test_what_is_lost_without_it(data: str, predict: str, layer: str) -> None:
    run = ss.train(data, predict=predict, step="sgd(lr=0.1)", **QUICK)
    unit = next(unit for unit in range(4) if not run.explain.neuron(layer, unit).dead)
    neuron = run.explain.neuron(layer, unit)
    network = run.network.eval()
    count = getattr(network, neuron.following).weight.shape[1] // neuron.units  # type: ignore[arg-type]
    with torch.no_grad():
        getattr(network, neuron.following).weight[:, unit * count : (unit + 1) * count] = 0  # type: ignore[arg-type]
    subject = run.explain.subject
    valid = subject.data.valid
    from sevensteps.training.evaluation import measure

    with torch.no_grad():
        expected = measure(network(valid.x), valid.y, subject.loss, subject.output)
    assert neuron.without is not None
    assert neuron.whole == pytest.approx(
        {name: run.metrics["valid"][name] for name in neuron.without}, rel=1e-5
    )
    assert neuron.without == pytest.approx(
        {name: expected[name] for name in neuron.without}, rel=1e-5
    )
    assert neuron.without["loss"] != neuron.whole["loss"]  # type: ignore[index]


# -- its history -----------------------------------------------------------------------------------


def firing_by_hand(seed: int, steps: int, rate: float) -> Tensor:
    """[steps + 1, 6]: the share of samples on which each unit of the second hidden layer fires,
    trained by a plain loop of PyTorch.
    """
    run = ss.train(
        "circles(n=200)",
        predict="mlp(6, 6)",
        step=f"sgd(lr={rate})",
        stop="max_steps(0)",
        seed=seed,
        precision="float64",
        out=False,
    )
    network, data = run.network, ss.data.load("circles(n=200)").train
    x, y = data.x.double(), data.y.double()
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    shares = []
    for _ in range(steps + 1):
        sums = network.layer2(network.layer1(x).relu())
        shares.append((sums > 0).double().mean(0))
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network.output(sums.relu()), y).backward()
        optimizer.step()
    return torch.stack(shares)


def test_births_deaths_and_revivals_are_those_of_a_plain_loop() -> None:
    expected = firing_by_hand(1, 40, 2.0)
    run = ss.train(
        "circles(n=200)",
        predict="mlp(6, 6)",
        step="sgd(lr=2.0)",
        repeat="full_batch()",
        stop="max_steps(40)",
        seed=1,
        watch=0,
        precision="float64",
        out=False,
    )
    subject = run.explain.subject
    revived = 0
    for unit in range(6):
        history = unit_history(subject, locate_layer(run.network, "layer2", unit), unit, None)
        assert history.source == "trained again"
        assert history.same
        assert [moment.step for moment in history.moments] == list(range(41))
        assert [moment.firing for moment in history.moments] == pytest.approx(
            expected[:, unit].tolist()
        )
        on = expected[:, unit] > 0
        back = [step for step in range(1, 41) if on[step] and not on[step - 1]]
        gone = [step for step in range(1, 41) if on[step - 1] and not on[step]]
        assert [step for step, what in history.events if what in ("revived", "born")] == back
        assert [step for step, what in history.events if what == "silent"] == gone
        revived += len(back)
    assert revived, "none of the units came back, so this test tells nothing"


def test_watching_saw_the_same_life() -> None:
    run = ss.train(
        "circles(n=200)",
        predict="mlp(6, 6)",
        step="sgd(lr=2.0)",
        repeat="full_batch()",
        stop="max_steps(30)",
        seed=1,
        watch=1.0,
        precision="float64",
        out=False,
    )
    watched, repeated = run.explain.neuron("layer2", 2), run.explain.neuron("layer2", 2, again=True)
    assert (watched.life.source, repeated.life.source) == ("watched", "trained again")
    by_step = {moment.step: moment for moment in repeated.life.moments}
    assert len(watched.life.moments) > 10
    for moment in watched.life.moments:
        assert moment.firing == pytest.approx(by_step[moment.step].firing), moment.step
        assert moment.weights == pytest.approx(by_step[moment.step + 1].weights), (
            "a look sees the weights after its step"
        )
    assert "trained again, on 160 samples" in " ".join(repeated.text().split())
    assert "seen on the batches" in " ".join(watched.text().split())


def test_events_in_words() -> None:
    def of(*firing: float) -> tuple[tuple[int, str], ...]:
        return UnitHistory(
            tuple(UnitMoment(step, share, None, None) for step, share in enumerate(firing)),
            "watched",
        ).events

    assert of(0, 0, 0.5, 0.2) == ((2, "born"),)
    assert of(0.5, 0, 0, 0.1, 0) == ((1, "silent"), (3, "revived"), (4, "silent"))
    assert of(0.5, 0.4) == of(0, 0) == of() == ()


def test_a_life_that_nobody_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    from sevensteps.explain.neuron import history as module

    run = ss.train("iris", predict="mlp(3)", watch=0, **QUICK)
    monkeypatch.setattr(module, "MAX_REPEAT_SECONDS", -1.0)
    unwatched = run.explain.neuron("layer1", 0)
    assert unwatched.life.moments == ()
    assert "--again" in unwatched.text()
    assert run.explain.neuron("layer1", 0, again=True).life.source == "trained again"
    assert "was not watched" in run.explain.neuron("layer1", 0, again=False).text()


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


@pytest.mark.parametrize(
    ("layer", "unit", "message"),
    [
        (
            "layer9",
            0,
            r"no layer 'layer9' with units; "
            r"there are layer1 \(units 0 to 4\), output \(units 0 to 2\)",
        ),
        ("activation1", 0, "there are layer1"),
        ("layer1", 5, "counted from 0 to 4"),
        ("layer1", -1, "at least 0"),
        ("layer1", True, "whole number"),
    ],
)
def test_what_there_is_not(layer: str, unit: int, message: str) -> None:
    run = ss.train("iris", predict="mlp(5)", stop="max_steps(1)", out=False)
    with pytest.raises(ArgumentError, match=message) as raised:
        run.explain.neuron(layer, unit)
    assert "\n" not in str(raised.value)


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
