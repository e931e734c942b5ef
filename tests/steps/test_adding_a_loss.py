"""A new loss is a class and its name in `__all__`; a row of the table gets it every common test."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import sevensteps as ss
from sevensteps.head import Output
from sevensteps.notation import value
from sevensteps.steps.loss import Loss, output_per_value
from sevensteps.task import Task
from tests.steps import test_catalog, test_loss
from tests.steps.additions import add, lines
from tests.steps.loss_table import LossRow, numbers


# What somebody writes who adds one: the class, in steps/loss.py, and the row, in loss_table.py.
@value
class log_cosh(Loss):
    """log cosh(o - t): squared near the target, absolute far from it, and smooth in between

    d/do = tanh(o - t); with several outputs, both are divided by their count.
    Source: Green 1990, Bayesian Reconstructions from Emission Tomography Data.
    """

    def output(self, task: Task) -> Output:
        return output_per_value(task, "log_cosh", "identity", 0.5, "read as it is")

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        distance = (output - target).abs()  # log cosh d = d + log(1 + e^(-2d)) - log 2
        return (distance + F.softplus(-2 * distance) - math.log(2)).mean(-1).clamp_min(0)

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).tanh() / output.shape[-1]

    def baseline(self, target: Tensor, size: int) -> float:
        return float(self.value(target.mean(0).expand_as(target), target).mean())


def row() -> LossRow:
    return LossRow(numbers("log_cosh"), {"log_cosh()": lambda o, t: (o - t).cosh().log().mean(1)})


KINDS = ["columns", "binary"]  # of task; all losses are tried on all in test_loss.py


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, "loss", log_cosh)
    monkeypatch.setitem(test_loss.OUTPUTS, "log_cosh", row().outputs)
    monkeypatch.setitem(test_loss.ORACLES, "log_cosh()", row().oracles["log_cosh()"])


def test_it_is_short() -> None:
    assert lines(log_cosh, row) < 40


def test_it_is_listed_and_spelled() -> None:
    assert ss.steps.parse("loss", "log_cosh()") == log_cosh()
    test_catalog.test_the_list_says_what_it_is_and_takes("loss", "log_cosh")
    test_catalog.test_an_example_reads_back("loss", "log_cosh()")
    test_catalog.test_an_example_cannot_be_changed("loss", "log_cosh()")


CONTRACT = [
    test
    for test in vars(test_loss).values()
    if inspect.isfunction(test)
    and test.__name__.startswith("test_")
    and list(inspect.signature(test).parameters)[:2] == ["loss", "kind"]
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("test", CONTRACT, ids=lambda test: test.__name__)
def test_it_keeps_the_contract(test: Any, kind: str) -> None:
    test(loss=log_cosh(), kind=kind)


def test_the_contract_is_whole() -> None:
    names = " ".join(test.__name__ for test in CONTRACT)
    for part in ("output_layer", "floor", "oracle", "autograd", "central", "best", "ignorant"):
        assert part in names


@pytest.mark.usefixtures("unchecked")
def test_shapes_that_would_be_stretched_are_refused() -> None:
    test_loss.test_any_shapes_give_one_number_per_sample_or_one_line(loss=log_cosh())


unchecked = test_loss.unchecked


def test_it_trains_alone_and_in_a_race() -> None:
    run = ss.train(
        "diabetes", loss="log_cosh()", predict="linear()", stop="epochs(20)", out=False, watch=0
    )
    assert repr(run.recipe.loss) == "log_cosh()"
    assert run.recipe.gradient == ss.chain_rule()
    assert run.summary["metrics"]["valid"]["r2"] > 0.3
    steps = ["sgd(lr=0.05)", "sgd(lr=0.1)"]
    race = ss.race(
        ss.grid("diabetes", loss="log_cosh()", step=steps, stop="epochs(2)"), out=False, watch=0
    )
    assert all(torch.isfinite(p).all() for run in race.runs for p in run.network.parameters())
