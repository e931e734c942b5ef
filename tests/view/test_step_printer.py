"""The first steps of a training, printed: the loss, the parameters, and the gradient."""

from __future__ import annotations

import io
import re

import pytest
import torch

import sevensteps as ss
from sevensteps.view.step_printer import StepPrinter, vector_text


def printed(predict: str, steps: int = 3, **options: object) -> tuple[ss.Run, list[str]]:
    file = io.StringIO()
    run = ss.train(
        "speed",
        predict=predict,
        step="sgd(lr=1e-5)",
        repeat="full_batch()",
        precision="float64",
        stop="max_steps(5)",
        out=False,
        watch=0,
        observers=[StepPrinter(steps, file)],
    )
    return run, file.getvalue().splitlines()


def test_three_parameters_and_how_they_move() -> None:
    _, lines = printed("polynomial(2)")
    assert [line.split()[:2] for line in lines[::3]] == [["step", str(n)] for n in range(3)]
    numbers = [[float(n) for n in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", line)] for line in lines]
    for step in range(2):
        before, gradient, after = (
            numbers[3 * step + 1],
            numbers[3 * step + 2],
            numbers[3 * step + 4],
        )
        moved = [old - 1e-5 * slope for old, slope in zip(before, gradient, strict=True)]
        assert after == pytest.approx(moved, rel=1e-4, abs=1e-4)


def test_the_parameters_of_a_curve_have_the_letters_of_the_book() -> None:
    _, lines = printed("polynomial(2)", steps=1)
    assert re.findall(r"[abc](?= -?[\d.])", lines[1]) == ["a", "b", "c"]
    assert re.findall(r"[abc](?= -?[\d.])", lines[2]) == ["a", "b", "c"]
    _, lines = printed("mlp(1)", steps=1)
    assert lines[1].split()[1][:1] in "-0123456789"


def test_of_many_parameters_a_few() -> None:
    _, lines = printed("mlp(30)", steps=1)
    assert len(lines) == 3
    assert "91 numbers, norm " in lines[1]
    assert max(map(len, lines)) <= 80


def test_it_changes_nothing() -> None:
    run, _ = printed("polynomial(2)", steps=9)
    other, _ = printed("polynomial(2)", steps=0)
    assert all(
        torch.equal(a, b)
        for a, b in zip(run.network.parameters(), other.network.parameters(), strict=True)
    )


def test_a_vector_as_text() -> None:
    assert vector_text(torch.arange(5.0)) == "0, 1, 2, 3, 4"
    assert vector_text(torch.arange(6.0)) == "0, 1, 2, 3, … (6 numbers, norm 7.416)"
