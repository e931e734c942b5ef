"""One step of a network, its calls recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.calls import CallRecorder
from sevensteps.observe.function_mode import stack_height
from sevensteps.observe.look import Look


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def record(
    model: nn.Module,
    x: Any,
    compute: Callable[[Any], Tensor],
    *,
    backward: bool = True,
    told: Tensor | float | None = None,
    full: bool = True,
    parts: Mapping[str, Tensor | float] | None = None,
    compiled: bool = False,
) -> Look:
    """One step of `model`, recorded: forward, the loss that `compute(output)` gives, backward.

    `parts` are those of `watch.step`, and may be filled by `compute`.
    """
    recorder = CallRecorder()
    recorder.full = full
    recorder.part_gradients.names = {id(p): name for name, p in model.named_parameters()}
    if compiled:
        recorder.compiled.look_around({"": model})
    recorder.arm()
    try:
        recorder.network_enters("", model, (x,), {})
        output = model(x)
        recorder.network_returns("", model, output)
        loss = compute(output)
        if backward:
            loss.backward()
        recorder.optimizer_steps(None)
        recorder.part_gradients.parts = parts or {}
        look = Look(0, loss.item(), full=full)
        recorder.collect(look, loss if told is None else told, None)
    finally:
        recorder.disarm()
    assert stack_height() == 0
    return look


def of_kind(look: Look, kind: str) -> list[Call]:
    return [call for call in look.calls if call.kind == kind]


def only_term(look: Look) -> LossTerm:
    (term,) = look.loss_terms
    return term


X, Y = torch.linspace(-1, 1, 48).view(8, 6), torch.arange(8) % 3
ONE = torch.ones(8)
