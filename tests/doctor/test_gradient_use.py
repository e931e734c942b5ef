"""What the optimizers used of the gradients is read off the accounts; conditions that read it are
silent where the account does not say it for certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.api.watch import case_of as case_of_watch
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import condition
from sevensteps.doctor.gradient_use import gradient_uses, spread
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation
from sevensteps.observe.step_account import GroupAccount, ParameterAccount, StepAccount

pytestmark = pytest.mark.draws
ROW = ParameterAccount(4, "float32", 0, 1, 1, 0, 0.0, 1.0, 1.0, True)


def case_of(
    rows: Sequence[Sequence[ParameterAccount]], notes: dict[str, Any] | None = None, **group: Any
) -> Case:
    """A case of one look for each of `rows`, whose parameters are called a, b, …"""
    looks = [
        Look(
            step,
            2.3,
            account=StepAccount(
                dict(zip("abcdef", parameters, strict=False)),
                (replace(GroupAccount(0, "SGD", 0.1), **group),),
            ),
        )
        for step, parameters in enumerate(rows)
    ]
    losses = [(step, 2.3) for step in range(64)]
    facts = network_facts(nn.Linear(2, 2))
    case = Case(Observation(facts, looks=looks, losses=losses, steps=64, notes=notes or {}))
    vars(case)["loss_is_error"] = True  # one that stays at 2.3
    return case


def name_of(name: str, case: Case) -> str | None:
    finding = condition(name).examine(case)
    return None if finding is None else finding.condition


def test_what_was_used_is_read_off_the_account() -> None:
    case = case_of([[replace(ROW, used=0.5), replace(ROW, used=1.0, gradient=2.0)]])
    (use,) = gradient_uses(case)
    assert use.untouched
    assert use.gradient == pytest.approx(5**0.5)
    assert use.used == pytest.approx(1.25**0.5)
    (edited,) = gradient_uses(case_of([[ROW, replace(ROW, used=0.5)]]))
    assert not edited.untouched
    assert not list(gradient_uses(case_of([[replace(ROW, passes=0)]])))
    assert spread([1.0, 3.0]) == 0.5


@pytest.mark.parametrize(
    ("rows", "accused"),
    [
        ([[ROW]] * 4, False),
        ([[ROW]] + [[replace(ROW, leftover=0.7)]] * 3, True),
        ([[ROW]] + [[ROW, replace(ROW, leftover=0.7)]] * 3, True),  # one of two
        ([[replace(ROW, leftover=None)]] * 4, False),  # not known
        ([[replace(ROW, leftover=0.001)]] * 4, False),
        # what is there between the steps, and cleared before each of them
        ([[ROW], [replace(ROW, leftover=0.9, stepped=False)]] * 4, False),
        # accumulated, and never cleared: no step was looked at
        ([[ROW]] + [[replace(ROW, leftover=0.9, stepped=False)]] * 3, True),
    ],
)
def test_gradient_not_cleared(rows: list[list[ParameterAccount]], accused: bool) -> None:
    finding = condition("gradient_not_cleared").examine(case_of(rows))
    assert (finding is not None) is accused
    if finding is not None and len(rows[-1]) == 2:
        assert finding.where == {"parameters": ["b"]}


DISCARDED = replace(ROW, discarded=1, stepped=False, used=None)


@pytest.mark.parametrize(
    ("rows", "notes", "accused"),
    [
        ([[DISCARDED]] * 3 + [[ROW]], {}, True),
        ([[replace(ROW, passes=4, discarded=3)]] * 3, {}, True),
        ([[DISCARDED]] * 2 + [[ROW]] * 2, {}, False),
        # put together by hand from the gradients that were cleared
        ([[replace(ROW, passes=4, discarded=3, used=7.0), ROW]] * 3, {}, False),
        # no step of the optimizer was looked at
        ([[DISCARDED]] * 2, {"updates": [4]}, True),
        ([[DISCARDED]] * 2, {"updates": [60]}, False),
        ([[DISCARDED]] * 2, {"updates": [0]}, False),
        ([[DISCARDED]] * 2, {}, False),
        # 64 reports and 4 updates, each of the one pass that was reported with it
        ([[replace(ROW, stepped=False, used=None)]] * 2 + [[ROW]] * 2, {"updates": [4]}, True),
        (
            [[replace(ROW, stepped=False, used=None)]] * 2 + [[replace(ROW, accumulated=16)]] * 2,
            {"updates": [4]},
            False,
        ),
        ([[replace(ROW, stepped=False, used=None)]] * 2 + [[ROW]] * 2, {"updates": [32]}, False),
    ],
)
def test_gradient_discarded(
    rows: list[list[ParameterAccount]], notes: dict[str, Any], accused: bool
) -> None:
    assert (name_of("gradient_discarded", case_of(rows, notes)) is not None) is accused


EMPTIED = replace(ROW, used=0.0)


@pytest.mark.parametrize(
    ("rows", "group", "accused"),
    [
        ([[EMPTIED]] * 3, {"steps": 1}, True),
        ([[replace(ROW, stepped=False, used=None)]] * 3, {"steps": 1}, True),
        ([[replace(ROW, stepped=False, used=None)]] * 3, {"steps": 0}, False),
        ([[EMPTIED, ROW]] * 3, {"steps": 1}, False),  # some are kept from moving, on purpose
        ([[EMPTIED]] * 2 + [[ROW]] * 3, {"steps": 1}, False),
        ([[replace(EMPTIED, gradient=0.0)]] * 3, {"steps": 1}, False),
    ],
)
def test_a_gradient_that_is_gone_when_the_optimizer_steps(
    rows: list[list[ParameterAccount]], group: dict[str, Any], accused: bool
) -> None:
    assert (name_of("gradient_discarded", case_of(rows, **group)) is not None) is accused


NORMS = (1.0, 3.0, 2.0, 5.0)


@pytest.mark.parametrize(
    ("rows", "group", "accused"),
    [
        ([[replace(ROW, gradient=n, used=1e-3)] for n in NORMS], {}, True),
        ([[replace(ROW, gradient=n, used=0.5)] for n in NORMS], {}, False),
        # divided by a number of one's own, always the same
        ([[replace(ROW, gradient=n, used=n / 1024)] for n in NORMS], {}, False),
        # multiplied by the scaler's factor, and divided by it again
        ([[replace(ROW, gradient=n, used=n / 1024)] for n in NORMS], {"scale": 1024.0}, False),
        (
            [[replace(ROW, gradient=1024 * n, used=1 / 1024)] for n in NORMS],
            {"scale": 1024.0},
            True,
        ),
        # Adam divides by the gradient's own size
        ([[replace(ROW, gradient=n, used=1e-3)] for n in NORMS], {"kind": "Adam"}, False),
        ([[replace(ROW, gradient=n, used=1e-9)] for n in NORMS], {"kind": "Adam"}, True),
    ],
)
def test_gradient_clipped_away(
    rows: list[list[ParameterAccount]], group: dict[str, Any], accused: bool
) -> None:
    assert (name_of("gradient_clipped_away", case_of(rows, **group)) is not None) is accused


ROUNDED = replace(ROW, dtype="bfloat16", weight=0.1, pushed=4, unmoved=4)


@pytest.mark.parametrize(
    ("row", "group", "accused"),
    [
        (ROUNDED, {}, True),
        (replace(ROUNDED, unmoved=2), {}, False),
        (ROUNDED, {"lr": 0.0}, False),
        (ROUNDED, {"lr": 1e-9}, False),  # too short for any numbers
        (replace(ROUNDED, dtype="float32"), {}, False),  # the rate's or the gradient's fault
        (replace(ROUNDED, dtype="float32", weight=1e5), {}, True),
        (replace(ROUNDED, pushed=0, unmoved=0), {}, False),
    ],
)
def test_updates_rounded_away(row: ParameterAccount, group: dict[str, Any], accused: bool) -> None:
    assert (name_of("updates_rounded_away", case_of([[row]] * 3, **group)) is not None) is accused


def test_a_loss_that_is_no_error_excuses_nothing_that_the_account_proves() -> None:
    clipped = [[replace(ROW, gradient=1024 * n, used=1 / 1024)] for n in NORMS]
    cases = {
        "gradient_discarded": case_of([[DISCARDED]] * 3 + [[ROW]]),
        "gradient_clipped_away": case_of(clipped, scale=1024.0),
        "updates_rounded_away": case_of([[ROUNDED]] * 3),
    }
    for case in cases.values():
        vars(case)["loss_is_error"] = False
    names = {name_of(name, case) for name, case in cases.items()}
    assert names == set(cases)


@pytest.mark.parametrize(
    ("kept", "accused"), [(None, False), (0.0, False), (1.0, True), (0.9, False)]
)
def test_a_loop_without_an_optimizer_has_used_what_changed_its_weights(
    kept: float | None, accused: bool
) -> None:
    """`kept` is the share of the gradient that the loop leaves in place; 0.9 is its momentum."""
    model, x = nn.Linear(4, 1), torch.randn(64, 4)
    with ss.watch(model) as watch:
        for step in range(12):
            rows = slice(5 * step, 5 * step + 4)
            loss = (model(x[rows]) - x[rows, :1]).square().mean()
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    assert p.grad is not None
                    p -= 0.01 * p.grad
                    if kept is None:
                        p.grad = None
                    else:
                        p.grad *= kept
            watch.step(loss)
    assert (name_of("gradient_not_cleared", case_of_watch(watch)) is not None) is accused
