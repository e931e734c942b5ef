"""Global hooks tell of the watched networks only, in order, and leave nothing behind."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as pytorch

from sevensteps.observe.step_hooks import StepHooks, in_backward
from sevensteps.observe.step_recorder import StepRecorder
from tests.observe.kinds import forget_compiled


class Diary(StepRecorder):
    """Writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.keywords: dict[str, Any] = {}

    def network_enters(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.told.append(f"{network} enters")
        self.keywords = kwargs

    def layer_enters(
        self, network: str, layer: str, module: nn.Module, args: tuple[Any, ...]
    ) -> None:
        self.told.append(f"{network}/{layer} enters")

    def layer_returns(
        self, network: str, layer: str, module: nn.Module, args: tuple[Any, ...], output: Any
    ) -> None:
        self.told.append(f"{network}/{layer} returns")

    def network_returns(self, network: str, module: nn.Module, output: Any) -> None:
        self.told.append(f"{network} returns")

    def network_evaluates(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.told.append(f"{network} evaluates")

    def optimizer_steps(
        self, optimizer: torch.optim.Optimizer | None, *, closure: bool = False
    ) -> None:
        self.told.append("steps with closure" if closure else "steps")

    def optimizer_stepped(self, optimizer: torch.optim.Optimizer | None) -> None:
        self.told.append("stepped")


class Keyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, *, x: Tensor) -> Tensor:
        return self.layer(x)


def test_what_happens_is_told_in_order() -> None:
    network, stranger = Keyword(), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    other = torch.optim.SGD(stranger.parameters(), lr=0.1)
    diary, x = Diary(), torch.ones(3, 2)
    with StepHooks({"net": network}, [optimizer], [diary]):
        loss = network(x=x).sum() + stranger(x).sum()
        loss.backward()
        optimizer.step()
        optimizer.step(lambda: loss)
        other.step()
        with torch.no_grad():
            network(x=x)
        copy.deepcopy(network)(x=x)  # is another network
    network(x=x)
    assert diary.told == [
        *("net enters", "net/layer enters", "net/layer returns", "net returns"),
        *("steps", "stepped", "steps with closure", "stepped", "net evaluates"),
    ]
    assert diary.keywords["x"] is x
    assert not pytorch._global_forward_hooks
    assert not pytorch._global_forward_pre_hooks


def test_another_thread_with_the_same_network_is_not_told_of() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    diary = Diary()

    def step() -> None:
        network(torch.ones(3, 2)).sum().backward()
        optimizer.step()

    with StepHooks({"net": network}, [optimizer], [diary]):
        step()
        own = list(diary.told)
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
        assert diary.told == own != []


def saved(network: nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.save(network, buffer)
    return buffer.getvalue()


def hooks_of(network: nn.Module) -> bytes:
    hooks = [
        {name: value for name, value in vars(module).items() if "hook" in name}
        for module in network.modules()
    ]
    return repr(hooks + [list(p._backward_hooks or ()) for p in network.parameters()]).encode()


@pytest.mark.parametrize(
    "written",
    [
        saved,
        pickle.dumps,
        lambda network: hooks_of(copy.deepcopy(network)),
        lambda network: pickle.dumps(network.state_dict()),
    ],
    ids=["torch.save", "pickle", "deepcopy", "state_dict"],
)
def test_nothing_is_put_on_what_is_watched(written: Callable[[nn.Module], bytes]) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    before = written(network), pickle.dumps(optimizer.state_dict())
    with StepHooks({"": network}, [optimizer], [Diary()]):
        assert (written(network), pickle.dumps(optimizer.state_dict())) == before


def test_a_failing_recorder_does_not_reach_the_network() -> None:
    class Broken(StepRecorder):
        def network_enters(self, *_: Any) -> None:
            raise KeyError("lost")

    network, failures = nn.Linear(2, 1), list[Exception]()
    with StepHooks({"": network}, [], [Broken()], failures.append):
        network(torch.ones(1, 2))
    assert [type(failure) for failure in failures] == [KeyError]


def test_a_forward_pass_within_a_backward_pass_is_known() -> None:
    seen: list[bool] = []
    x = torch.ones(2, requires_grad=True)
    y = 2 * x
    y.register_hook(lambda _: seen.append(in_backward()))
    y.sum().backward()
    assert seen == [True]
    assert not in_backward()


def test_functional_transforms_are_left_alone() -> None:
    network, diary = nn.Linear(2, 1), Diary()
    with StepHooks({"": network}, [], [diary]):
        torch.func.vmap(network)(torch.ones(3, 2))
    assert diary.told == []


@pytest.mark.draws
@pytest.mark.parametrize("part", [False, True])
def test_a_compiled_network_is_told_of_from_outside_without_hooks(part: bool) -> None:
    inner: Any = torch.compile(nn.Linear(2, 1), backend="eager")
    network: nn.Module = nn.Sequential(inner, nn.ReLU()) if part else inner
    diary = Diary()
    try:
        with StepHooks({"net": network}, [], [diary]) as hooks:
            assert not pytorch._has_any_global_hook()
            network(torch.ones(3, 2))
    finally:
        forget_compiled()
    layer = ["net/1 enters", "net/1 returns"] if part else []
    assert diary.told == ["net enters", *layer, "net returns"]
    assert "Linear" in hooks.not_seen
    assert "_compiled_call_impl" not in vars(network)
