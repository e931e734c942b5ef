"""Watching a plain loop: what is seen is what PyTorch computed, nothing in the training changes,
and the budget holds.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.observe.budget import FIRST, GRACE, Schedule
from sevensteps.observe.capture import Capture
from sevensteps.observe.observation import LOSSES, Observed, pack, thin, unpack
from sevensteps.observe.watcher import Watcher


class Functions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x)))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.twice, self.out = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.out.weight = nn.Parameter(self.out.weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.twice(torch.tanh(self.twice(self.into(x))))))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.GRU(2, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.memory(x.view(-1, 3, 2))[0][:, -1])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "dense": lambda: nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3)),
    "in place": lambda: nn.Sequential(nn.Linear(6, 12), nn.ReLU(inplace=True), nn.Linear(12, 3)),
    "norm and dropout": lambda: nn.Sequential(
        nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3)
    ),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)),
        nn.Conv2d(1, 4, 2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ),
    "functions": Functions,
    "a layer twice": Tied,
    "recurrent": Recurrent,
    "one layer": lambda: nn.Linear(6, 3),
    "transformer": lambda: nn.Sequential(
        nn.Unflatten(1, (3, 2)),
        nn.Linear(2, 8),
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        nn.Flatten(),
        nn.Linear(24, 3),
    ),
}


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    """Layers draw their first weights from the global generator; the tests put it back."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def train(
    make: Callable[[], nn.Module],
    budget: float | None,
    steps: int = 12,
    two: bool = False,
    accumulate: int = 1,
    clear: bool = True,
) -> tuple[nn.Module, Watcher | None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make()
        x, y = torch.randn(64, 6), torch.randint(0, 3, (64,))
        parameters = list(model.parameters())
        optimizers = (
            [
                torch.optim.SGD(parameters[:1], lr=0.1, momentum=0.9),
                torch.optim.Adam(parameters[1:], lr=0.01),
            ]
            if two
            else [torch.optim.SGD(parameters, lr=0.1)]
        )
        watch = None if budget is None else ss.watch(model, optimizers, budget=budget)
        if watch is not None:
            watch.__enter__()
        for step in range(steps):
            loss = F.cross_entropy(model(x), y)
            if clear and step % accumulate == 0:
                for optimizer in optimizers:
                    optimizer.zero_grad()
            loss.backward()
            if (step + 1) % accumulate == 0:
                for optimizer in optimizers:
                    optimizer.step()
            if watch is not None:
                watch.step(loss, target=y)
        if watch is not None:
            watch.__exit__(None, None, None)
        return model, watch


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("budget", [0.02, 1.0])
def test_watching_leaves_no_trace(name: str, budget: float) -> None:
    alone, _ = train(NETWORKS[name], None)
    watched, watch = train(NETWORKS[name], budget)
    for (key, a), b in zip(alone.state_dict().items(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    assert watch is not None
    assert watch.observed.looks
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in watched.modules()
    )


@pytest.mark.parametrize(("two", "accumulate"), [(True, 1), (False, 4), (True, 3)])
def test_nor_with_several_optimizers_or_accumulation(two: bool, accumulate: int) -> None:
    alone, _ = train(NETWORKS["dense"], None, two=two, accumulate=accumulate)
    watched, watch = train(NETWORKS["dense"], 1.0, two=two, accumulate=accumulate)
    assert all(
        torch.equal(a, b) for a, b in zip(alone.parameters(), watched.parameters(), strict=True)
    )
    assert watch is not None
    assert [look.stepped for look in watch.observed.looks] == [
        (step + 1) % accumulate == 0 for step in range(12)
    ]
    assert len(watch.observed.facts.groups) == 1 + two


def test_what_is_seen_is_what_was_computed() -> None:
    model = NETWORKS["dense"]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(50, 6, generator=generator), torch.randint(0, 3, (50,), generator=generator)
    before = [p.detach().clone() for p in model.parameters()]
    hidden, active = model[0](x), model[:2](x)
    output = model(x)
    h, a, o = (t.detach().requires_grad_() for t in (hidden, active, output))
    wanted = [
        torch.autograd.grad(F.cross_entropy(model[1:](h), y), h)[0],
        torch.autograd.grad(F.cross_entropy(model[2](a), y), a)[0],
        torch.autograd.grad(F.cross_entropy(o, y), o)[0],
    ]
    with ss.watch(model, optimizer, budget=1.0) as watch:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        gradients = [p.grad.clone() for p in model.parameters()]  # type: ignore[union-attr]
        optimizer.step()
        watch.step(loss, target=y)
    look = watch.observed.looks[0]
    for name, value, slope in zip("012", (hidden, active, output), wanted, strict=True):
        signal = look.signals[name]
        assert torch.allclose(signal.mean, value.detach().mean(0), atol=1e-6)
        assert torch.allclose(signal.std, value.detach().std(0, correction=0), atol=1e-6)
        assert torch.equal(signal.firing, (value.detach() > 0).float().mean(0))
        assert (float(signal.low), float(signal.high)) == (
            float(value.detach().min()),
            float(value.detach().max()),
        )
        assert signal.gradient is not None
        assert torch.allclose(signal.gradient, slope.norm(dim=0), atol=1e-6)
    for name, old, gradient, new in zip(
        dict(model.named_parameters()), before, gradients, model.parameters(), strict=True
    ):
        change = look.changes[name]
        assert change.gradient is not None
        assert change.update is not None
        assert torch.allclose(change.weight, rows(new.detach()).norm(dim=1), atol=1e-6)
        assert torch.allclose(change.gradient, rows(gradient).norm(dim=1), atol=1e-6)
        assert torch.allclose(change.update, rows(new.detach() - old).norm(dim=1), atol=1e-6)
    assert look.lr == (0.5,)
    assert look.left == 0
    assert look.shapes == {"input": (50, 6), "output": (50, 3), "target": (50,)}
    assert look.output is not None
    assert torch.equal(look.output, output.detach())
    assert look.slope is not None
    assert torch.allclose(look.slope, wanted[2], atol=1e-7)


def rows(t: Tensor) -> Tensor:
    return t.flatten(1) if t.ndim > 1 else t[None]


def test_a_function_in_forward_is_seen_as_a_layer() -> None:
    _, watch = train(Functions, 1.0, steps=3)
    assert watch is not None
    layer = watch.observed.facts.layers["second.input"]
    assert (layer.role, layer.activation) == ("activation", "relu")
    assert float(watch.observed.looks[0].signals["second.input"].low) == 0


def test_what_was_not_cleared_is_seen_and_only_that() -> None:
    _, kept = train(NETWORKS["dense"], 1.0, clear=False)
    _, cleared = train(NETWORKS["dense"], 1.0)
    assert kept is not None
    assert cleared is not None
    assert all(look.left > 0 for look in kept.observed.looks[1:] if look.left is not None)
    assert [look.left for look in cleared.observed.looks] == [0] * 12


def test_equal_rows_are_counted() -> None:
    def make() -> nn.Module:
        model = NETWORKS["dense"]()
        nn.init.constant_(model[0].weight, 0.1)  # type: ignore[index, arg-type]
        nn.init.constant_(model[2].weight, 0.1)  # type: ignore[index, arg-type]
        nn.init.zeros_(model[0].bias)  # type: ignore[index, arg-type]
        return model

    _, watch = train(make, 1.0, steps=2)
    assert watch is not None
    assert watch.observed.looks[0].changes["0.weight"].distinct == 1


def test_the_first_loss_that_is_no_number_is_noted_in_every_step() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer, budget=0.001) as watch:
        for step in range(50):
            loss = model(torch.ones(4, 2)).mean() * (math.nan if step >= 37 else 1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=torch.zeros(4))
    assert watch.observed.notes["first_not_finite"] == 37


def test_evaluations_in_training_mode_are_counted_where_they_matter() -> None:
    for make, counted in ((NETWORKS["norm and dropout"], 3), (NETWORKS["dense"], None)):
        model = make()
        with ss.watch(model, []) as watch, torch.no_grad():
            for mode in (True, True, True, False):
                model.train(mode)(torch.ones(4, 6))
        assert watch.observed.notes.get("evaluations_training") == counted


def test_the_schedule_keeps_its_budget() -> None:
    schedule, now, looks = Schedule(0.02), 0.0, []
    for step in range(20_000):
        if schedule.due(step, now):
            looks.append(step)
            schedule.looked(step, 0.0005)
            schedule.spent += 0.0005
        now += 0.0004
    assert looks[:FIRST] == list(range(FIRST))
    assert schedule.spent <= 0.02 * now + GRACE
    assert schedule.spent >= 0.9 * 0.02 * now, "and uses it"
    assert not Schedule(0.0).due(0, 0.0)
    assert all(Schedule(1.0).due(step, 0.0) for step in range(3))


def test_a_look_survives_the_folder() -> None:
    _, watch = train(NETWORKS["convolution"], 1.0, steps=2)
    assert watch is not None
    look = watch.observed.looks[0]
    again = unpack(*pack(look))
    assert (again.step, again.lr, again.shapes, again.left) == (
        look.step,
        look.lr,
        look.shapes,
        look.left,
    )
    assert again.signals.keys() == look.signals.keys()
    assert all(
        torch.equal(again.signals[name].std, look.signals[name].std) for name in look.signals
    )
    assert all(
        torch.equal(again.changes[name].weight, look.changes[name].weight) for name in look.changes
    )


def test_long_trainings_are_thinned_out() -> None:
    _, watch = train(NETWORKS["one layer"], 1.0, steps=400)
    assert watch is not None
    steps = [look.step for look in watch.observed.looks]
    assert len(steps) <= 256
    assert steps == sorted(steps)
    assert steps[-1] == 399
    observed = Observed(watch.observed.facts)
    for step in range(3 * LOSSES):
        observed.loss(step, float(step))
    assert len(observed.losses) <= LOSSES
    assert all(step == value for step, value in observed.losses)
    thin(observed.looks)


def test_what_cannot_be_watched_is_said() -> None:
    with pytest.raises(ArgumentError, match=r"the network must be a torch\.nn\.Module, not a int"):
        ss.watch(3)
    with pytest.raises(
        ArgumentError,
        match=r"the optimizer must be a torch\.optim\.Optimizer or a list of them, not a str",
    ):
        ss.watch(nn.Linear(1, 1), ["sgd"])
    with pytest.raises(ArgumentError, match="budget must be"):
        ss.watch(nn.Linear(1, 1), budget=2.0)
    with pytest.raises(ArgumentError, match="belongs inside"):
        ss.watch(nn.Linear(1, 1)).step(1.0)
    with (
        ss.watch(nn.Linear(1, 1)) as watch,
        pytest.raises(ArgumentError, match=r"the loss has shape \[3\]"),
    ):
        watch.step(torch.ones(3))


def test_nothing_of_a_training_stays_in_memory() -> None:
    def loop() -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        x, y = torch.linspace(-1, 1, 40).view(10, 4), torch.arange(10) % 2
        with ss.watch(network, optimizer, budget=1.0) as watch:
            for _ in range(5):
                loss = F.cross_entropy(network(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        watch.diagnose(train=(x, y), loss_fn=F.cross_entropy)

    def kept() -> set[int]:
        gc.collect()
        return {id(held) for held in gc.get_objects() if type(held) is Capture}

    before = kept()  # of tests that hold a watch still
    loop()
    assert kept() <= before
