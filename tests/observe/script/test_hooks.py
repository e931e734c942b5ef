"""The hooks with a real watcher: the same bits, the same tracebacks, and nothing left behind."""

from __future__ import annotations

import threading
import traceback
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from sevensteps.observe.any_loop_watcher import AnyLoopWatcher
from sevensteps.observe.script.hooks import ScriptHooks
from sevensteps.observe.script.process import without_own_frames

pytestmark = pytest.mark.draws


def train() -> list[torch.Tensor]:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 4))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    x, y = torch.randn(40, 3), torch.randint(4, (40,))
    for _ in range(5):
        for rows in torch.randperm(40).split(8):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            F.cross_entropy(net(x), y)
        net.train()
    return [*net.parameters(), torch.random.get_rng_state()]


def hooks_with(budget: float) -> ScriptHooks:
    return ScriptHooks(lambda networks, optimizers: AnyLoopWatcher(networks, optimizers, budget))


@pytest.mark.parametrize("budget", [0.02, 1.0])
def test_the_training_is_the_same_to_the_last_bit(budget: float) -> None:
    unwatched = train()
    hooks = hooks_with(budget)
    hooks.install()
    try:
        watched = train()
        hooks.discovery.end()
    finally:
        hooks.remove()
    assert hooks.failure is None
    assert all(torch.equal(a, b) for a, b in zip(unwatched, watched, strict=True))
    watcher: Any = hooks.discovery.trainings[0].watcher
    assert watcher.failure is None
    assert watcher.observation.steps == 25
    assert len(watcher.observation.looks) >= (25 if budget == 1 else 3)
    assert watcher.observation.looks[0].target is not None


def test_an_error_in_backward_shows_no_frame_of_ours() -> None:
    hooks = hooks_with(0.02)
    hooks.install()
    try:
        with pytest.raises(RuntimeError) as raised:
            torch.ones(1).sum().backward()
    finally:
        hooks.remove()
    files = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert [file for file in files if "observe" in file and "script" not in file] == []
    assert not any(file.endswith(("hooks.py", "attributes.py")) for file in files[1:])


@pytest.mark.parametrize("part", ["layer", "loss"])
def test_an_error_in_a_step_that_is_looked_at_has_the_traceback_of_one_that_is_not(
    part: str,
) -> None:
    net = nn.Sequential(nn.Linear(3, 5), nn.Linear(6, 2)) if part == "layer" else nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def failure() -> Any:
        with pytest.raises((RuntimeError, ValueError)) as raised:
            F.cross_entropy(net(torch.ones(4, 3)), torch.zeros(3).long())
        return raised.value.__traceback__

    plain = traceback.format_tb(failure())
    hooks = hooks_with(1.0)
    hooks.install()
    try:
        hooks.discovery.optimizer_built(optimizer)
        watched = failure()
        hooks.discovery.end()
    finally:
        hooks.remove()
    assert hooks.discovery.trainings
    assert traceback.format_tb(watched) != plain
    assert traceback.format_tb(without_own_frames(watched)) == plain


def test_a_training_in_another_thread_is_seen_and_of_several_one() -> None:
    hooks = hooks_with(1.0)
    hooks.install()
    entered = threading.Barrier(3)

    def work() -> None:
        train()
        entered.wait(timeout=60)

    try:
        threads = [threading.Thread(target=work) for _ in range(3)]
        threads[0].start()
        while not hooks.discovery.trainings:  # the first is well on its way
            threads[0].join(0.01)
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join()
        hooks.discovery.end()
    finally:
        hooks.remove()
    assert hooks.failure is None
    assert [training.steps for training in hooks.discovery.trainings] == [25]


def test_a_failure_in_the_watch_ends_the_watch_and_not_the_script() -> None:
    def broken(networks: Any, optimizers: Any) -> AnyLoopWatcher:
        raise LookupError("a network such as nobody has seen")

    hooks = ScriptHooks(broken)
    original = nn.Module.__dict__["__call__"]
    unwatched = train()
    hooks.install()
    watched = train()
    assert all(torch.equal(a, b) for a, b in zip(unwatched, watched, strict=True))
    assert hooks.failure == "LookupError: a network such as nobody has seen"
    assert nn.Module.__dict__["__call__"] is original


def test_a_compiled_network_is_watched_from_outside() -> None:
    hooks = hooks_with(0.02)
    hooks.install()
    try:
        torch.manual_seed(0)
        net = torch.compile(nn.Linear(3, 1), backend="eager")
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)  # type: ignore[attr-defined]
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.ones(4, 3)).mean().backward()
            optimizer.step()
        hooks.discovery.end()
    finally:
        hooks.remove()
    assert hooks.failure is None
    assert hooks.discovery.trainings[0].steps == 3


class Layer(nn.Linear):
    """Has an optimizer of its own, and is never called."""

    def __init__(self) -> None:
        super().__init__(3, 3)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=0.1)

    def learn(self, x: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad()
        self.forward(x).pow(2).mean().backward()
        self.optimizer.step()
        return self.forward(x).detach()


@pytest.mark.parametrize("foreign", [False, True])
def test_networks_found_at_their_optimizers_step(foreign: bool) -> None:
    hooks = hooks_with(1.0)
    hooks.install()
    # a hook of the script's, which comes after ours
    handle = register_optimizer_step_post_hook(lambda *_: None) if foreign else None
    try:
        first, second = Layer(), Layer()
        for _ in range(6):
            second.learn(first.learn(torch.ones(2, 3)))
        hooks.discovery.end()
    finally:
        hooks.remove()
        if handle is not None:
            handle.remove()
    assert hooks.failure is None
    assert sum(training.steps for training in hooks.discovery.trainings) >= 5


@pytest.mark.parametrize("budget", [0.02, 1.0])
def test_inputs_and_targets_of_accumulated_batches_belong_together(budget: float) -> None:
    hooks = hooks_with(budget)
    hooks.install()
    x = torch.arange(640.0).reshape(320, 2)
    try:
        net = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-9)
        for step in range(40):
            for rows in torch.arange(320).split(8)[4 * step % 40 : 4 * step % 40 + 4]:
                F.mse_loss(net(x[rows]), x[rows].sum(1, keepdim=True)).backward()
            optimizer.step()
            optimizer.zero_grad()
        hooks.discovery.end()
    finally:
        hooks.remove()
    assert hooks.failure is None
    watcher: Any = hooks.discovery.trainings[0].watcher
    observation = watcher.observation
    assert observation.steps == 40
    assert torch.equal(observation.x.sum(1, keepdim=True), observation.y)
