"""Calls of functions that interventions are asked of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from sevensteps.doctor.trials.script.base import UNCHANGED, Intervention
from sevensteps.doctor.trials.script.calls import CallMode
from sevensteps.observe.call_kinds import Noted


@dataclass
class Log(Intervention):
    step: ClassVar[str] = "loss"
    calls_functions: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.calls: list[tuple[str, str, list[str]]] = []

    def call(self, noted: Noted, function: Any, arguments: dict[str, Any], place: str) -> Any:
        self.calls.append((noted.name, place.partition(":")[0], sorted(arguments)))
        return torch.zeros(1) if noted.name == "sigmoid" else UNCHANGED


def test_functions_are_told_by_name_place_and_arguments() -> None:
    log = Log()
    x, twice = torch.ones(3), torch.full((3,), 2.0)
    with CallMode([log]):
        loss = F.mse_loss(x, target=twice)
        answer = x.sigmoid()
    assert loss == 1
    assert torch.equal(answer, torch.zeros(1))
    assert [(name, place) for name, place, _ in log.calls] == [
        ("mse_loss", "test_calls.py"),
        ("sigmoid", "test_calls.py"),
    ]
    assert {"input", "target"} <= set(log.calls[0][2])
