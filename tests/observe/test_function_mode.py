"""A mode that listens lies beside others, and calls seem to come from where they came from."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from sevensteps.observe.calls import CallRecorder
from sevensteps.observe.function_mode import stack_height
from tests.observe.recorded_step import X

pytestmark = pytest.mark.draws


def test_other_modes_and_devices_come_and_go_around_it() -> None:
    class Other(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return func(*args, **(kwargs or {}))

    recorder = CallRecorder()
    recorder.arm()
    with torch.device("cpu"), Other() as entered_before:
        recorder.begin()
        assert stack_height() == 3
        with Other(), torch.device("cpu"):
            recorder.optimizer_steps(None)
            assert stack_height() == 4
        assert torch._C._get_function_stack_at(1) is entered_before
    recorder.disarm()
    assert stack_height() == 0
    recorder.arm()
    torch.set_default_device("cpu")
    try:
        recorder.begin()
        assert torch._C._get_function_stack_at(1) is recorder.mode
    finally:
        torch.set_default_device(None)
    assert stack_height() == 1
    recorder.disarm()
    recorder.arm()
    with torch.device("cpu"):
        recorder.begin()
    assert stack_height() == 1
    recorder.disarm()
    recorder.arm()
    with Other():
        recorder.begin()
    assert stack_height() == 1  # the block took its own mode away, not this one
    with torch.device("cpu"):
        recorder.disarm()
    assert stack_height() == 0


def test_a_user_sees_warnings_where_they_came_from() -> None:
    def places(watched: bool) -> list[tuple[str, int, str]]:
        recorder = CallRecorder()
        recorder.arm()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            for _ in range(2):
                if watched:
                    recorder.begin()
                output = nn.Linear(6, 1)(X)
                F.mse_loss(output, torch.rand(8))
                nn.L1Loss()(output, torch.rand(8))
                F.softmax(output)
                nn.Softmax()(output)
        recorder.disarm()
        return [(w.filename, w.lineno, str(w.message)) for w in caught]

    assert places(True) == places(False)
