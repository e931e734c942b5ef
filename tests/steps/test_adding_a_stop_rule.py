"""A new stop rule is a class and its name in `__all__`; a row of examples gets it every test."""

from __future__ import annotations

import pytest

import sevensteps as ss
from sevensteps.arguments import number
from sevensteps.notation import value
from sevensteps.steps.stop import Progress, Stop, epochs
from tests.steps import test_catalog, test_stop
from tests.steps.additions import add, lines
from tests.steps.examples import EXAMPLES


# What somebody writes who adds one: the class, in steps/stop.py, and the row, in examples.py.
@value
class lr_below(Stop):
    """when the learning rate falls below `level`, as schedules let it

    Formula: lr < level, after any step.
    """

    level: float

    def __post_init__(self) -> None:
        number("level", self.level, above=0)

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        if progress.step == 0 or progress.lr >= self.level:
            return None
        return "lr_below", f"the learning rate {progress.lr:.3g} is below {self.level:g}"


def row() -> list[str]:
    return ["lr_below(0.01)", "epochs(5) | lr_below(0.001)"]


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, "stop", lr_below)
    monkeypatch.setitem(EXAMPLES["stop"], "lr_below", row())


def test_it_is_short() -> None:
    assert lines(lr_below, row) < 40


def test_it_is_listed_spelled_and_joined() -> None:
    assert ss.steps.parse("stop", "epochs(3) | lr_below(0.1)") == epochs(3) | lr_below(0.1)
    test_catalog.test_the_list_says_what_it_is_and_takes("stop", "lr_below")
    for text in row():
        test_catalog.test_an_example_reads_back("stop", text)
        test_catalog.test_an_example_cannot_be_changed("stop", text)


def test_it_keeps_the_contract() -> None:
    for task in test_stop.TASKS:
        test_stop.test_a_rule_fits_the_task_or_says_why_not(lr_below(0.01), task)
    test_stop.test_a_rule_is_silent_at_the_start_and_is_joined_with_any_other(lr_below(0.01))
    test_stop.test_every_rule_names_itself_when_it_fires()


def test_it_ends_a_training_and_says_why() -> None:
    run = ss.train(
        "iris",
        predict="linear()",
        step="sgd(lr=exponential(0.1, final=0.01))",
        stop="epochs(50) | lr_below(0.05)",
        out=False,
        watch=0,
    )
    stop = run.summary["stop"]
    assert stop["rule"] == "lr_below"
    assert stop["reason"].endswith("is below 0.05")
    assert 0 < run.summary["epochs"] < 50
