"""Calls go through the mode unchanged, and the listener is told of those that it wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from sevensteps.observe.call_mode import CallMode
from sevensteps.observe.function_mode import Callers, insert_mode, remove_mode


class Listener:
    """Notes the names of the functions that it is told of."""

    def __init__(self) -> None:
        self.passive = False
        self.networks: list[str] = []
        self.callers = Callers()
        self.names: list[str] = []

    def run(
        self,
        noted: Any,
        function: Callable[..., Any],
        caller: Any,
        frame: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        self.names.append(function.__name__)
        return caller.run(function, args, kwargs)


def names_of(listener: Listener) -> list[str]:
    """What the listener is told of while a loss is computed."""
    mode, x = CallMode(listener), torch.linspace(-1, 1, 6).reshape(2, 3)
    insert_mode(mode)
    try:
        loss = F.mse_loss(torch.tanh(x), x)
    finally:
        remove_mode(mode)
    assert torch.equal(loss, F.mse_loss(torch.tanh(x), x))
    return listener.names


def test_the_listener_is_told_of_what_the_loop_calls() -> None:
    assert {"tanh", "mse_loss"} <= set(names_of(Listener()))


def test_a_passive_listener_is_told_of_nothing() -> None:
    listener = Listener()
    listener.passive = True
    assert names_of(listener) == []
