"""Networks without a written chain rule trained together: each computes what the same network
computes alone by autograd.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine import Autograd
from sevensteps.engine.ensemble.vmapped import VmappedEnsemble, vmap_refusal
from sevensteps.engine.modules import Dropout, Step, use_generator
from sevensteps.errors import ArgumentError, Error, ShapeError
from sevensteps.seeds import generator
from sevensteps.steps.loss import Loss, cross_entropy, mean_squared_error
from tests.engine.test_agreement import HEADS, head, spread

K = 3
X, Y = spread(6, 3), torch.arange(6) % 2


class Residual(nn.Module):
    """x + f(x), with f of a convolution and batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm(self.convolution(x)))


class Sequence(nn.Module):
    """The last output of a layer over time, read by a linear one."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer, self.read = layer, nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return self.read((y[0] if isinstance(y, tuple) else y)[:, -1])  # type: ignore[no-any-return]


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return Sequence(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), 8)


class Tied(nn.Module):
    """A weight used in two layers, a layer used twice, a layer not used, and a parameter of no
    axis.
    """

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.unused, self.out = (
            nn.Linear(3, 3),
            nn.Linear(3, 3),
            nn.Linear(4, 4),
            nn.Linear(3, 2),
        )
        self.two.weight = self.one.weight
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.again = nn.Sequential(self.one, nn.Mish(), nn.BatchNorm1d(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.scale * self.again(self.two(self.again(x))))  # type: ignore[no-any-return]


class Running(nn.Module):
    """Keeps a mean by giving its buffer a new tensor, and takes it off while evaluating."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.linear, self.activation = nn.Linear(3, 2), lambda x: x.sin()

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return self.linear(self.activation(x) - self.mean)  # type: ignore[no-any-return]


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mish": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Mish(), nn.Linear(4, 2)), (6, 3)),
    "layer norm": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.SiLU(), nn.Linear(4, 2)),
        (6, 3),
    ),
    "batch norm": (
        lambda: nn.Sequential(
            nn.BatchNorm1d(3), nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Mish(), nn.Linear(4, 2)
        ),
        (6, 3),
    ),
    "a residual cnn": (
        lambda: nn.Sequential(
            Residual(),
            nn.MaxPool2d(2),
            Residual(),
            nn.GroupNorm(1, 2),
            nn.Flatten(),
            nn.Linear(18, 2),
        ),
        (6, 2, 6, 6),
    ),
    "a transformer": (transformer, (6, 5, 8)),
    "a gru": (lambda: Sequence(nn.GRU(3, 4, num_layers=2, batch_first=True), 4), (6, 5, 3)),
    "an lstm": (
        lambda: Sequence(nn.LSTM(3, 4, bidirectional=True, batch_first=True), 8),
        (6, 5, 3),
    ),
    "a plain recurrent layer": (lambda: Sequence(nn.RNN(3, 4, batch_first=True), 4), (6, 5, 3)),
    "tied": (Tied, (6, 3)),
    "a buffer replaced": (Running, (6, 3)),
    "a frozen layer": (
        lambda: nn.Sequential(nn.Linear(3, 4).requires_grad_(False), nn.Mish(), nn.Linear(4, 2)),
        (6, 3),
    ),
    "nothing trained": (
        lambda: nn.Sequential(nn.Linear(3, 2), nn.Mish()).requires_grad_(False),
        (6, 3),
    ),
    "dropout while evaluating": (
        lambda: nn.Sequential(
            nn.Linear(3, 4), nn.Mish(), nn.Dropout(), Dropout(), nn.Linear(4, 2)
        ).eval(),
        (6, 3),
    ),
    "a transformer while evaluating": (lambda: transformer().eval(), (6, 5, 8)),
    "batch norm while evaluating": (
        lambda: nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Mish(), nn.Linear(4, 2)
        ).eval(),
        (6, 3),
    ),
}


def members(make: Callable[[], nn.Module], build: Any) -> list[nn.Module]:
    """K networks of one make with parameters and statistics of their own."""
    networks = [build(make, seed) for seed in range(K)]
    for index, network in enumerate(networks):
        with torch.no_grad():
            for tensor in (
                *network.parameters(),
                *(b for b in network.buffers() if b.is_floating_point()),
            ):
                tensor.mul_(1 + 0.03 * index)
    return networks


def small(build: Any) -> list[nn.Module]:
    return members(NETWORKS["batch norm"][0], build)


def same(
    networks: list[nn.Module], loss: Loss, x: Tensor, y: Tensor, own: bool, limit: float, error: Any
) -> None:
    """Compare outputs, losses, gradients and buffers of two steps together with those of the
    networks alone.
    """
    alone = [Autograd(copy.deepcopy(network), loss) for network in networks]
    together = VmappedEnsemble(networks, loss)
    xs, ys = ([tensor.roll(index if own else 0, 0) for index in range(K)] for tensor in (x, y))
    together.gradients.fill_(7.0)  # which the first step writes over
    for add in (False, True):
        outputs = together.predict(torch.stack(xs) if own else x, own=own)
        losses = together.loss(torch.stack(ys) if own else y)
        gradients = together.gradient(share=0.5, add=add)
        for index, engine in enumerate(alone):
            assert error(outputs[index], engine.predict(xs[index])) <= limit
            assert error(losses[index], engine.loss(ys[index])) <= limit
            assert error(gradients[index], engine.gradient(share=0.5, add=add)) <= limit
            for found, wanted in zip(
                networks[index].buffers(), engine.network.buffers(), strict=True
            ):
                assert torch.allclose(found, wanted, rtol=limit, atol=limit)
    assert not outputs.requires_grad
    assert not losses.requires_grad


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network(name: str, own: bool, dtype: torch.dtype, build: Any, error: Any) -> None:
    make, shape = NETWORKS[name]
    networks = [network.to(dtype) for network in members(make, build)]
    x = spread(*shape).to(dtype)
    # which has a kernel that vmap runs one by one: right, and not faster
    if (name, dtype) != (
        "an lstm",
        torch.float32,
    ):
        assert vmap_refusal(networks, cross_entropy(), x, Y, own=own) is None
    same(networks, cross_entropy(), x, Y, own, 1e-9 if dtype == torch.float64 else 1e-4, error)


@pytest.mark.parametrize("name", HEADS)
def test_every_loss(name: str, build: Any, error: Any) -> None:
    loss, outputs, y = HEADS[name]
    same(members(lambda: head(loss, outputs), build), loss, spread(6, 3), y, True, 1e-9, error)


def test_a_parameter_that_the_loss_does_not_reach_gets_0(build: Any) -> None:
    together = VmappedEnsemble(members(Tied, build), cross_entropy())
    together.gradients.fill_(7.0)
    together.predict(X)
    together.loss(Y)
    place, _ = together.slices["unused.weight"]
    assert (together.gradient()[:, place] == 0).all()
    assert together.gradients.norm() > 0


def step(together: VmappedEnsemble, rates: Tensor) -> None:
    together.predict(X)
    together.loss(Y)
    together.parameters -= rates[:, None] * together.gradient()


def test_the_networks_are_trained_and_those_dropped_stay_as_they_are(build: Any) -> None:
    networks = small(build)
    for network in networks:
        network[1].bias.requires_grad_(False)
    alone = copy.deepcopy(networks)
    together = VmappedEnsemble(networks, cross_entropy())
    rates = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    step(together, rates)
    together.keep([2, 0])
    left = copy.deepcopy(networks[1].state_dict())
    step(together, rates[[2, 0]])
    assert len(together) == 2
    assert together.parameters.shape == together.gradients.shape == (2, 36)
    assert together.networks == [networks[2], networks[0]]
    assert all(torch.equal(left[name], value) for name, value in networks[1].state_dict().items())
    assert networks[1][1].weight.untyped_storage().nbytes() == 36 * 8  # not the memory of all
    assert (
        networks[1][1].bias.untyped_storage().nbytes()
        == networks[1][2].running_mean.untyped_storage().nbytes()
        == 4 * 8
    )
    for index, steps in ((0, 2), (1, 1), (2, 2)):
        engine = Autograd(alone[index], cross_entropy())
        for _ in range(steps):
            engine.predict(X)
            engine.loss(Y)
            engine.parameters -= rates[index] * engine.gradient()
        for name, wanted in engine.network.state_dict().items():
            assert torch.allclose(
                networks[index].state_dict()[name], wanted, rtol=1e-9, atol=1e-12
            ), name


def test_rows_are_what_the_networks_compute_with(build: Any) -> None:
    networks = small(build)
    together = VmappedEnsemble(networks, cross_entropy())
    before = [network.eval()(X).detach() for network in networks]
    together.parameters[1] *= 2
    after = [network(X).detach() for network in networks]
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, False, True]
    with torch.no_grad():
        networks[2][1].weight.zero_()
        networks[2][2].running_mean.fill_(3.0)
    assert torch.allclose(
        together.predict(X), torch.stack([network(X).detach() for network in networks])
    )
    networks[0].train()
    together.predict(X)
    together.loss(Y)
    together.gradient()
    assert all(
        torch.equal(p.grad.flatten(), together.gradients[0, place])
        for p, (place, _) in zip(networks[0].parameters(), together.slices.values(), strict=True)
    )


def test_no_global_generator_and_nothing_of_the_networks_changes_by_trying(build: Any) -> None:
    networks = small(build)
    before, start = (
        copy.deepcopy([network.state_dict() for network in networks]),
        torch.random.get_rng_state(),
    )
    assert vmap_refusal(networks, cross_entropy(), X, Y) is None
    for network, state in zip(networks, before, strict=True):
        assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
        assert all(p.grad is None for p in network.parameters())
    VmappedEnsemble(networks, cross_entropy()).predict(X)
    assert torch.equal(torch.random.get_rng_state(), start)


def test_what_vmap_would_run_one_by_one_is_not_stackable() -> None:
    class Stepping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.last = nn.GRUCell(3, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.cell(x))

    with torch.random.fork_rng():
        networks = [Stepping().double() for _ in range(2)]
    found = vmap_refusal(networks, cross_entropy(), X, Y)
    assert found is not None
    assert "vmap has no aten::" in found


class Drawing(nn.Linear):
    """Draws in its forward, which no setting shows."""

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.rand(2, generator=self.generator, dtype=x.dtype)


def test_drawing_networks_are_refused(build: Any) -> None:
    given = build(lambda: Drawing(3, 2))
    given.generator = generator(0, "dropout")
    state, start = given.generator.get_state(), torch.random.get_rng_state()
    ours = build(lambda: nn.Sequential(Dropout(0.2), nn.Linear(3, 2)))
    use_generator(ours, generator(0, "dropout"))
    for network in (
        build(lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout())),
        build(lambda: nn.Sequential(nn.RReLU(), nn.Linear(3, 2))),
        build(lambda: Sequence(nn.GRU(3, 2, 2, dropout=0.1), 2)),
        ours,
        build(lambda: Drawing(3, 2)),
        given,
    ):
        networks = [network, copy.deepcopy(network)]
        text = r"draws random numbers; train them one by one"
        assert text in str(vmap_refusal(networks, cross_entropy(), X, Y))
        with pytest.raises(ArgumentError, match=text) as failure:
            VmappedEnsemble(networks, cross_entropy()).predict(X)
        assert "\n" not in str(failure.value)
    assert torch.equal(given.generator.get_state(), state)
    assert torch.equal(torch.random.get_rng_state(), start)


class Noisy:
    """A loss that draws."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return (output + torch.rand(output.shape)).square().mean(1)

    derivative = both = __call__  # never asked by autograd


def test_a_loss_that_draws_is_found_out_and_leaves_no_trace(build: Any) -> None:
    start = torch.random.get_rng_state()
    assert "has other losses together" in str(vmap_refusal(small(build), Noisy(), X, Y))  # type: ignore[arg-type]
    assert torch.equal(torch.random.get_rng_state(), start)


class Odd(nn.Linear):
    """What code from outside may do."""

    def __init__(self, way: str = "", factor: float = 1.0) -> None:
        super().__init__(3, 2)
        self.way, self.factor, self.calls = way, factor, 0

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x) * self.factor
        if self.way == "branches" and y.sum() > 0:
            y = -y
        if self.way == "reads a number":
            y = y * float(y.max().detach())
        if self.way == "sees that it is one of several" and not y.requires_grad:
            y = 2 * y
        if self.way == "counts":
            self.calls += 1
        if self.way == "detaches":
            y = y + y.detach().numpy().sum()
        return y


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ("branches", "Odd cannot run side by side .*control flow.*; train them one by one"),
        ("reads a number", r"Odd cannot run side by side .*\.item\(\).*; train them one by one"),
        (
            "sees that it is one of several",
            "network 0 has other outputs together with others than alone; train them one by one",
        ),
        ("counts", "the forward changes calls, which would happen to network 0 alone"),
        ("detaches", "."),
    ],
)
def test_code_that_cannot_run_side_by_side(way: str, text: str, build: Any) -> None:
    reason = vmap_refusal(members(lambda: Odd(way), build), cross_entropy(), X, Y)
    assert reason is not None
    assert re.search(text, reason)
    assert "\n" not in reason


def test_what_differs_is_refused_in_one_line(build: Any) -> None:
    networks, sharing = small(build), build(lambda: nn.Sequential(nn.Mish(), nn.Linear(3, 2)))
    hooked, noticed = build(lambda: nn.Linear(3, 2)), build(lambda: nn.Linear(3, 2))
    hooked.register_forward_hook(lambda *_: None)
    noticed.weight.register_hook(lambda g: g)
    untied = build(Tied)
    untied.two.weight = nn.Parameter(untied.two.weight.detach().clone())
    for others, text in (
        ([], "a stack of no networks"),
        ([networks[0], networks[0]], "one network stands twice"),
        ([sharing, nn.Sequential(nn.Mish(), sharing[1])], r"networks 0 and 1 share 1\.weight"),
        (
            [build(lambda: nn.Linear(3, 2)), build(lambda: nn.Linear(3, 4))],
            "network 1 has Linear.*out_features=4.* where network 0 has ",
        ),
        (
            [networks[0], networks[1].eval()],
            "network 1 has .*, evaluating where network 0 has .*, training",
        ),
        (
            [networks[0], copy.deepcopy(networks[0]).float()],
            "torch.float32 .* where network 0 has .*torch.float64",
        ),
        (
            [build(lambda: nn.Linear(3, 2)), build(lambda: nn.Linear(3, 2)).requires_grad_(False)],
            "frozen where network 0",
        ),
        (
            [build(Tied), untied],
            r"network 1 has two\.weight .* where network 0 has two\.weight tied to one\.weight",
        ),
        (
            [build(Odd), build(lambda: Odd(factor=2.0))],
            "network 1 has another factor than network 0",
        ),
        ([hooked], r"network 0 \(Linear\) has hooks"),
        ([noticed], "weight has a hook"),
        ([nn.Sequential(nn.Mish())], "there are no parameters"),
        ([build(lambda: nn.Sequential(nn.Linear(3, 2), Step()))], "step activation"),
    ):
        with pytest.raises(ArgumentError, match=text) as failure:
            VmappedEnsemble(others, cross_entropy())
        assert "\n" not in str(failure.value)
        assert vmap_refusal(others, cross_entropy(), X, Y) == str(failure.value)


def test_what_does_not_fit_is_refused_in_one_line(build: Any) -> None:
    together = VmappedEnsemble(small(build), cross_entropy())
    with pytest.raises(Error, match="call predict"):
        together.loss(Y)
    for x, own, text in (
        (X, True, r"\[6, 3\]; give a batch to each of 3 networks"),
        (X.float(), False, "use x.to"),
        (X[:, :2], False, r"fail on inputs \[6, 2\]|over 3 features"),
    ):
        with pytest.raises(ShapeError, match=text):
            together.predict(x, own=own)
    together.predict(X)
    with pytest.raises(Error, match=r"gradient\(\) needs a loss"):
        together.gradient()
    with pytest.raises(
        ShapeError, match=r"targets \[5\] against 3 networks' outputs for 6 samples; give \[6, …\]"
    ):
        together.loss(Y[:5])
    with pytest.raises(ShapeError, match=r"they must give \[networks, samples, outputs\]"):
        VmappedEnsemble(
            [build(lambda: nn.Sequential(nn.Linear(3, 2), nn.Flatten(0)))], mean_squared_error()
        ).predict(X)
