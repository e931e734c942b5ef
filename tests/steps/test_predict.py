"""The contract table of step 2: every network on every task it takes: its layers, its shapes, and
what it computes.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sevensteps import steps
from sevensteps.engine.activations import activation_module, activation_names
from sevensteps.engine.modules import Dropout, Neuron, PixelSimilarity, use_generator
from sevensteps.errors import ArgumentError, DataError, NotationError
from sevensteps.head import Output
from sevensteps.seeds import generator
from sevensteps.steps import initialize, predict
from sevensteps.steps import loss as losses
from sevensteps.steps.predict import Predictor
from sevensteps.task import Task
from tests.steps.examples import EXAMPLES, examples

TASKS = {
    "regression": Task("regression", 1, (), "each target is a number"),
    "columns": Task("regression", 3, (), "each target is 3 numbers"),
    "binary": Task("binary", 1, ("3", "7"), "the targets are two classes, 3 and 7"),
    "multiclass": Task("multiclass", 1, ("a", "b", "c", "d"), "the targets are 4 classes"),
    "multilabel": Task("multilabel", 3, ("x", "y", "z"), "each target has 3 yes/no labels"),
}
LOSSES = examples("loss", "auto")


def outputs_of_all() -> Iterator[tuple[str, losses.Loss, Output]]:
    for kind, task in TASKS.items():
        for loss in LOSSES:
            try:
                yield kind, loss, loss.output(task)
            except ArgumentError:
                continue


OUTPUTS = list(outputs_of_all())
ONE = losses.mean_squared_error().output(TASKS["regression"])
YES_NO = losses.binary_cross_entropy().output(TASKS["binary"])
ONE_OF_4 = losses.cross_entropy().output(TASKS["multiclass"])
LOG_OF_4 = losses.negative_log_likelihood().output(TASKS["multiclass"])
HARD = losses.mean_absolute_error().output(TASKS["binary"])
IMAGE, TABLE = (1, 8, 8), (5,)

# The layers of each network, in order, for pictures [1, 8, 8] and four classes (or one output).
FLAT = ["flatten:Flatten"]
LAYERS: list[tuple[str, Output, list[str]]] = [
    ("neuron()", ONE, [*FLAT, "output:Neuron"]),
    ('neuron("tanh")', ONE, [*FLAT, "output:Neuron", "activation:Tanh"]),
    ('neuron("sigmoid")', YES_NO, [*FLAT, "output:Neuron"]),  # the loss applies it
    ('neuron("sigmoid")', HARD, [*FLAT, "output:Neuron", "activation:Sigmoid"]),
    ('neuron("step")', HARD, [*FLAT, "output:Neuron", "activation:Step"]),
    ('neuron("identity", bias="w0")', YES_NO, [*FLAT, "output:Neuron"]),
    ("linear()", ONE_OF_4, [*FLAT, "output:Linear"]),
    ("linear()", LOG_OF_4, [*FLAT, "output:Linear", "log_softmax:LogSoftmax"]),
    ("polynomial(3)", ONE, [*FLAT, "powers:Powers", "output:Linear"]),
    (
        "binned_mlp(6, columns=2, dropout=0.1)",
        ONE_OF_4,
        [
            *FLAT,
            "bins:Bins",
            "layer1:Linear",
            "activation1:ReLU",
            "dropout1:Dropout",
            "output:Linear",
        ],
    ),
    ("mlp(6)", ONE_OF_4, [*FLAT, "layer1:Linear", "activation1:ReLU", "output:Linear"]),
    (
        'mlp(6, 5, activation="selu", dropout=0.1, batch_norm=True)',
        ONE_OF_4,
        [
            *FLAT,
            "layer1:Linear",
            "norm1:BatchNorm1d",
            "activation1:SELU",
            "dropout1:Dropout",
            "layer2:Linear",
            "norm2:BatchNorm1d",
            "activation2:SELU",
            "dropout2:Dropout",
            "output:Linear",
        ],
    ),
    (
        "mlp(6)",
        LOG_OF_4,
        [*FLAT, "layer1:Linear", "activation1:ReLU", "output:Linear", "log_softmax:LogSoftmax"],
    ),
    (
        "cnn(2)",
        ONE_OF_4,
        ["layer1:Conv2d", "activation1:ReLU", "pool1:MaxPool2d", *FLAT, "output:Linear"],
    ),
    (
        'cnn(2, 3, kernel=5, pool="average", dense=(6,), dropout=0.5, batch_norm=True)',
        ONE_OF_4,
        [
            "layer1:Conv2d",
            "norm1:BatchNorm2d",
            "activation1:ReLU",
            "pool1:AvgPool2d",
            "layer2:Conv2d",
            "norm2:BatchNorm2d",
            "activation2:ReLU",
            "pool2:AvgPool2d",
            *FLAT,
            "dropout:Dropout",
            "layer3:Linear",
            "norm3:BatchNorm1d",
            "activation3:ReLU",
            "dropout3:Dropout",
            "output:Linear",
        ],
    ),
    (
        "cnn(2, 2, 2, 2)",
        ONE,
        [  # the fourth convolution sees one pixel, which is not pooled
            "layer1:Conv2d",
            "activation1:ReLU",
            "pool1:MaxPool2d",
            "layer2:Conv2d",
            "activation2:ReLU",
            "pool2:MaxPool2d",
            "layer3:Conv2d",
            "activation3:ReLU",
            "pool3:MaxPool2d",
            "layer4:Conv2d",
            "activation4:ReLU",
            *FLAT,
            "output:Linear",
        ],
    ),
    ('pixel_similarity("l2")', ONE_OF_4, ["output:PixelSimilarity"]),
]


def build(text: str, output: Output, shape: tuple[int, ...] = IMAGE) -> Any:
    """The network that `text` spells, with all parameters set and a generator for its dropout."""
    made = steps.parse("predict", text).build(shape, output)
    draw = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        nn.init.normal_(parameter, 0, 0.3, generator=draw)
    use_generator(made, generator(0, "dropout"))
    return made


def inputs(count: int, shape: tuple[int, ...] = IMAGE, seed: int = 1) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


# -- shapes, on every task -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "loss", "output"),
    OUTPUTS,
    ids=lambda held: held if isinstance(held, str) else repr(held)[:25],
)
@pytest.mark.parametrize(
    "text",
    [
        "linear()",
        "polynomial(2)",
        "mlp(6, 5, batch_norm=True)",
        "mlp(6, dropout=0.5)",
        "cnn(2, 3, dense=6)",
    ],
)
def test_a_network_has_the_outputs_that_task_and_loss_ask_for(
    text: str, kind: str, loss: losses.Loss, output: Output
) -> None:
    made = build(text, output)
    found = made(inputs(6))
    assert found.shape == (6, output.size)
    if output.layer == "log_softmax":
        assert torch.allclose(found.exp().sum(1), torch.ones(6))
    target = (
        torch.arange(6) % 4
        if kind == "multiclass"
        else (torch.arange(6)[:, None] % 2).float().expand(6, TASKS[kind].targets)
    )
    assert loss(found, output.encode(target)).shape == (6,)
    with torch.no_grad():
        made.eval()
        assert made(inputs(1)).shape == (1, output.size)


@pytest.mark.parametrize(
    ("text", "output", "layers"), LAYERS, ids=lambda held: held if isinstance(held, str) else ""
)
def test_the_layers_have_their_names(text: str, output: Output, layers: list[str]) -> None:
    made = steps.parse("predict", text).build(IMAGE, output)
    assert isinstance(made, nn.Sequential)
    assert [f"{name}:{type(layer).__name__}" for name, layer in made.named_children()] == layers


def test_the_table_holds_every_network() -> None:
    assert {text.split("(")[0] for text, _, _ in LAYERS} == set(predict.__all__) - {
        "auto",
        "module",
    }


@pytest.mark.parametrize(
    "text",
    [
        text
        for name in EXAMPLES["predict"]
        if name not in ("auto", "module")
        for text in EXAMPLES["predict"][name]
    ],
)
def test_building_draws_nothing_and_gives_a_new_network_each_time(text: str) -> None:
    output = HARD if "step" in text else YES_NO
    predictor = steps.parse("predict", text)
    before = torch.random.get_rng_state()
    one, other = predictor.build(IMAGE, output), predictor.build(IMAGE, output)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not predictor.foreign
    assert not {id(p) for p in one.parameters()} & {id(p) for p in other.parameters()}
    assert [p.shape for p in one.parameters()] == [p.shape for p in other.parameters()]


@given(
    widths=st.lists(st.integers(1, 8), min_size=1, max_size=3),
    features=st.integers(1, 10),
    count=st.integers(2, 6),
    activation=st.sampled_from(activation_names()),
    norm=st.booleans(),
)
def test_an_mlp_of_any_widths(
    widths: list[int], features: int, count: int, activation: str, norm: bool
) -> None:
    made = predict.mlp(*widths, activation=activation, batch_norm=norm).build((features,), ONE_OF_4)
    sizes = [layer.weight.shape for layer in made.modules() if isinstance(layer, nn.Linear)]
    assert sizes == [(b, a) for a, b in zip([features, *widths], [*widths, 4], strict=True)]
    assert isinstance(made.get_submodule("activation1"), type(activation_module(activation)))
    nn.init.zeros_(made.get_submodule("output").get_parameter("weight"))
    assert made(inputs(count, (features,))).shape == (count, 4)


@given(
    channels=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    kernel=st.sampled_from([1, 3, 5]),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    colours=st.sampled_from([1, 3]),
    pool=st.sampled_from(["max", "average"]),
    dense=st.lists(st.integers(1, 5), max_size=2),
)
def test_a_cnn_of_any_picture(
    channels: list[int],
    kernel: int,
    height: int,
    width: int,
    colours: int,
    pool: str,
    dense: list[int],
) -> None:
    made = predict.cnn(*channels, kernel=kernel, pool=pool, dense=tuple(dense)).build(
        (colours, height, width), ONE_OF_4
    )
    for parameter in made.parameters():
        nn.init.zeros_(parameter)
    assert made(inputs(2, (colours, height, width))).shape == (2, 4)
    assert sum(isinstance(layer, nn.Conv2d) for layer in made) == len(channels)
    assert sum(isinstance(layer, nn.Linear) for layer in made) == len(dense) + 1


def test_dropout_is_ours_and_has_its_share() -> None:
    for text, names in (
        ("mlp(6, 5, dropout=0.25)", ["dropout1", "dropout2"]),
        ("cnn(2, dense=(6,), dropout=0.25)", ["dropout", "dropout2"]),
    ):
        found = {
            name: layer
            for name, layer in build(text, ONE_OF_4).named_children()
            if isinstance(layer, Dropout)
        }
        assert list(found) == names
        assert {layer.p for layer in found.values()} == {0.25}


# -- refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shape", "output", "message"),
    [
        (
            "neuron()",
            TABLE,
            ONE_OF_4,
            "a neuron has one output, but the targets are 4 classes: 4 outputs, their softmax is "
            "the probability of each; use linear()",
        ),
        (
            "neuron()",
            TABLE,
            losses.mean_squared_error().output(TASKS["columns"]),
            "a neuron has one output, but each target is 3 numbers: one output per value, read as "
            "it is; use linear()",
        ),
        (
            'neuron("step")',
            TABLE,
            YES_NO,
            "a neuron with the step activation answers 0 or 1, which this loss would read as a "
            "score; "
            "use loss=mean_absolute_error(), the share of wrong answers",
        ),
        (
            'neuron("step")',
            TABLE,
            losses.hinge().output(TASKS["binary"]),
            "a neuron with the step activation answers 0 or 1, which this loss would read as a "
            "score; "
            "use loss=mean_absolute_error(), the share of wrong answers",
        ),
        (
            "cnn(8)",
            TABLE,
            ONE,
            "cnn reads pictures [channels, height, width], but an input has shape [5]; use mlp(30)",
        ),
        (
            "pixel_similarity()",
            IMAGE,
            ONE,
            "pixel_similarity compares with the mean of each class, but each target is a number; "
            "use linear()",
        ),
        (
            "pixel_similarity()",
            IMAGE,
            losses.binary_cross_entropy().output(TASKS["multilabel"]),
            "pixel_similarity compares with the mean of each class, but each target has 3 yes/no "
            "labels; use linear()",
        ),
        (
            "pixel_similarity()",
            IMAGE,
            losses.mean_squared_error().output(TASKS["binary"]),
            "pixel_similarity answers with a score, which this loss would compare with 0 and 1; "
            "use loss=auto()",
        ),
    ],
)
def test_a_network_that_does_not_fit_is_refused(
    text: str, shape: tuple[int, ...], output: Output, message: str
) -> None:
    with pytest.raises(ArgumentError) as refused:
        steps.parse("predict", text).build(shape, output)
    assert str(refused.value) == message


# -- what they compute -----------------------------------------------------------------------------


def test_linear_is_w_x_plus_b() -> None:
    made, x = build("linear()", ONE_OF_4), inputs(5)
    wanted = (
        x.flatten(1).numpy() @ made.output.weight.detach().numpy().T
        + made.output.bias.detach().numpy()
    )
    assert numpy.allclose(made(x).detach(), wanted, atol=1e-6)


def test_an_mlp_is_its_formula() -> None:
    made, x = build('mlp(6, 5, activation="tanh")', ONE_OF_4), inputs(5)
    hidden = x.flatten(1)
    for layer in (made.layer1, made.layer2):
        hidden = torch.tanh(hidden @ layer.weight.T + layer.bias)
    assert torch.allclose(made(x), hidden @ made.output.weight.T + made.output.bias, atol=1e-6)


@pytest.mark.parametrize("activation", ["identity", "step", "relu", "sigmoid", "tanh"])
def test_a_neuron_with_w0_is_the_neuron_with_b(activation: str) -> None:
    output = HARD
    one, other = (
        build(f'neuron("{activation}")', output, TABLE),
        build(f'neuron("{activation}", bias="w0")', output, TABLE),
    )
    with torch.no_grad():
        other.output.weight.copy_(torch.cat([one.output.bias[:, None], one.output.weight], 1))
    x = inputs(50, TABLE, seed=3) - 0.5
    assert torch.allclose(one(x), other(x), atol=1e-6)
    assert (
        sum(p.numel() for p in one.parameters()) == sum(p.numel() for p in other.parameters()) == 6
    )
    if activation == "step":
        assert set(one(x).flatten().tolist()) == {0.0, 1.0}


def test_a_perceptron_by_hand() -> None:
    made = build('neuron("step")', HARD, (2,))
    with torch.no_grad():  # and: 1·a + 1·b - 1.5 ≥ 0
        made.output.weight.copy_(torch.tensor([[1.0, 1.0]]))
        made.output.bias.fill_(-1.5)
    assert made(
        torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    ).flatten().tolist() == [0.0, 0.0, 0.0, 1.0]
    assert isinstance(made.output, Neuron)


def test_a_sigmoid_that_the_loss_applies_is_not_applied_twice() -> None:
    soft = build('neuron("sigmoid")', YES_NO, TABLE)
    plain = build("neuron()", YES_NO, TABLE)
    x = inputs(5, TABLE)
    assert torch.equal(soft(x), plain(x))
    squared = losses.mean_squared_error().output(TASKS["binary"])
    assert torch.equal(build('neuron("sigmoid")', squared, TABLE)(x), plain(x).sigmoid())


def test_a_polynomial_is_the_book_s() -> None:
    made = build("polynomial()", ONE, (1,))
    with torch.no_grad():
        made.output.weight.copy_(torch.tensor([[0.75, -14.25]]))
        made.output.bias.fill_(68.6875)
    t = torch.arange(20.0)[:, None]
    assert torch.allclose(made(t), 0.75 * (t - 9.5) ** 2 + 1, rtol=1e-5)


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_a_polynomial_of_several_inputs_has_the_highest_power_first(degree: int) -> None:
    made, x = build(f"polynomial({degree})", ONE, (3,)), inputs(6, (3,)).double() - 0.5
    made.double()
    powers = made.output.weight.detach().numpy().reshape(3, degree)
    wanted = sum(numpy.polyval([*powers[i], 0.0], x[:, i].numpy()) for i in range(3))
    assert numpy.allclose(
        made(x).detach().numpy()[:, 0], wanted + made.output.bias.item(), rtol=1e-12
    )


@pytest.mark.parametrize("metric", ["l1", "l2"])
def test_pixel_similarity_is_numpy_s(metric: str) -> None:
    x, y = inputs(40), torch.arange(40) % 4
    made = steps.parse("predict", f'pixel_similarity("{metric}")').build(IMAGE, ONE_OF_4)
    initialize.class_means()(made, generator(0, "initialize"), x, y, ONE_OF_4)
    pictures, seen = x.numpy().reshape(40, -1), inputs(7, seed=2).numpy().reshape(7, -1)
    means = numpy.stack([pictures[y.numpy() == label].mean(0) for label in range(4)])
    difference = seen[:, None] - means
    distance = (
        numpy.abs(difference).mean(-1) if metric == "l1" else numpy.sqrt((difference**2).mean(-1))
    )
    found = made(inputs(7, seed=2))
    assert numpy.allclose(found, -distance, atol=1e-6)
    assert not list(made.parameters())
    pair = steps.parse("predict", f'pixel_similarity("{metric}")').build(IMAGE, YES_NO)
    initialize.class_means()(pair, generator(0, "initialize"), x, (y > 1).float()[:, None], YES_NO)
    two = numpy.stack([pictures[(y.numpy() > 1) == bool(label)].mean(0) for label in range(2)])
    difference = seen[:, None] - two
    distance = (
        numpy.abs(difference).mean(-1) if metric == "l1" else numpy.sqrt((difference**2).mean(-1))
    )
    assert numpy.allclose(pair(inputs(7, seed=2))[:, 0], distance[:, 0] - distance[:, 1], atol=1e-6)
    assert isinstance(pair.output, PixelSimilarity)


# -- networks from outside -------------------------------------------------------------------------

FACTORY = """
import torch
from sevensteps.errors import DataError

CALLS = []
number = 3

def build(width=4, name="", **more):
    CALLS.append((width, name, more))
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, width))

def fails():
    raise KeyError("no such layer")

def refuses():
    raise DataError("not for these data")

def nothing():
    return None
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder one stands in, with a module `outside_nets`, and what is imported from it forgotten
    afterwards.
    """
    (tmp_path / "outside_nets.py").write_text(FACTORY)
    (tmp_path / "outside_broken.py").write_text("import a_module_that_is_nowhere")
    (tmp_path / "outside_package").mkdir()
    (tmp_path / "outside_package" / "__init__.py").write_text("")
    (tmp_path / "outside_package" / "deep.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("outside_")]:
        del sys.modules[name]


@pytest.mark.draws
def test_a_module_is_found_where_one_stands_and_called_with_its_arguments(outside: Path) -> None:
    path = list(sys.path)
    value = steps.parse("predict", 'module("outside_nets:build", 4, name="x", deep=(1, 2))')
    made = value.build(IMAGE, ONE_OF_4)
    assert made(inputs(3)).shape == (3, 4)
    assert sys.modules["outside_nets"].CALLS == [(4, "x", {"deep": (1, 2)})]
    assert sys.path == path
    assert value.foreign
    assert isinstance(
        steps.parse("predict", 'module("outside_package.deep:build")').build(IMAGE, ONE_OF_4),
        nn.Sequential,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'module("outside_nowhere:build")',
            """module("outside_nowhere:build"): ModuleNotFoundError: No module named 'outside_nowhere'""",  # noqa: E501
        ),
        (
            'module("outside_broken:build")',
            """module("outside_broken:build"): ModuleNotFoundError: No module named 'a_module_that_is_nowhere'""",  # noqa: E501
        ),
        (
            'module("outside_nets:built")',
            """module("outside_nets:built"): AttributeError: module 'outside_nets' has no attribute 'built'""",  # noqa: E501
        ),
        (
            'module("outside_nets:fails")',
            """module("outside_nets:fails"): KeyError: 'no such layer'""",
        ),
        (
            'module("outside_nets:fails", 1)',
            'module("outside_nets:fails", 1): TypeError: fails() takes 0 positional arguments but '
            "1 was given",
        ),
        (
            'module("outside_nets:number")',
            """module("outside_nets:number"): TypeError: 'int' object is not callable""",
        ),
        (
            'module("outside_nets:nothing")',
            'module("outside_nets:nothing") returned a NoneType, not a torch.nn.Module',
        ),
    ],
)
def test_a_module_that_cannot_be_made_is_refused_in_one_line(
    outside: Path, text: str, message: str
) -> None:
    path = list(sys.path)
    with pytest.raises(ArgumentError) as refused:
        steps.parse("predict", text).build(IMAGE, ONE_OF_4)
    assert str(refused.value) == message
    assert sys.path == path


def test_a_module_s_own_refusal_is_kept(outside: Path) -> None:
    with pytest.raises(DataError, match=r"^not for these data$"):
        steps.parse("predict", 'module("outside_nets:refuses")').build(IMAGE, ONE_OF_4)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nets",
        "nets:",
        ":build",
        "nets:build:more",
        "nets.:build",
        ".nets:build",
        "nets/x.py:build",
        "a b:c",
        "nets:build()",
    ],
)
def test_a_path_that_names_no_factory_is_refused(path: str) -> None:
    with pytest.raises(NotationError) as refused:
        steps.parse("predict", f'module("{path}")')
    assert (
        str(refused.value)
        == f'predict: module("{path}"): the network is named as "package.module:factory", not '
        f"{path!r}"
    )


def test_a_given_network_is_trained_as_a_copy() -> None:
    network = build("mlp(6)", ONE_OF_4)
    value = predict.given(network)
    before = copy.deepcopy(network)
    one, other = value.build(IMAGE, ONE_OF_4), value.build(IMAGE, ONE_OF_4)
    assert one is not network
    assert torch.equal(one(inputs(3)), network(inputs(3)))
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.zero_()
    for made in (network, other):
        assert all(
            torch.equal(a, b) for a, b in zip(made.parameters(), before.parameters(), strict=True)
        )
    assert value.foreign
    assert isinstance(value, Predictor)


def test_a_network_without_shapes_is_refused() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"^the network has lazy layers without shapes; call it once on a batch first$",
    ):
        predict.given(nn.Sequential(nn.LazyLinear(3)))


@pytest.mark.parametrize(
    ("shape", "options", "chosen", "reason"),
    [
        (
            (1, 28, 28),
            {},
            "cnn(16, 32)",
            "convolutions look at neighbouring pixels together, wherever in the picture they are",
        ),
        (
            (3, 4, 4),
            {"dropout": 0.1},
            "cnn(16, 32, dropout=0.1)",
            "convolutions look at neighbouring pixels together, wherever in the picture they are",
        ),
        (
            (1, 3, 8),
            {},
            "mlp(100)",
            "one hidden layer of 100 units can bend the boundary that a linear layer cannot",
        ),
        (
            (13,),
            {"activation": "tanh"},
            'mlp(100, activation="tanh")',
            "one hidden layer of 100 units can bend the boundary that a linear layer cannot",
        ),
    ],
)
def test_auto_takes_what_fits(
    shape: tuple[int, ...], options: dict[str, Any], chosen: str, reason: str
) -> None:
    value, why = predict.choose(shape, **options)
    assert (repr(value), why) == (chosen, reason)
    assert isinstance(value.build(shape, ONE_OF_4), nn.Sequential)


def test_a_table_in_a_file_gets_bins_where_it_has_columns_of_many_values() -> None:
    made, why = predict.choose((3,), 2)
    assert repr(made) == "binned_mlp(128, columns=2, dropout=0.3)"
    assert "bins let it bend" in why
    assert repr(predict.choose((3,), 0)[0]) == "mlp(128, dropout=0.3)"
    assert repr(predict.choose((3,))[0]) == "mlp(100)"
    x = torch.stack([torch.arange(9.0), torch.arange(9.0) % 2], 1)
    assert predict.varied_columns(x) == 1
    with pytest.raises(ArgumentError, match="cuts 4 columns into bins, but there are 3"):
        predict.binned_mlp(8, columns=4).build((3,), ONE)


def test_the_edges_of_bins_come_from_the_training_samples() -> None:
    network = predict.binned_mlp(4, columns=1, bins=2).build((2,), ONE)
    predict.fit_bins(network, torch.tensor([[0.0, 1.0], [1.0, 1.0], [3.0, 1.0]]))
    assert network.bins.lower.tolist() == [[0, 1]]
