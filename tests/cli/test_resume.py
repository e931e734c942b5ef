"""`sevensteps resume`: what the screen says, what JSON says, and what cannot go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from tests.helpers.interrupts import InterruptAt

QUICK = ("--predict", "mlp(4)", "--step", "sgd(lr=0.1)")
Command = Callable[..., Any]


@pytest.fixture
def half(sevensteps: Command) -> None:
    """A run that was interrupted after step 4 of 9."""
    ss.train(
        "xor",
        predict="mlp(4)",
        step="sgd(lr=0.1)",
        stop="epochs(3)",
        out="half",
        observers=[InterruptAt(4)],
    )


@pytest.mark.usefixtures("half")
def test_the_screen_says_where_it_goes_on(sevensteps: Command) -> None:
    result = sevensteps("resume", "half")
    assert result.code == 0
    assert [line.split()[:2] for line in result.err.splitlines()] == [
        ["epoch", "2"],
        ["epoch", "3"],
    ]
    assert "Continuing after step 4, in epoch 2." in result.lines
    assert "Stopped by epochs: all 3 epochs are done. 9 steps in " in " ".join(result.out.split())
    assert "Problems before the first step" not in result.out
    sevensteps("train", "xor", *QUICK, "--stop", "epochs(3)", "--out", "whole")
    assert ss.load("half").metrics == ss.load("whole").metrics


@pytest.mark.usefixtures("half")
def test_json_is_that_of_train(sevensteps: Command) -> None:
    result = sevensteps("resume", "half", "--json")
    *rows, last = [json.loads(line) for line in result.lines]
    assert [row["epoch"] for row in rows] == [2, 3]
    assert last["stop"] == {"rule": "epochs", "reason": "all 3 epochs are done"}
    assert last == ss.load("half").summary


@pytest.mark.usefixtures("half")
def test_a_damaged_state_is_a_warning(sevensteps: Command) -> None:
    ss.resume("half", observers=[InterruptAt(5)])
    (Path("half") / "state.safetensors").write_bytes(b"")
    result = sevensteps("resume", "half")
    assert result.code == 0
    assert result.err.splitlines()[0] == (
        "sevensteps: the tensors of step 5 in half are damaged or gone; going on from step 4, "
        "which is "
        "whole"
    )


def test_what_cannot_go_on_is_one_line(sevensteps: Command) -> None:
    assert sevensteps("train", "xor", *QUICK, "--stop", "epochs(1)", "--out", "done").code == 0
    for arguments, message in (
        (
            ("done",),
            "done has finished: the one epoch is done; to go on, give a stop that is further away "
            "(--stop)",
        ),
        (
            ("done", "--stop", "epochs(1) | patience(3)"),
            "done has finished, after 1 epoch; epochs(1) counts from the start, so give more, as "
            'in: --stop "epochs(2)"',
        ),
        (("nothing",), "there is no run nothing; make one with: sevensteps train digits"),
        (("done", "--stop", "epohcs(3)"), "stop has no 'epohcs'; did you mean 'epochs'?"),
        (
            ("done", "--stop", "epochs(3)", "--save-every", "0"),
            "save_every must be above 0, not 0.0",
        ),
    ):
        result = sevensteps("resume", *arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert result.err.startswith(f"sevensteps: {message}")
        assert len(result.err.splitlines()) == 1


def test_a_run_that_was_interrupted_says_how_to_go_on(
    sevensteps: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sevensteps.cli import training_output as module

    monkeypatch.setattr(module.PlanPrinter, "stepped", InterruptAt(4).stepped, raising=True)
    monkeypatch.setattr(module.PlanPrinter, "step", 4, raising=False)
    result = sevensteps("train", "xor", *QUICK, "--stop", "epochs(3)", "--out", "half")
    assert result.code == 130
    assert "  sevensteps resume half" in result.lines
