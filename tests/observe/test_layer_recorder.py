"""What is captured of a step is what PyTorch computed, and nothing stays in memory."""

from __future__ import annotations

import gc

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.observe.layer_recorder import LayerRecorder
from tests.observe.loops import NETWORKS, Functions, train


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
    look = watch.observation.looks[0]
    for name, value, slope in zip("012", (hidden, active, output), wanted, strict=True):
        signal = look.signals[name]
        assert torch.allclose(signal.mean, value.detach().mean(0), atol=1e-6)
        assert torch.allclose(signal.std, value.detach().std(0, correction=0), atol=1e-6)
        torch.testing.assert_close(signal.firing, (value.detach() > 0).float().mean(0))
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
    assert look.leftover_gradient == 0
    assert look.shapes == {"input": (50, 6), "output": (50, 3), "target": (50,)}
    assert look.output is not None
    assert torch.equal(look.output, output.detach())
    assert look.output_gradient is not None
    assert torch.allclose(look.output_gradient, wanted[2], atol=1e-7)


def rows(t: Tensor) -> Tensor:
    return t.flatten(1) if t.ndim > 1 else t[None]


def test_a_function_in_forward_is_seen_as_a_layer() -> None:
    _, watch = train(Functions, 1.0, steps=3)
    assert watch is not None
    layer = watch.observation.facts.layers["second.input"]
    assert (layer.role, layer.activation) == ("activation", "relu")
    assert float(watch.observation.looks[0].signals["second.input"].low) == 0


def test_what_was_not_cleared_is_seen_and_only_that() -> None:
    _, uncleared = train(NETWORKS["dense"], 1.0, clear=False)
    _, cleared = train(NETWORKS["dense"], 1.0)
    assert uncleared is not None
    assert cleared is not None
    leftovers = [look.leftover_gradient for look in uncleared.observation.looks]
    assert leftovers[0] == 0
    assert all(leftover is not None and leftover > 0 for leftover in leftovers[1:])
    assert [look.leftover_gradient for look in cleared.observation.looks] == [0] * 12


def test_equal_rows_are_counted() -> None:
    def make() -> nn.Module:
        model = NETWORKS["dense"]()
        nn.init.constant_(model[0].weight, 0.1)  # type: ignore[index, arg-type]
        nn.init.constant_(model[2].weight, 0.1)  # type: ignore[index, arg-type]
        nn.init.zeros_(model[0].bias)  # type: ignore[index, arg-type]
        return model

    _, watch = train(make, 1.0, steps=2)
    assert watch is not None
    assert watch.observation.looks[0].changes["0.weight"].distinct == 1


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

    def captures() -> set[int]:
        gc.collect()
        return {id(thing) for thing in gc.get_objects() if type(thing) is LayerRecorder}

    before = captures()  # of tests that hold a watch still
    loop()
    assert captures() <= before


def test_of_several_networks_only_what_an_optimizer_changes_is_copied_at_its_step() -> None:
    networks = {name: nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 4)) for name in "GD"}
    optimizers = {n: torch.optim.SGD(m.parameters(), lr=0.1) for n, m in networks.items()}
    pairs = {name: (networks[name], optimizers[name]) for name in "GD"}
    with ss.watch(pairs, budget=1.0) as watch:
        for trained in ("D", "GD"):
            loss = networks["D"](networks["G"](torch.randn(6, 4))).square().mean()
            for optimizer in optimizers.values():
                optimizer.zero_grad()
            loss.backward()
            gradients = {n: m[0].weight.grad.norm(dim=1) for n, m in networks.items()}
            for name in trained:
                optimizers[name].step()
                for p in networks[name].parameters():
                    p.grad.mul_(0)  # type: ignore[union-attr]
            watch.step(loss)
    first, second = watch.observation.looks
    assert [first.networks[name].stepped for name in "GD"] == [False, True]
    assert [second.networks[name].stepped for name in "GD"] == [True, True]
    assert first.networks["G"].changes["0.weight"].update is None
    for name in "GD":
        change = second.networks[name].changes["0.weight"]
        assert change.update is not None
        assert change.gradient is not None
        assert torch.allclose(change.update, 0.1 * change.gradient, atol=1e-6)
        assert torch.allclose(change.gradient, gradients[name], atol=1e-6)
