"""What is repeated, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.api.watch import Watch, case_of
from sevensteps.doctor.case_folder import load_case, save_case
from sevensteps.doctor.trace.search import Trace, by_operation, has_grown, trace_of

pytestmark = pytest.mark.draws


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


class Unit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.layer(unit(x))
        return answer


def watched(bad_step: int, budget: float = 0.02) -> tuple[Watch, Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(400, 4)
    x[10 * bad_step + 7] = 0
    y = (x[:, 0] > 0).long()
    model = Unit()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer, budget=budget) as watch:
        for rows in torch.arange(400).split(10):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    return watch, x, y


@pytest.mark.parametrize("bad_step", [0, 4, 29])
def test_the_sample_is_found_in_the_training_data(bad_step: int) -> None:
    watch, x, y = watched(bad_step)
    trace = trace_of(case_of(watch, train=(x, y)))
    assert trace is not None
    assert (trace.step, trace.sample, trace.affected) == (bad_step, 7, 1)
    assert trace.row == 10 * bad_step + 7
    assert trace.whose.startswith("sample 7 of the 10 of the batch of step")


def test_without_the_batch_the_data_are_repeated() -> None:
    watch, x, y = watched(29)
    case = case_of(watch, train=(x, y), loss_fn=F.cross_entropy)
    assert case.observation.replay is not None
    case.observation.replay.batches.clear()
    trace = trace_of(case)
    assert trace is not None
    assert (trace.step, trace.row) == (None, 297)
    assert by_operation(case)


def test_nothing_is_traced_where_nothing_is_kept() -> None:
    watch, _, _ = watched(29, budget=0)
    case = case_of(watch)
    assert trace_of(case) is None
    assert not by_operation(case)
    assert not has_grown(case)


def test_a_saved_case_has_its_trace(tmp_path: Path) -> None:
    watch, _, _ = watched(29)
    case = case_of(watch)
    save_case(case, tmp_path / "case")
    assert trace_of(load_case(tmp_path / "case")) == trace_of(case)


def test_a_place_is_said_once() -> None:
    trace = Trace("root", "sqrt", "", "", "", where="train.py:4", function="sqrt")
    assert trace.place == "sqrt at train.py:4"
    trace = Trace("log", "log", "", "", "", where="a.py:4", function="binary_loss")
    assert trace.place == "log in binary_loss at a.py:4"
    trace = Trace("division", "division", "", "", "", where="a.py:4", function="__truediv__")
    assert trace.place == "division at a.py:4"
    assert Trace("log", "log", "", "", "", layer="head").place == "log, in layer head"
