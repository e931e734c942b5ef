"""One step against an oracle: the same recipe trained alone, its gradient by autograd, its
optimizer torch's own.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from rich.cells import cell_len

import sevensteps as ss
from sevensteps.explain.one_step.answer import Steps
from tests.explain.one_step.trainings import trained


def test_plain_descent_promises_lr_times_the_squared_gradient() -> None:
    run, _ = trained(step="sgd(lr=0.001)", precision="float64")
    steps = run.explain.steps()
    assert steps.foreseen == pytest.approx(0.001 * steps.gradient**2, rel=1e-9)
    # so short a step that the slope holds
    assert steps.fall == pytest.approx(steps.foreseen, rel=0.01)
    assert "lr · |gradient|²" in " ".join(str(steps).split())


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        ("diabetes", {}),
        ("speed", {"predict": "polynomial(2)", "step": "sgd(lr=1e-5)"}),
        ("circles", {"predict": "neuron()"}),
        ("digits", {"predict": "cnn(4)"}),
        ("digits", {"loss": "mean_squared_error()"}),
        ("digits37", {"loss": "hinge()"}),
        ("digits", {"predict": "mlp(6, 6, 6, 6, 6, 6, 6, 6, 6, batch_norm=True)"}),
        ("iris", {"precision": "bf16"}),
        ("xor", {"predict": "mlp(3)", "gradient": "finite_differences()"}),
    ],
)
@pytest.mark.sampled(3)
def test_every_kind_of_training_fits_a_screen(data: str, changes: dict[str, Any]) -> None:
    run, history = trained(data, **changes)
    steps: Steps = run.explain.steps()
    assert steps.loss == history.losses[0]
    lines = str(steps).splitlines()
    assert max(map(cell_len, lines)) <= 80  # columns of a terminal: the hat of m̂ takes none
    assert len(lines) <= 44
    heads = [line.split()[1] for line in lines if re.match(r"\d  \w", line)]
    assert heads == list(ss.steps.STEPS)


def test_a_rule_without_a_gradient_promises_nothing() -> None:
    rows = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    data = ss.data.from_arrays(rows.repeat(5, 1).numpy(), [0, 0, 0, 1] * 5)
    run, _ = trained(data, predict="neuron('step')")
    steps = run.explain.steps()
    assert steps.foreseen is None
    assert "promises no fall" in " ".join(str(steps).split())


@pytest.mark.parametrize("at", [-1, 46, 10**9])
@pytest.mark.sampled(1)
def test_a_step_that_was_not_taken_is_refused(at: int) -> None:
    run, _ = trained()
    with pytest.raises(ss.Error, match="46, counted from 0 to 45"):
        run.explain.steps(at)


def test_nothing_was_trained() -> None:
    run = ss.train("digits37", predict="pixel_similarity()", out=False, progress=False)
    with pytest.raises(ss.Error, match="took no step"):
        run.explain.steps()
