"""The contract table of step 4: every layer, loss and head, through every method, against PyTorch's
own gradient.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sevensteps.engine import Autograd, ChainRule, Engine, FiniteDifferences, chain_rule
from sevensteps.engine.activations import ACTIVATIONS as TABLE
from sevensteps.engine.activations import activation_module, activation_names
from sevensteps.engine.modules import Bins, Dropout, Neuron, Powers, use_generator
from sevensteps.steps import loss as losses

# relative error in float64
METHODS: dict[type[Engine], float] = {
    ChainRule: 1e-9,
    Autograd: 1e-9,
    FiniteDifferences: 1e-6,
}

IMAGE = (2, 2, 6, 6)


def fitted_bins() -> Bins:
    """Bins of two of four columns, one of which has few values."""
    layer = Bins(4, 2, 3)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(40, 4, generator=draw)
    x[:, 1] = x[:, 1].sign()
    layer.fit(x)
    return layer


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **{name: (lambda name=name: activation_module(name), (5, 4)) for name in activation_names()},
    "linear": (lambda: nn.Linear(4, 3), (5, 4)),
    "linear without bias": (lambda: nn.Linear(4, 3, bias=False), (5, 4)),
    "linear over the last axis": (lambda: nn.Linear(6, 3), IMAGE),
    "neuron": (lambda: Neuron(4), (5, 4)),
    "neuron with w0": (lambda: Neuron(4, "w0"), (5, 4)),
    "powers": (lambda: Powers(3), (5, 4)),
    "bins": (lambda: fitted_bins(), (5, 4)),
    "powers of degree 1": (lambda: Powers(1), (5, 4)),
    "flatten": (nn.Flatten, IMAGE),
    "flatten some axes": (lambda: nn.Flatten(2, 3), IMAGE),
    "dropout": (lambda: Dropout(0.4), (5, 4)),
    "relu in place": (lambda: nn.ReLU(inplace=True), (5, 4)),
    "leaky_relu, less steep": (lambda: nn.LeakyReLU(0.2), (5, 4)),
    "elu, less deep": (lambda: nn.ELU(0.7), (5, 4)),
    "gelu by tanh": (lambda: nn.GELU("tanh"), (5, 4)),
    "softplus, steep": (lambda: nn.Softplus(3.0, threshold=4.0), (5, 4)),
    "softmax": (lambda: nn.Softmax(-1), (5, 4)),
    "softmax over channels": (lambda: nn.Softmax(1), IMAGE),
    "log_softmax": (lambda: nn.LogSoftmax(-1), (5, 4)),
    "conv": (lambda: nn.Conv2d(2, 3, 3), IMAGE),
    "conv, strided and padded": (
        lambda: nn.Conv2d(2, 3, (3, 2), stride=(2, 3), padding=(1, 0), bias=False),
        IMAGE,
    ),
    "conv, dilated and grouped": (lambda: nn.Conv2d(2, 4, 2, dilation=2, groups=2), IMAGE),
    "conv, padding='same'": (lambda: nn.Conv2d(2, 3, (3, 1), padding="same"), IMAGE),
    "conv, padding='valid'": (lambda: nn.Conv2d(2, 3, 3, padding="valid"), IMAGE),
    "max_pool": (lambda: nn.MaxPool2d(2), IMAGE),
    "max_pool, overlapping": (lambda: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), IMAGE),
    "max_pool, dilated": (lambda: nn.MaxPool2d(2, stride=1, dilation=2), IMAGE),
    "avg_pool": (lambda: nn.AvgPool2d(2), IMAGE),
    "avg_pool, overlapping": (lambda: nn.AvgPool2d((3, 2), stride=(2, 1), padding=1), IMAGE),
    "avg_pool, beyond the padding": (
        lambda: nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True),
        IMAGE,
    ),
    "avg_pool, inside only": (
        lambda: nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
        IMAGE,
    ),
    "avg_pool, own divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), IMAGE),
    "adaptive_avg_pool": (lambda: nn.AdaptiveAvgPool2d((4, 3)), IMAGE),
    "adaptive_avg_pool to one": (lambda: nn.AdaptiveAvgPool2d(1), IMAGE),
    "adaptive_avg_pool of one axis": (lambda: nn.AdaptiveAvgPool2d((None, 4)), IMAGE),
    "batch_norm": (lambda: nn.BatchNorm1d(4), (5, 4)),
    "batch_norm over sequences": (lambda: nn.Sequential(nn.Flatten(2), nn.BatchNorm1d(2)), IMAGE),
    "batch_norm of images": (lambda: nn.BatchNorm2d(2), IMAGE),
    "batch_norm, bare": (lambda: nn.BatchNorm2d(2, affine=False, track_running_stats=False), IMAGE),
    "batch_norm, bare, in eval": (
        lambda: nn.BatchNorm2d(2, track_running_stats=False).eval(),
        IMAGE,
    ),
    "batch_norm, counting": (lambda: nn.BatchNorm1d(4, momentum=None), (5, 4)),
    "batch_norm in eval": (lambda: nn.BatchNorm1d(4).eval(), (5, 4)),
    "nested": (
        lambda: nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), nn.Identity()),
        (5, 4),
    ),
}


def spread(*shape: int) -> Tensor:
    """Numbers in (-2, 2), any two at least 4/N apart and none within 1/N of 0: the kinks of relu
    and max are far from all.
    """
    count = torch.Size(shape).numel()
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    return ((order + 0.25) * (4 / count) - 2).double().view(shape)


def scaling(channels: int, image: bool) -> nn.Module:
    """A trained layer before the one under test, so that the gradient of its input is seen: it
    scales each channel.
    """
    scale = nn.Conv2d(channels, channels, 1) if image else nn.Linear(channels, channels)
    with torch.no_grad():
        scale.weight.copy_(torch.diag(torch.linspace(0.7, 1.3, channels)).view_as(scale.weight))
        scale.bias.zero_()
    return scale


def around(make: Callable[[], nn.Module], x: Tensor) -> nn.Module:
    """scale -> the layer under test -> two outputs, with every parameter off its initial 0 or 1."""
    draw = torch.Generator().manual_seed(2)
    layer = make().double()
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.3, 0.9, generator=draw)
    use_generator(layer, torch.Generator().manual_seed(3))
    before = scaling(x.shape[1], x.ndim == 4).double()
    width = copy.deepcopy(layer)(before(x)).flatten(1).shape[1]
    network = nn.Sequential(before, layer, nn.Flatten(), nn.Linear(width, 2).double())
    nn.init.uniform_(network[3].weight, -1, 1, generator=draw)
    return network


def gradient(
    method: type[Engine], network: nn.Module, loss: Any, x: Tensor, y: Tensor
) -> tuple[Tensor, nn.Module]:
    """The flat gradient by `method`, on a copy of `network`, and that copy."""
    engine = method(copy.deepcopy(network), loss)
    engine.predict(x)
    engine.loss(y)
    return engine.gradient(), engine.network


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name: str, method: type[Engine], oracle: Any, build: Any, error: Any) -> None:
    make, shape = LAYERS[name]
    x = spread(*shape)
    network = build(lambda: around(make, x))
    loss, y = losses.mean_squared_error(), spread(shape[0], 2)
    wanted, twin = oracle(network, loss, x, y)
    found, trained = gradient(method, network, loss, x, y)
    assert wanted.norm() > 0.1
    assert error(found, wanted) <= METHODS[method]
    for buffer, expected in zip(trained.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(buffer, expected)


def test_the_table_has_every_written_layer(build: Any) -> None:
    entered = {type(module) for make, _ in LAYERS.values() for module in build(make).modules()}
    activations = {row.module for row in TABLE.values() if row.layer is not None}
    assert {*chain_rule.LAYERS, *activations} <= entered


def yes_no(outputs: int) -> Tensor:
    return (spread(6, outputs) > 0).double()


INDICES = torch.tensor([0, 3, 1, 2, 3, 0])
HEADS: dict[str, tuple[Any, int, Tensor]] = {
    "mean_squared_error": (losses.mean_squared_error(), 3, spread(6, 3)),
    "mean_absolute_error": (losses.mean_absolute_error(), 3, spread(6, 3) * 9),
    "huber": (losses.huber(0.7), 2, spread(6, 2)),
    "binary_cross_entropy": (losses.binary_cross_entropy(), 1, yes_no(1)),
    "binary_cross_entropy of labels": (losses.binary_cross_entropy(), 3, yes_no(3)),
    "cross_entropy": (losses.cross_entropy(), 4, INDICES),
    "mnist_loss": (losses.mnist_loss(), 1, yes_no(1)),
    "mnist_loss of labels": (losses.mnist_loss(), 3, yes_no(3)),
    "negative_log_likelihood": (losses.negative_log_likelihood(), 4, INDICES),
    "hinge": (losses.hinge(), 1, yes_no(1)),
    "hinge of labels": (losses.hinge(), 3, yes_no(3)),
}


def head(loss: Any, outputs: int) -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, outputs))
    nn.init.uniform_(network[2].weight, -2, 2, generator=torch.Generator().manual_seed(4))
    return (
        network.append(nn.LogSoftmax(-1))
        if isinstance(loss, losses.negative_log_likelihood)
        else network
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", HEADS)
def test_every_loss_and_head(
    name: str, method: type[Engine], oracle: Any, build: Any, error: Any
) -> None:
    loss, outputs, y = HEADS[name]
    network, x = build(lambda: head(loss, outputs)), spread(6, 3)
    wanted, _ = oracle(network, loss, x, y)
    found, _ = gradient(method, network, loss, x, y)
    assert error(found, wanted) <= METHODS[method]


def test_the_table_has_every_loss() -> None:
    assert {type(loss).__name__ for loss, _, _ in HEADS.values()} == set(losses.__all__) - {"auto"}


@pytest.mark.parametrize("name", ["mean_absolute_error", "hinge", "hinge of labels"])
def test_no_head_is_tried_at_its_kink(name: str, build: Any) -> None:
    loss, outputs, y = HEADS[name]
    output = build(lambda: head(loss, outputs))(spread(6, 3)).detach()
    from_kink = output - y if name == "mean_absolute_error" else 1 - (2 * y - 1) * output
    assert from_kink.abs().min() > 1e-3


ACTIVATIONS = [TABLE[name].module for name in activation_names()]
SMOOTH = tuple(kind for kind in ACTIVATIONS if kind not in (nn.ReLU, nn.LeakyReLU, nn.SELU))


def deep(
    widths: list[int], kinds: list[type[nn.Module]], normed: bool, dropout: float
) -> nn.Module:
    network = nn.Sequential(nn.Flatten())
    for before, width, kind in zip([4, *widths], widths, kinds, strict=False):
        network.extend(
            [
                nn.Linear(before, width),
                *([nn.BatchNorm1d(width)] if normed else []),
                kind(),
                Dropout(dropout),
            ]
        )
    use_generator(network, torch.Generator().manual_seed(5))
    return network.append(nn.Linear(widths[-1], 3))


networks = {
    "widths": st.lists(st.integers(1, 5), min_size=1, max_size=4),
    "normed": st.booleans(),
    "dropout": st.sampled_from([0.0, 0.5]),
    "samples": st.integers(2, 7),
    "seed": st.integers(0, 1000),
}


@settings(max_examples=40)
@given(kinds=st.lists(st.sampled_from(ACTIVATIONS), min_size=4, max_size=4), **networks)
def test_deep_networks(
    oracle: Any,
    build: Any,
    error: Any,
    widths: list[int],
    kinds: list[type[nn.Module]],
    normed: bool,
    dropout: float,
    samples: int,
    seed: int,
) -> None:
    network = build(lambda: deep(widths, kinds, normed, dropout), seed)
    x = torch.randn(
        samples, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    y = torch.arange(samples) % 3
    wanted, twin = oracle(network, losses.cross_entropy(), x, y)
    for method in (ChainRule, Autograd):
        found, trained = gradient(method, network, losses.cross_entropy(), x, y)
        assert error(found, wanted) <= METHODS[method]
        for buffer, expected in zip(trained.buffers(), twin.buffers(), strict=True):
            torch.testing.assert_close(buffer, expected)


@settings(max_examples=15)
@given(
    kinds=st.lists(st.sampled_from(SMOOTH), min_size=4, max_size=4),
    **{**networks, "normed": st.just(False)},
)
def test_deep_networks_without_derivatives(
    build: Any,
    error: Any,
    widths: list[int],
    kinds: list[type[nn.Module]],
    normed: bool,
    dropout: float,
    samples: int,
    seed: int,
) -> None:
    network = build(lambda: deep(widths, kinds, normed, dropout), seed)
    x = torch.randn(samples, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    y = torch.arange(samples) % 3
    found = [
        gradient(method, network, losses.cross_entropy(), x, y)[0]
        for method in (ChainRule, FiniteDifferences)
    ]
    assert error(found[1], found[0]) <= METHODS[FiniteDifferences]


@settings(max_examples=40)
@given(
    size=st.tuples(st.integers(3, 8), st.integers(3, 8)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    groups=st.integers(1, 2),
    bias=st.booleans(),
)
def test_convolutions_of_every_kind(
    oracle: Any,
    build: Any,
    error: Any,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: int,
    dilation: int,
    groups: int,
    bias: bool,
) -> None:
    if any(n + 2 * padding < dilation * (k - 1) + 1 for n, k in zip(size, kernel, strict=True)):
        padding += 2  # a kernel larger than the picture
    options = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "bias": bias,
    }
    x = spread(2, 2, *size)
    network = build(lambda: around(lambda: nn.Conv2d(2, 4, kernel, **options), x))
    y = spread(2, 2)
    wanted, _ = oracle(network, losses.mean_squared_error(), x, y)
    found, _ = gradient(ChainRule, network, losses.mean_squared_error(), x, y)
    assert error(found, wanted) <= 1e-9


@settings(max_examples=40)
@given(
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 4),
    padded=st.booleans(),
    ceil_mode=st.booleans(),
    count=st.booleans(),
    divisor=st.none() | st.integers(1, 5),
    out=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_pools_of_every_kind(
    oracle: Any,
    build: Any,
    error: Any,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padded: bool,
    ceil_mode: bool,
    count: bool,
    divisor: int | None,
    out: tuple[int, int],
) -> None:
    padding = (kernel[0] // 2, kernel[1] // 2) if padded else 0
    x, y = spread(2, 2, *size), spread(2, 2)
    for make in (
        lambda: nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode),
        lambda: nn.AvgPool2d(kernel, stride, padding, ceil_mode, count, divisor),
        lambda: nn.AdaptiveAvgPool2d(out),
    ):
        network = build(lambda make=make: around(make, x))
        wanted, _ = oracle(network, losses.mean_squared_error(), x, y)
        found, _ = gradient(ChainRule, network, losses.mean_squared_error(), x, y)
        assert error(found, wanted) <= 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_float32_agrees_to_its_precision(
    method: type[Engine], oracle: Any, build: Any, error: Any
) -> None:
    network = build(lambda: deep([5, 4], [nn.Tanh, nn.GELU], True, 0.5)).float()
    x, y = spread(8, 4).float(), torch.arange(8) % 3
    wanted, _ = oracle(network, losses.cross_entropy(), x, y)
    found, _ = gradient(method, network, losses.cross_entropy(), x, y)
    assert found.dtype == torch.float32
    assert error(found, wanted) < 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_the_same_randomness(method: type[Engine], build: Any) -> None:
    network = build(lambda: deep([5, 4], [nn.Tanh, nn.GELU], True, 0.5))
    x, y = spread(8, 4), torch.arange(8) % 3
    drawn = copy.deepcopy(network)
    drawn(x)
    _, trained = gradient(method, network, losses.cross_entropy(), x, y)
    states = [
        next(m.generator for m in n.modules() if isinstance(m, Dropout)).get_state()
        for n in (drawn, trained)
    ]
    assert torch.equal(*states)


@pytest.mark.parametrize("method", METHODS)
def test_the_book_s_first_step(method: type[Engine], build: Any, error: Any) -> None:
    # speed = .75 (t - 9.5)² + 1 with a t² + b t + c: for a loss of mean (o - t)², dL/da = mean 2 (o
    # - t) t², and so on
    t = torch.arange(20, dtype=torch.float64)[:, None]
    speed = 0.75 * (t - 9.5) ** 2 + 1
    network = build(lambda: nn.Sequential(Powers(2), nn.Linear(2, 1)))
    output = network(t).detach()
    closed = torch.stack([(2 * (output - speed) * t**power).mean() for power in (2, 1, 0)])
    found, _ = gradient(method, network, losses.mean_squared_error(), t, speed)
    assert error(found, closed) <= METHODS[method]
