"""The contract table of step 1: every rule on every network sets what is trained, from its
generator alone, as its formula says.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sevensteps import steps
from sevensteps.engine.modules import Neuron, PixelSimilarity, use_generator
from sevensteps.engine.parameters import biases, weights
from sevensteps.errors import ArgumentError
from sevensteps.head import Output
from sevensteps.seeds import generator
from sevensteps.steps import initialize
from sevensteps.steps import loss as losses
from sevensteps.steps.initialize import Initializer
from sevensteps.task import Task
from tests.steps.examples import examples

BINARY = Task("binary", 1, ("no", "yes"), "the targets are two classes, no and yes")
MANY = Task("multiclass", 1, ("a", "b", "c"), "the targets are 3 classes")
LABELS = Task("multilabel", 2, ("x", "y"), "each target has 2 yes/no labels")
COLUMNS = Task("regression", 2, (), "each target is 2 numbers")
YES_NO = losses.binary_cross_entropy().output(BINARY)
ONE_OF_3 = losses.cross_entropy().output(MANY)
IMAGE = (1, 8, 8)
COUNT = 40  # samples

# those that set any network
RULES = examples("initialize", "auto", "class_means", "as_given", "pixel_frequency")
RANDOM = (
    "normal",
    "uniform",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "lecun_normal",
    "orthogonal",
    "lsuv",
    "pytorch_default",
)
SYMMETRIC = ("zeros", "ones", "constant")

# Networks as step 2 builds them: (spelling, output layer).
NETWORKS: dict[str, tuple[str, Output]] = {
    "linear": ("linear()", ONE_OF_3),
    "mlp": ("mlp(6, 5)", ONE_OF_3),
    "mlp, batch norm and dropout": (
        'mlp(6, 5, activation="tanh", batch_norm=True, dropout=0.2)',
        YES_NO,
    ),
    "cnn": ("cnn(3, 4, dense=5)", ONE_OF_3),
    "cnn, batch norm": ("cnn(3, batch_norm=True)", YES_NO),
    "neuron": ("neuron()", YES_NO),
    "neuron, w0": ('neuron(bias="w0")', YES_NO),
    "polynomial": ("polynomial(3)", YES_NO),
    "bins": ("binned_mlp(6, columns=2)", YES_NO),
    "log_softmax": ("mlp(6)", losses.negative_log_likelihood().output(MANY)),
}


def network(name: str) -> tuple[nn.Module, Output]:
    spelling, output = NETWORKS[name]
    return poisoned(steps.parse("predict", spelling).build(IMAGE, output)), output


def poisoned(made: nn.Module) -> nn.Module:
    """`made` with nan wherever a rule has to set something."""
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.fill_(math.nan)
    return made


def inputs() -> Tensor:
    return torch.rand(COUNT, *IMAGE, generator=torch.Generator().manual_seed(5))


def targets(output: Output) -> Tensor:
    if output.task.kind == "multiclass":
        return torch.arange(COUNT).clamp_max(19) % 3  # classes of unequal size
    return (torch.arange(COUNT) % 4 == 0).float()[:, None]


def applied(rule: Initializer, name: str, seed: int = 0) -> nn.Module:
    made, output = network(name)
    rule(made, generator(seed, "initialize"), inputs(), targets(output), output)
    return made


def values(made: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in made.parameters()])


def parse(text: str) -> Any:
    return steps.parse("initialize", text)


# -- common to all ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_everything_is_set_and_only_by_the_generator(rule: Initializer, name: str) -> None:
    made = applied(rule, name)
    assert bool(values(made).isfinite().all())
    assert all(p.requires_grad for p in made.parameters())
    assert torch.equal(values(applied(rule, name)), values(made))
    random = type(rule).__name__ in RANDOM or getattr(rule, "bias", "") == "normal"
    assert torch.equal(values(applied(rule, name, seed=1)), values(made)) != random


@pytest.mark.parametrize("name", ["mlp, batch norm and dropout", "cnn, batch norm"])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_normalisation_starts_as_the_identity(rule: Initializer, name: str) -> None:
    made = applied(rule, name)
    norms = [m for m in made.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        assert torch.equal(norm.weight, torch.ones_like(norm.weight))
        assert torch.equal(norm.bias, torch.zeros_like(norm.bias))
        assert norm.running_mean is not None
        assert not norm.running_mean.any()


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_what_is_frozen_stays(rule: Initializer) -> None:
    made = steps.parse("predict", "mlp(6, 5, batch_norm=True)").build(IMAGE, ONE_OF_3)
    draw = torch.Generator().manual_seed(9)
    for parameter in made.parameters():
        nn.init.uniform_(parameter, 2.0, 3.0, generator=draw)
    made.norm1.running_mean.fill_(4.0)
    frozen = [
        "layer1.weight",
        "layer1.bias",
        "norm1.weight",
        "norm1.bias",
        "layer2.weight",
        "norm2.weight",
    ]
    for name, parameter in made.named_parameters():
        parameter.requires_grad = name not in frozen
    before = copy.deepcopy(made)
    rule(made, generator(0, "initialize"), inputs(), targets(ONE_OF_3), ONE_OF_3)
    assert torch.equal(made.norm1.running_mean, before.norm1.running_mean)
    for (name, after), earlier in zip(made.named_parameters(), before.parameters(), strict=True):
        assert torch.equal(after, earlier) == (name in frozen), name


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_what_is_shared_is_set_once_and_stays_shared(rule: Initializer) -> None:
    made = poisoned(
        nn.Sequential(
            *[nn.utils.skip_init(nn.Linear, 64, 64) for _ in range(2)],
            nn.utils.skip_init(nn.Linear, 64, 3),
        )
    )
    made[1].weight = made[0].weight
    rule(made, generator(0, "initialize"), inputs().flatten(1), targets(ONE_OF_3), ONE_OF_3)
    assert made[1].weight is made[0].weight
    assert bool(values(made).isfinite().all())


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_mode_is_left_as_it_was(rule: Initializer) -> None:
    made, output = network("mlp, batch norm and dropout")
    use_generator(made, generator(0, "dropout"))
    for mode in (True, False):
        made.train(mode)
        rule(made, generator(0, "initialize"), inputs(), targets(output), output)
        assert {m.training for m in made.modules()} == {mode}


@given(
    width=st.integers(1, 12),
    features=st.integers(1, 12),
    seed=st.integers(0, 10**6),
    rule=st.sampled_from(RULES),
)
def test_any_width_is_set(width: int, features: int, seed: int, rule: Initializer) -> None:
    made = poisoned(steps.parse("predict", f"mlp({width})").build((features,), ONE_OF_3))
    x = torch.randn(20, features, generator=torch.Generator().manual_seed(seed))
    rule(made, generator(seed, "initialize"), x, torch.arange(20) % 3, ONE_OF_3)
    assert bool(values(made).isfinite().all())


# -- biases ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "kind", [name for name in initialize.__all__ if hasattr(getattr(initialize, name), "bias")]
)
def test_biases_are_zero_unless_asked(kind: str, name: str) -> None:
    if kind != "pixel_frequency" or name == "linear":
        made = applied(parse("constant(0.5)" if kind == "constant" else f"{kind}()"), name)
        assert all(not bias.any() for bias in biases(made))


def test_normal_biases_have_the_std_of_the_weights_else_one() -> None:
    made = steps.parse("predict", "mlp(4000)").build((3,), ONE_OF_3)
    for text, std in (
        ('normal(0.1, bias="normal")', 0.1),
        ('normal(bias="normal")', 0.01),
        ('kaiming_normal(bias="normal")', 1.0),
        ('zeros(bias="normal")', 1.0),
    ):
        parse(text)(made, generator(0, "initialize"), inputs(), targets(ONE_OF_3), ONE_OF_3)
        assert float(made.layer1.bias.detach().std()) == pytest.approx(std, rel=0.05)
        assert abs(float(made.layer1.bias.detach().mean())) < 4 * std / math.sqrt(4000)


@pytest.mark.parametrize(
    ("loss", "task", "y", "answer"),
    [
        (losses.cross_entropy(), MANY, torch.tensor([0] * 5 + [1] * 3 + [2] * 2), [0.5, 0.3, 0.2]),
        (
            losses.negative_log_likelihood(),
            MANY,
            torch.tensor([0] * 5 + [1] * 3 + [2] * 2),
            [0.5, 0.3, 0.2],
        ),
        (losses.cross_entropy(), BINARY, torch.tensor([[1.0]] * 3 + [[0.0]] * 7), [0.7, 0.3]),
        (losses.binary_cross_entropy(), BINARY, torch.tensor([[1.0]] * 3 + [[0.0]] * 7), [0.3]),
        (
            losses.binary_cross_entropy(),
            MANY,
            torch.tensor([0] * 5 + [1] * 3 + [2] * 2),
            [0.5, 0.3, 0.2],
        ),
        (
            losses.binary_cross_entropy(),
            LABELS,
            torch.tensor([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 1 + [[0.0, 0.0]] * 5),
            [0.4, 0.1],
        ),
        (
            losses.mean_squared_error(),
            COLUMNS,
            torch.tensor([[1.0, -2.0], [3.0, -4.0]]),
            [2.0, -3.0],
        ),
        (losses.hinge(), BINARY, torch.tensor([[1.0]] * 3 + [[0.0]] * 7), [-0.4]),
    ],
)
@pytest.mark.parametrize(
    "predict", ["linear()", "mlp(4)", "cnn(2)", "neuron()", 'neuron(bias="w0")']
)
def test_label_prior_answers_with_the_shares_before_anything_is_learned(
    predict: str, loss: losses.Loss, task: Task, y: Tensor, answer: list[float]
) -> None:
    output = loss.output(task)
    if "neuron" in predict and output.size > 1:
        return
    made = poisoned(steps.parse("predict", predict).build(IMAGE, output))
    x = inputs()[: len(y)]
    parse('zeros(bias="label_prior")')(made, generator(0, "initialize"), x, y, output)
    with torch.no_grad():
        found = output.predict(made(x))
    assert found.tolist() == [pytest.approx(answer, rel=1e-5)] * len(x)
    assert [bool(bias.any()) for bias in biases(made)[:-1]] == [False] * (len(biases(made)) - 1)


def test_label_prior_without_an_output_bias_is_refused() -> None:
    for made in (
        nn.Sequential(nn.Linear(2, 3, bias=False, device="meta")).to_empty(device="cpu"),
        nn.Sequential(
            nn.Linear(2, 4, device="meta"), nn.Linear(4, 3, bias=False, device="meta")
        ).to_empty(device="cpu"),
    ):
        with pytest.raises(ArgumentError) as refused:
            parse('zeros(bias="label_prior")')(
                made, generator(0, "initialize"), torch.zeros(3, 2), torch.arange(3), ONE_OF_3
            )
        assert (
            str(refused.value)
            == 'bias="label_prior" needs a last layer with a bias of 3; use bias="zeros"'
        )


# -- formulas --------------------------------------------------------------------------------------

INPUTS, OUTPUTS, CHANNELS, KERNEL = 400, 300, 30, 5
WIDE: dict[
    str, tuple[Callable[[], nn.Module], int, int]
] = {  # with its inputs and outputs, as the formulas count them
    "linear": (lambda: nn.utils.skip_init(nn.Linear, INPUTS, OUTPUTS), INPUTS, OUTPUTS),
    "conv": (
        lambda: nn.utils.skip_init(nn.Conv2d, CHANNELS, 2 * CHANNELS, KERNEL),
        CHANNELS * KERNEL**2,
        2 * CHANNELS * KERNEL**2,
    ),
}
# The variance of the weights by inputs and outputs, and whether they are bounded by √(3 variance),
# as even numbers are.
VARIANCE: dict[str, tuple[Callable[[int, int], float], bool]] = {
    "normal()": (lambda i, o: 1e-4, False),
    "normal(0.1)": (lambda i, o: 0.01, False),
    "uniform()": (lambda i, o: 0.05**2 / 3, True),
    "uniform(0.3)": (lambda i, o: 0.3**2 / 3, True),
    "xavier_uniform()": (lambda i, o: 2 / (i + o), True),
    "xavier_uniform(2)": (lambda i, o: 8 / (i + o), True),
    "xavier_normal()": (lambda i, o: 2 / (i + o), False),
    "xavier_normal(1.5)": (lambda i, o: 4.5 / (i + o), False),
    "kaiming_uniform()": (lambda i, o: 2 / i, True),
    "kaiming_normal()": (lambda i, o: 2 / i, False),
    "lecun_normal()": (lambda i, o: 1 / i, False),
    "pytorch_default()": (lambda i, o: 1 / (3 * i), True),
}
# What PyTorch itself does to the same tensor with the same generator.
SAME: dict[str, Callable[[Tensor, torch.Generator], Any]] = {
    "zeros()": lambda w, g: nn.init.zeros_(w),
    "ones()": lambda w, g: nn.init.ones_(w),
    "constant(0.5)": lambda w, g: nn.init.constant_(w, 0.5),
    "normal(0.1)": lambda w, g: nn.init.normal_(w, std=0.1, generator=g),
    "uniform(0.3)": lambda w, g: nn.init.uniform_(w, -0.3, 0.3, generator=g),
    "xavier_uniform(2)": lambda w, g: nn.init.xavier_uniform_(w, gain=2, generator=g),
    "xavier_normal(1.5)": lambda w, g: nn.init.xavier_normal_(w, gain=1.5, generator=g),
    "kaiming_uniform()": lambda w, g: nn.init.kaiming_uniform_(w, nonlinearity="relu", generator=g),
    "kaiming_normal()": lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "lecun_normal()": lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="linear", generator=g),
    "orthogonal(0.5)": lambda w, g: nn.init.orthogonal_(w, gain=0.5, generator=g),
}


@pytest.mark.parametrize("layer", WIDE)
@pytest.mark.parametrize("text", VARIANCE)
def test_the_variance_is_the_formula_s(text: str, layer: str) -> None:
    make, fan_in, fan_out = WIDE[layer]
    made = make()
    parse(text)(
        made,
        generator(0, "initialize"),
        torch.zeros(1, 1),
        torch.zeros(1, dtype=torch.int64),
        ONE_OF_3,
    )
    weight: Any = made.weight
    of, bounded = VARIANCE[text]
    variance, found = of(fan_in, fan_out), weight.detach().double()
    assert abs(float(found.mean())) < 5 * math.sqrt(variance / found.numel())
    # the variance of n normal numbers is itself spread by √(2/n) of its size, that of even numbers
    # by less
    assert float(found.var()) == pytest.approx(variance, rel=5 * math.sqrt(2 / found.numel()))
    assert (float(found.abs().max()) <= math.sqrt(3 * variance) * (1 + 1e-6)) == bounded


@pytest.mark.parametrize("layer", WIDE)
@pytest.mark.parametrize("text", SAME)
def test_the_weights_are_those_of_torch_nn_init(text: str, layer: str) -> None:
    made = WIDE[layer][0]()
    twin: Any = copy.deepcopy(made)
    parse(text)(
        made,
        generator(3, "initialize"),
        torch.zeros(1, 1),
        torch.zeros(1, dtype=torch.int64),
        ONE_OF_3,
    )
    SAME[text](twin.weight, generator(3, "initialize"))
    assert torch.equal(weights(made)[0], twin.weight)


def test_every_rule_has_an_oracle() -> None:
    """By closed form, by torch.nn.init, or by a test of its own below."""
    covered = {text.split("(")[0] for text in (*VARIANCE, *SAME)}
    assert covered | {"auto", "lsuv", "pixel_frequency", "class_means", "as_given"} == set(
        initialize.__all__
    )


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_orthogonal_rows_stand_at_right_angles(gain: float) -> None:
    made = steps.parse("predict", "mlp(20)").build((50,), ONE_OF_3)
    initialize.orthogonal(gain)(
        made, generator(0, "initialize"), inputs(), targets(ONE_OF_3), ONE_OF_3
    )
    for weight in (made.layer1.weight, made.output.weight):
        assert torch.allclose(weight @ weight.T, gain**2 * torch.eye(len(weight)), atol=1e-5)


@pytest.mark.draws
@pytest.mark.parametrize(
    "make",
    [
        # of so many biases one is surely above half of the bound
        lambda: nn.Linear(INPUTS, 40),
        lambda: nn.Conv2d(CHANNELS, 40, 3),
        lambda: nn.Conv2d(8, 40, 3, groups=4),
        lambda: nn.Conv1d(8, 40, 2),
    ],
)
def test_pytorch_default_is_what_pytorch_does_by_itself(make: Callable[[], nn.Module]) -> None:
    theirs, ours = make(), poisoned(make())
    initialize.pytorch_default()(
        ours, generator(0, "initialize"), inputs(), targets(ONE_OF_3), ONE_OF_3
    )
    bound = 1 / math.sqrt(theirs.get_parameter("weight")[0].numel())
    for both in (theirs, ours):
        for name, found in both.named_parameters():
            assert float(found.detach().abs().max()) <= bound
            assert float(found.detach().abs().max()) >= bound * (0.9 if name == "weight" else 0.5)
    assert not torch.equal(values(ours), values(theirs))


@pytest.mark.parametrize("bias", ["b", "w0"])
def test_pytorch_default_of_a_neuron_counts_its_inputs(bias: str) -> None:
    bounds = []
    for seed in range(200):
        made = poisoned(Neuron(25, bias))
        initialize.pytorch_default()(
            made, generator(seed, "initialize"), inputs(), targets(YES_NO), YES_NO
        )
        bounds.append(
            [
                float(weights(made)[0].detach().abs().max()),
                float(biases(made)[0].detach().abs().max()),
            ]
        )
    assert torch.tensor(bounds).amax(0).tolist() == [
        pytest.approx(0.2, rel=0.03),
        pytest.approx(0.2, rel=0.03),
    ]


def test_pytorch_default_lets_other_layers_set_themselves() -> None:
    found = []
    for _ in range(2):
        made = poisoned(
            nn.Sequential(nn.GRU(3, 4, device="meta"), nn.Embedding(5, 2, device="meta")).to_empty(
                device="cpu"
            )
        )
        before = torch.random.get_rng_state()
        initialize.pytorch_default()(
            made, generator(0, "initialize"), inputs(), targets(YES_NO), YES_NO
        )
        assert torch.equal(torch.random.get_rng_state(), before)
        found.append(values(made))
    assert torch.equal(*found)
    assert bool(found[0].isfinite().all())
    assert float(found[0][:-10].abs().max()) <= 0.5  # ±1/√4 for a GRU of 4


def test_pytorch_default_sets_the_bias_beside_a_frozen_weight() -> None:
    made = poisoned(nn.utils.skip_init(nn.Linear, 25, 8))
    made.weight.requires_grad = False
    initialize.pytorch_default()(
        made, generator(0, "initialize"), inputs(), targets(YES_NO), YES_NO
    )
    bias: Any = made.bias
    assert bool(made.weight.isnan().all())
    assert 0 < float(bias.detach().abs().max()) <= 0.2


@pytest.mark.parametrize("text", ["zeros()", "ones()", "constant(0.5)"])
def test_symmetric_rules_leave_the_units_of_a_layer_alike(text: str) -> None:
    made: Any = applied(parse(text), "mlp")
    for layer in (made.layer1, made.layer2, made.output):
        assert len(layer.weight.unique(dim=0)) == 1
    hidden = made.layer1(inputs().flatten(1)).detach()
    assert float((hidden - hidden[:, :1]).abs().max()) <= 1e-5
    assert text.split("(")[0] in SYMMETRIC


@pytest.mark.parametrize("kind", RANDOM)
def test_random_rules_make_every_unit_different(kind: str) -> None:
    made: Any = applied(parse(f"{kind}()"), "mlp")
    for layer in (made.layer1, made.layer2, made.output):
        assert len(layer.weight.unique(dim=0)) == len(layer.weight)


# -- lsuv ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predict", "shape"),
    [
        ("mlp(50, 40, 30)", (20,)),
        ('mlp(50, 40, activation="tanh")', (20,)),
        ('mlp(50, activation="sigmoid")', (20,)),
        ("cnn(8, 16, dense=20)", IMAGE),
        ("linear()", IMAGE),
        ("mlp(50, 40, dropout=0.5)", (20,)),
        ("mlp(50, 40, batch_norm=True)", (20,)),
    ],
)
def test_lsuv_gives_each_layer_an_output_of_std_one(predict: str, shape: tuple[int, ...]) -> None:
    made = steps.parse("predict", predict).build(shape, ONE_OF_3)
    x = 3 * torch.randn(200, *shape, generator=torch.Generator().manual_seed(0)) + 1
    initialize.lsuv()(made, generator(0, "initialize"), x, torch.arange(200) % 3, ONE_OF_3)
    made.eval()
    for name, module in made.named_children():
        with torch.no_grad():
            x = module(x)
        if name.startswith("layer") or name == "output":
            assert float(x.std()) == pytest.approx(1, abs=0.02), name


def test_lsuv_keeps_right_angles_and_its_tolerance() -> None:
    x = torch.randn(300, 30, generator=torch.Generator().manual_seed(0))
    made: Any = steps.parse("predict", "mlp(10)").build((30,), ONE_OF_3)
    initialize.lsuv()(made, generator(0, "initialize"), 5 * x, torch.arange(300) % 3, ONE_OF_3)
    square = made.layer1.weight @ made.layer1.weight.T
    assert torch.allclose(square, square[0, 0] * torch.eye(10), atol=1e-5)
    rough: Any = steps.parse("predict", "mlp(10)").build((30,), ONE_OF_3)
    initialize.lsuv(1e6)(rough, generator(0, "initialize"), 5 * x, torch.arange(300) % 3, ONE_OF_3)
    # nothing was scaled
    assert torch.allclose(rough.layer1.weight @ rough.layer1.weight.T, torch.eye(10), atol=1e-5)


@pytest.mark.parametrize("x", [torch.zeros(20, 4), torch.ones(1, 4), torch.full((20, 4), 1e20)])
def test_lsuv_stays_finite_where_there_is_nothing_to_measure(x: Tensor) -> None:
    made = poisoned(steps.parse("predict", "mlp(5)").build((4,), ONE_OF_3))
    initialize.lsuv()(
        made, generator(0, "initialize"), x, torch.zeros(len(x), dtype=torch.int64), ONE_OF_3
    )
    assert bool(values(made).isfinite().all())


# -- rules that look at the data -------------------------------------------------------------------

PICTURES = torch.tensor(
    [[1.0, 0.0, 0.9, 0.0], [0.8, 0.6, 0.0, 0.0], [0.0, 0.9, 0.0, 0.2], [0.0, 0.7, 0.0, 0.51]]
).view(4, 1, 2, 2)


def test_pixel_frequency_is_the_count_by_hand() -> None:
    made: Any = steps.parse("predict", "linear()").build((1, 2, 2), YES_NO)
    initialize.pixel_frequency()(
        made,
        generator(0, "initialize"),
        PICTURES,
        torch.tensor([[0.0], [0.0], [1.0], [1.0]]),
        YES_NO,
    )
    # pixel by pixel, the share of the yes images in which it is above 0.5, minus that of the no
    # images
    assert made.output.weight.tolist() == [[0 - 1, 1 - 0.5, 0 - 0.5, 0.5 - 0]]
    assert made.output.bias.tolist() == [0.0]
    initialize.pixel_frequency(0.1)(
        made,
        generator(0, "initialize"),
        PICTURES,
        torch.tensor([[0.0], [0.0], [1.0], [1.0]]),
        YES_NO,
    )
    assert made.output.weight.tolist() == [[-1.0, 0.5, -0.5, 1.0]]


@pytest.mark.parametrize(
    "output",
    [losses.cross_entropy().output(BINARY), ONE_OF_3],
    ids=["two classes", "three classes"],
)
def test_pixel_frequency_of_many_classes_is_the_share_minus_its_mean(output: Output) -> None:
    y = (
        torch.tensor([0, 0, 1, 1])
        if output.size == 3
        else torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    )
    made: Any = steps.parse("predict", "linear()").build((1, 2, 2), output)
    initialize.pixel_frequency()(made, generator(0, "initialize"), PICTURES, y, output)
    shares = torch.tensor([[1.0, 0.5, 0.5, 0.0], [0.0, 1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0]])[
        : output.size
    ]
    assert torch.allclose(made.output.weight, shares - shares.mean(0))


def test_pixel_frequency_of_a_w0_neuron_and_of_labels() -> None:
    made: Any = steps.parse("predict", 'neuron(bias="w0")').build((1, 2, 2), YES_NO)
    initialize.pixel_frequency()(
        made,
        generator(0, "initialize"),
        PICTURES,
        torch.tensor([[0.0], [0.0], [1.0], [1.0]]),
        YES_NO,
    )
    assert made.output.weight.tolist() == [[0.0, -1.0, 0.5, -0.5, 0.5]]
    labels = losses.binary_cross_entropy().output(LABELS)
    made = steps.parse("predict", "linear()").build((1, 2, 2), labels)
    y = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    initialize.pixel_frequency()(made, generator(0, "initialize"), PICTURES, y, labels)
    shares = torch.tensor([[1.0, 0.5, 0.5, 0.0], [1 / 3, 1.0, 0.0, 1 / 3]])
    assert torch.allclose(made.output.weight, shares - shares.mean(0))


def test_pixel_frequency_already_knows_something() -> None:
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 3
    x = (torch.rand(60, 1, 4, 4, generator=draw) < 0.2).float()
    x[torch.arange(60), 0, y] = 1  # each class has a row of its own
    made = steps.parse("predict", "linear()").build((1, 4, 4), ONE_OF_3)
    initialize.pixel_frequency()(made, generator(0, "initialize"), x, y, ONE_OF_3)
    assert float((made(x).argmax(1) == y).double().mean()) > 0.95


@pytest.mark.parametrize(
    ("predict", "output", "y", "message"),
    [
        (
            "mlp(5)",
            ONE_OF_3,
            torch.tensor([0, 1, 2, 0]),
            "pixel_frequency sets one weight per class and pixel, so it needs a network of one "
            "layer; "
            "use predict=linear(), or initialize=kaiming_normal()",
        ),
        (
            "cnn(2)",
            ONE_OF_3,
            torch.tensor([0, 1, 2, 0]),
            "pixel_frequency sets one weight per class and pixel, so it needs a network of one "
            "layer; "
            "use predict=linear(), or initialize=kaiming_normal()",
        ),
        (
            "polynomial(2)",
            YES_NO,
            torch.tensor([[0.0], [0.0], [1.0], [1.0]]),
            "pixel_frequency sets one weight per class and pixel, so it needs a network of one "
            "layer; "
            "use predict=linear(), or initialize=kaiming_normal()",
        ),
        (
            "linear()",
            losses.mean_squared_error().output(COLUMNS),
            torch.tensor([[0.5, 1.0]] * 4),
            "pixel_frequency counts images of each class, but the targets are no classes; use "
            "initialize=zeros()",
        ),
    ],
)
def test_pixel_frequency_is_refused_where_it_means_nothing(
    predict: str, output: Output, y: Tensor, message: str
) -> None:
    made = steps.parse("predict", predict).build((1, 2, 2), output)
    with pytest.raises(ArgumentError) as refused:
        initialize.pixel_frequency()(made, generator(0, "initialize"), PICTURES, y, output)
    assert str(refused.value) == message


def test_class_means_sets_the_mean_image_of_each_class() -> None:
    made: Any = steps.parse("predict", "pixel_similarity()").build((1, 2, 2), YES_NO)
    initialize.class_means()(
        made,
        generator(0, "initialize"),
        PICTURES,
        torch.tensor([[0.0], [0.0], [1.0], [1.0]]),
        YES_NO,
    )
    assert isinstance(made.output, PixelSimilarity)
    assert torch.equal(made.output.means, torch.stack([PICTURES[:2].mean(0), PICTURES[2:].mean(0)]))
    with pytest.raises(ArgumentError) as refused:
        initialize.class_means()(
            nn.Flatten(), generator(0, "initialize"), PICTURES, torch.zeros(4, 1), YES_NO
        )
    assert (
        str(refused.value) == "class_means sets what pixel_similarity compares with; use it with "
        "predict=pixel_similarity()"
    )


def test_as_given_changes_nothing() -> None:
    made = applied(parse("kaiming_normal()"), "mlp")
    before = values(made)
    initialize.as_given()(made, generator(0, "initialize"), inputs(), targets(ONE_OF_3), ONE_OF_3)
    assert torch.equal(values(made), before)


@pytest.mark.parametrize(
    ("activation", "single", "options", "chosen", "reason"),
    [
        (
            "relu",
            True,
            {},
            "zeros()",
            "zeros are harmless in a single layer: its outputs get different gradients at once",
        ),
        (
            "relu",
            False,
            {},
            "kaiming_normal()",
            "relu units keep their signal with weights of variance 2/inputs",
        ),
        (
            "gelu",
            False,
            {"bias": "normal"},
            'kaiming_normal(bias="normal")',
            "gelu units keep their signal with weights of variance 2/inputs",
        ),
        (
            "tanh",
            False,
            {},
            "xavier_normal()",
            "tanh units keep signal and gradient with weights of variance 2/(inputs + outputs)",
        ),
        (
            "sigmoid",
            False,
            {"gain": 2},
            "xavier_normal(2)",
            "sigmoid units keep signal and gradient with weights of variance 2/(inputs + outputs)",
        ),
        (
            "selu",
            False,
            {},
            "lecun_normal()",
            "SELU keeps its signal with weights of variance 1/inputs",
        ),
    ],
)
def test_auto_takes_what_the_activation_needs(
    activation: str, single: bool, options: dict[str, Any], chosen: str, reason: str
) -> None:
    value, why = initialize.choose(activation, single, **options)
    assert (repr(value), why) == (chosen, reason)
