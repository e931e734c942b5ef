"""A recorder does nothing unless told to, and what its hooks raise is handed over."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.observe.look import Look
from sevensteps.observe.step_recorder import StepRecorder, has_foreign_hooks


def test_every_event_may_be_ignored() -> None:
    recorder, module, x = StepRecorder(), nn.Linear(1, 1), torch.ones(1, 1)
    recorder.arm()
    recorder.network_enters("", module, (x,), {})
    recorder.layer_enters("", "Linear", module, (x,))
    recorder.layer_returns("", "Linear", module, (x,), x)
    recorder.network_returns("", module, x)
    recorder.network_evaluates("", module, (x,), {})
    recorder.optimizer_steps(None)
    recorder.optimizer_stepped(None)
    look = Look(0, 1.0)
    recorder.collect(look, 1.0, None)
    recorder.disarm()
    assert look == Look(0, 1.0)


def test_what_a_hook_raises_is_handed_over() -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a hook went wrong")

    recorder = StepRecorder()
    with pytest.raises(RuntimeError, match="a hook went wrong"):
        recorder.guarded(broken)(1)
    failures: list[Exception] = []
    recorder.failed = failures.append
    recorder.guarded(broken)(1)
    assert [str(failure) for failure in failures] == ["a hook went wrong"]
    assert recorder.cost > 0


def test_hooks_of_recorders_are_told_from_those_of_others() -> None:
    parameter = nn.Parameter(torch.ones(2))
    assert not has_foreign_hooks(parameter)
    parameter.register_hook(StepRecorder().guarded(lambda _: None))
    assert not has_foreign_hooks(parameter)
    parameter.register_hook(lambda _: None)
    assert has_foreign_hooks(parameter)
