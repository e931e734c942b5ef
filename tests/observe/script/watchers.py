"""Scripts run in this process, and watchers that only write down what they are told."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe.script.discovery import Discovery
from sevensteps.observe.script.hooks import ScriptHooks


class WatcherLog:
    """Stands for a watcher: what it was told, in order."""

    def __init__(self, networks: Any, optimizers: Any, looking: bool = True) -> None:
        self.networks = networks if isinstance(networks, dict) else {"": (networks, optimizers)}
        self.steps: list[tuple[float, Any, dict[str, float]]] = []
        self.evaluations: list[tuple[float | None, float | None]] = []
        self.updates = self.compared = 0
        self.looking, self.quiet = looking, not looking
        self.started = False
        self.observation = SimpleNamespace(notes={})
        self.network = None  # whose samples would be compared with those of data sets

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.started = False

    def compared_target(self, loss: Tensor) -> Tensor | None:
        self.compared += 1
        return None

    def add_network(self, name: str, module: nn.Module, optimizers: Any) -> None:
        self.networks[name] = (module, optimizers)

    def replace_optimizers(self, name: str, optimizers: Any) -> None:
        self.networks[name] = (self.networks[name][0], optimizers)

    def before_update(self) -> None:
        self.updates += 1

    def step(self, loss: Tensor, target: Any = None, *, parts: Any = None) -> None:
        numbers = {name: float(part) for name, part in (parts or {}).items()}
        self.steps.append((loss.item(), target, numbers))

    def valid(self, loss: float | None, score: float | None) -> None:
        self.evaluations.append((loss, score))


def discover(script: Callable[[], Any]) -> Discovery:
    """Run `script` with the hooks installed; what was found."""
    hooks = ScriptHooks(WatcherLog)  # type: ignore[arg-type]
    before = (
        nn.Module.__dict__["__call__"],
        torch.Tensor.__dict__["backward"],
        torch.autograd.grad,
        torch.compile,
    )
    hooks.install()
    try:
        script()
        hooks.discovery.end()
    finally:
        hooks.remove()
    assert hooks.failure is None, hooks.failure
    assert before == (
        nn.Module.__dict__["__call__"],
        torch.Tensor.__dict__["backward"],
        torch.autograd.grad,
        torch.compile,
    )
    return hooks.discovery


def log_of(discovery: Discovery, number: int = 0) -> Any:
    """What the watcher of a training was told."""
    watcher = discovery.trainings[number].watcher
    assert isinstance(watcher, WatcherLog)
    return watcher
