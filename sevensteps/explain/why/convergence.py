"""Why a training does not converge: the curvatures of a least-squares fit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from sevensteps.data import source
from sevensteps.errors import Error
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.why.published import POINTS
from sevensteps.explain.why.question import Question, command_line, recipe_command
from sevensteps.render.text import number_text
from sevensteps.steps.loss import mean_squared_error
from sevensteps.steps.predict import linear, polynomial
from sevensteps.steps.step import sgd

ILL_CONDITIONED = 100  # a condition number above it makes plain gradient descent slow


def conditioning(run: RunNumbers) -> Iterator[Question]:
    """Why does it not converge? The curvatures of a least-squares fit, in float64."""
    subject = run.subject
    recipe = subject.recipe
    if (
        not isinstance(recipe.predict, polynomial | linear)
        or not isinstance(recipe.loss, mean_squared_error)
        or not run.linear_passes
        or run.train_inputs.shape[1:].numel() > 1000
        or subject.output.size != 1
    ):
        return
    x, y = (
        run.train_inputs.double().flatten(1),
        subject.part("train", torch.float64)[1][: len(run.train_inputs)],
    )
    degree = getattr(recipe.predict, "degree", 1)
    columns, curvature = _least_squares(x, degree)
    even = _least_squares((x - x.mean(0)) / x.std(0).clamp_min(1e-12), degree)[1]
    low, high = float(curvature[0]), float(curvature[-1])
    if low <= 0 or high / low < ILL_CONDITIONED:
        return
    best = float(
        (columns @ torch.linalg.lstsq(columns, y, driver="gelsd").solution - y).square().mean()
    )
    loss, lr = subject.summary.metrics["train"]["loss"], recipe.step.lr
    answer = (
        f"It can converge, slowly: the lowest possible loss is {number_text(best)}, yours came to "
        f"{number_text(math.nan if loss is None else loss)}. The curvatures of its directions lie "
        f"between {number_text(low)} and {number_text(high)}, "
        f"a condition number of {high / low:,.0f}; with sgd, rates above 2/{number_text(high)} = "
        f"{number_text(2 / high, 3)} diverge"
    )
    if isinstance(recipe.step, sgd) and isinstance(lr, float | int):
        answer += (
            f", and at lr {lr:g} the flattest direction needs {1 / (lr * low):,.0f} steps for a "
            "factor of e"
        )
    cured = float(even[-1] / even[0])
    if cured * 10 < high / low and (scaled := _standardized_source(recipe.source)):
        answer += f". With standardised inputs the condition number is {number_text(cured, 2)}."
        proof = command_line(
            "train",
            subject,
            scaled,
            "--predict",
            repr(recipe.predict),
            "--loss",
            repr(recipe.loss),
            "--repeat",
            "full_batch()",
            "--step",
            f"sgd(lr={float(1 / even[-1]):.1g})",
            "--stop",
            f"epochs({math.ceil(10 * cured)})",
        )
    else:
        answer += (
            ". Its inputs are correlated, which scaling does not change: take more steps, or an "
            "optimizer that scales each direction separately."
        )
        proof = recipe_command(
            "race", subject, "--step", repr(recipe.step), "--step", "adam(lr=0.01)", "--seeds", "3"
        )
    yield Question(
        "Why does it not converge?",
        answer,
        proof,
        "converge",
        101,
        {
            "curvatures": curvature.tolist(),
            "condition": high / low,
            "standardised": cured,
            "best": best,
            "loss": loss,
        },
        str(POINTS["speed"]),
    )


def _least_squares(x: Tensor, degree: int) -> tuple[Tensor, Tensor]:
    """Columns of a least-squares fit, highest power first and ones last, and the curvatures 2 XᵀX /
    N, ascending.
    """
    columns = (x[:, :, None] ** torch.arange(degree, 0, -1)).flatten(1)
    columns = torch.cat([columns, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    return columns, torch.linalg.eigvalsh(2 * columns.T @ columns / len(x))


def _standardized_source(text: str) -> str:
    """The same data with standardised inputs; "" where they cannot be asked for so."""
    try:
        standardized: str = dataclasses.replace(source(text), scale="standardize").text  # type: ignore[type-var]
    except (Error, TypeError):
        return ""
    return standardized
