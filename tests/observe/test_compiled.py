"""Of a training that is compiled in part, what can be seen is seen, nothing is compiled again, and
the rest is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.observe.compiled import TRIAL_STEPS, CompiledCode, compiled_codes
from tests.observe.kinds import forget_compiled

pytestmark = [
    pytest.mark.draws,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]

X, Y = torch.randn(8, 6, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
STEPS = 9  # of which the first five are looked at

Step = Callable[[Tensor, Tensor], Tensor]
Made = tuple[nn.Module, torch.optim.Optimizer, Step]


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    forget_compiled()
    yield
    forget_compiled()


def compiled(function: Any) -> Any:
    return torch.compile(function, backend="eager")


def plain() -> tuple[nn.Sequential, torch.optim.Optimizer]:
    network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    return network, torch.optim.SGD(network.parameters(), 0.1)


def compiled_network() -> Made:
    network, optimizer = plain()
    called = compiled(network)
    return called, optimizer, lambda x, y: F.cross_entropy(called(x), y)


def compiled_part() -> Made:
    network, optimizer = plain()
    network[0] = compiled(network[0])
    return network, optimizer, lambda x, y: F.cross_entropy(network(x), y)


def compiled_loss() -> Made:
    network, optimizer = plain()

    @compiled
    def scaled_loss(output: Tensor, y: Tensor) -> Tensor:
        return 2 * F.cross_entropy(output, y)

    return network, optimizer, lambda x, y: scaled_loss(network(x), y)


def compiled_step() -> Made:
    network, optimizer = plain()

    @compiled
    def forward_and_loss(x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(network(x), y)

    return network, optimizer, forward_and_loss


def compiled_loss_module() -> Made:
    network, optimizer = plain()
    loss = compiled(nn.CrossEntropyLoss())
    return network, optimizer, lambda x, y: loss(network(x), y)


def compiled_and_never_called() -> Made:
    network, optimizer = plain()
    network.helper = compiled(lambda x: x * 2)
    return network, optimizer, lambda x, y: F.cross_entropy(network(x), y)


def called_before() -> Made:
    network, optimizer = plain()
    network.prepare = compiled(lambda x: x * 2)
    network.prepare(X)
    return network, optimizer, lambda x, y: F.cross_entropy(network(x), y)


class Signs(torch.optim.Optimizer):
    def __init__(self, network: nn.Module) -> None:
        super().__init__(network.parameters(), {"lr": 0.01})
        self.sign = compiled(lambda g: g.sign())

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * self.sign(p.grad)


def in_the_optimizer() -> Made:
    network, _ = plain()
    return network, Signs(network), lambda x, y: F.cross_entropy(network(x), y)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_the_compiled_step_of_an_optimizer_is_left_alone() -> None:
    def make() -> Made:
        network, optimizer = plain()
        optimizer.step = compiled(optimizer.step)  # type: ignore[method-assign]
        return network, optimizer, lambda x, y: F.cross_entropy(network(x), y)

    alone, compilations, _ = trained(make, watched=False)
    watched, compilations_watched, watch = trained(make, watched=True)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    assert compilations_watched == compilations
    assert len(watch.observation.losses) == STEPS
    sentence = watch.observation.notes["not_seen"][-1]
    assert sentence.startswith("what the optimizer changes, inputs")
    assert "(an optimizer's step)" in sentence


def trained(make: Callable[[], Made], watched: bool) -> tuple[list[Tensor], dict[str, Any], Any]:
    from torch._dynamo.utils import counters

    forget_compiled()
    counters.clear()
    torch.manual_seed(0)
    network, optimizer, step = make()
    watch = ss.watch(network, optimizer)
    if watched:
        watch.start()
    for number in range(STEPS):
        loss = step(X + number, Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if watched:
            watch.step(loss, target=Y)
    watch.stop()
    compilations = {name: dict(counters[name]) for name in ("frames", "stats", "recompiles")}
    assert watch.failure is None
    return [p.detach().clone() for p in network.parameters()], compilations, watch


@pytest.mark.parametrize(
    ("make", "seen", "unseen"),
    [
        (compiled_network, "outputs and calls", "inside of what torch.compile compiled"),
        (compiled_part, "outputs and calls", "inside of what torch.compile compiled (Linear)"),
        (compiled_loss, "", "(scaled_loss in test_compiled.py)"),
        (compiled_step, "", "(forward_and_loss in test_compiled.py)"),
        (compiled_loss_module, "", "(CrossEntropyLoss)"),
        (compiled_and_never_called, "all later", "in the first steps"),
        (called_before, "all later", "in the first steps"),
        (in_the_optimizer, "all later", "in the first steps"),
    ],
)
def test_nothing_is_compiled_again_and_what_is_not_seen_is_said(
    make: Callable[[], Made], seen: str, unseen: str
) -> None:
    alone, compilations, _ = trained(make, watched=False)
    watched, compilations_watched, watch = trained(make, watched=True)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    assert compilations_watched == compilations
    looks = watch.observation.looks
    assert len(looks) >= 5
    assert all(look.changes for look in looks)
    clear = [look.output is not None and bool(look.calls) for look in looks]
    if seen == "all later":
        assert clear == [step >= TRIAL_STEPS for step in range(len(looks))]
        assert len(looks[-1].signals) == 3
    else:
        assert all(clear) == bool(seen)
        assert any(clear) == bool(seen)
    assert any(unseen in sentence for sentence in watch.observation.notes["not_seen"])


def test_what_is_compiled_after_a_look_is_reckoned_with_at_once() -> None:
    code = CompiledCode()
    code.look_around({})
    assert not code.blind
    function = compiled(lambda x: x + 1)
    assert code.blind
    assert len(compiled_codes()) == 1
    for _ in range(TRIAL_STEPS):
        code.look_around({})
        code.look_away()
        assert code.blind
    code.look_around({})
    assert not code.blind
    assert code.why == ""
    function(X)
    code.look_away()
    assert code.blind
    assert "<lambda> in test_compiled.py" in code.why


def test_pytorchs_own_function_stands_where_it_stood() -> None:
    frames: Any = torch._dynamo.eval_frame
    entry, function = frames._callback_from_stance, compiled(lambda x: x + 1)
    first, second = CompiledCode(), CompiledCode()
    first.look_around({})
    second.look_around({})
    function(X)
    second.look_away()
    first.look_away()
    assert frames._callback_from_stance is entry
    assert first.functions
    assert second.blind  # it could not listen
