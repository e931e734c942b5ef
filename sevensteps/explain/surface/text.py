"""The loss surface as one screen of text."""

from __future__ import annotations

import math
from typing import Any

from sevensteps.engine.hessian import TOLERANCE
from sevensteps.explain.base import render_text
from sevensteps.explain.surface.answer import Surface
from sevensteps.explain.surface.least_squares import LeastSquaresOptimum
from sevensteps.render.text import count_text, number_text, wrap

FORECAST_SHOWN = (0, 1, 2, 5, 20, 50)  # steps
MAX_TERMS = 6  # parameters that are named
DIFFERENT = 1.02  # ratio from which two losses are called different


@render_text.register(Surface)
def render_surface(surface: Surface, width: int) -> str:
    """Curvature, stable learning rates, the forecast and the slice."""
    lines = [*_curvature(surface, width), *_rates(surface, width)]
    if surface.optimum is not None:
        lines += ["", *_optimum(surface, width)]
    if surface.race:
        lines += ["", *_race(surface, width)]
    lines += ["", *_forecast(surface, width)]
    if surface.plane is not None:
        lines += ["", *_slice(surface, width)]
    return "\n".join(lines)


def long_number(value: float) -> str:
    """A number in four digits, or whole where it has more: 0.2586 and 56,499."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:,.4g}"


def _curvature(surface: Surface, width: int) -> list[str]:
    samples = (
        f"all {surface.total:,}"
        if surface.samples == surface.total
        else f"{surface.samples:,} of the {surface.total:,}"
    )
    method = "the whole Hessian" if surface.exact else "Lanczos on Hessian-vector products, float64"
    lines = wrap(
        f"At the last weights, over {samples} training samples, the loss is "
        f"{number_text(surface.loss)} and the length of its gradient "
        f"{number_text(surface.gradient)}. Curvature by {method}, "
        f"{count_text(surface.parameters, 'parameter')}:",
        width,
        further="",
    )
    values = surface.eigenvalues
    between = [long_number(value) for value in values[1:-1]][:4]
    more = len(values) - 2 - len(between)
    start = "" if surface.at_start is None else f"; at the start {long_number(surface.at_start)}"
    lines.append(f"  steepest direction  λ {long_number(values[0])}{start}")
    if between:
        rest = f" and {more:,} more" if more > 0 else ""
        lines.append(f"  then                λ {', '.join(between)}{rest}")
    if len(values) > 1:
        is_zero = not surface.exact and abs(values[-1]) <= TOLERANCE * values[0]
        note = " (0, as far as Lanczos can tell)" if is_zero else ""
        label = "flattest direction" if values[-1] >= 0 else "lowest of all"
        lines.append(f"  {label:<18}  λ {long_number(values[-1])}{note}")
    lines += wrap(_condition(surface), width, "  ")
    return lines


def _condition(surface: Surface) -> str:
    if not surface.eigenvalues[0] > 0:
        return "no condition number: no direction curves upwards"
    if surface.condition is not None:
        rest = (
            f" (not counting {count_text(surface.flat, 'direction')} without curvature)"
            if surface.flat and surface.exact
            else ""
        )
        return (
            f"condition number {long_number(surface.condition)}: the steepest λ divided by the "
            f"flattest{rest}"
        )
    if surface.eigenvalues[-1] < -TOLERANCE * abs(surface.eigenvalues[0]):
        return (
            "no condition number: in at least one direction the loss curves downwards, so the end "
            "is no minimum"
        )
    if len(surface.positive) == 1 and surface.exact:
        return "no condition number: only one direction is curved"
    return (
        "no condition number: along some directions there is no curvature, and the loss hardly "
        "changes"
    )


def _rates(surface: Surface, width: int) -> list[str]:
    if not math.isfinite(surface.stable):
        return wrap(
            "No direction curves upwards, so the curvature sets no limit to the learning rate.",
            width,
            further="",
        )
    text = (
        f"Largest stable learning rate of plain SGD: 2/λ_max = {surface.stable:.3g}. The step was "
        f"{surface.step}"
    )
    if surface.lr is None:
        text += ", which scales each parameter separately, so this limit does not apply to it."
    elif surface.lr < surface.stable:
        text += ": below the limit."
    else:
        text += ": above the limit, so it overshoots in the steepest direction."
    if surface.slowest is not None:
        text += (
            f" Along the flattest direction plain SGD at lr {surface.lr or surface.rate:.3g} needs "
            f"1/(lr λ_min) = {long_number(float(number_text(surface.slowest)))} steps to come "
            f"nearer by a factor of e; the training took {count_text(surface.taken, 'step')}."
        )
    return wrap(text, width, further="")


def _optimum(surface: Surface, width: int) -> list[str]:
    optimum = surface.optimum
    assert optimum is not None
    lines = wrap(
        "The model is linear in its parameters, so least squares gives the optimum: its loss is "
        f"{number_text(optimum.loss)}. The training ended at {number_text(optimum.here)}, with "
        f"parameters {number_text(optimum.distance)} away from it.",
        width,
        further="",
    )
    rows = [("optimum", optimum.parameters), ("training", optimum.own)]
    if optimum.noiseless is not None:
        rows.append(("without noise", optimum.noiseless))
    if optimum.unscaled:
        lines.append("In the inputs and targets as they were before scaling:")
        lines += _curves(list(optimum.unscaled.items()), optimum.terms, width)
        lines += _by_letters(optimum, optimum.unscaled["optimum"], optimum.terms, width)
        where = f", {' and '.join(optimum.scales)}" if optimum.scales else ""
        lines += wrap(f"In the scaled ones, which the network gets{where}:", width)
    if len(optimum.terms) == len(optimum.parameters):  # one output
        terms = optimum.scaled_terms if optimum.unscaled else optimum.terms
        lines += _curves(rows, terms, width)
        lines += _by_letters(optimum, optimum.parameters, terms, width)
    return lines


def _by_letters(
    optimum: LeastSquaresOptimum, values: tuple[float, ...], terms: tuple[str, ...], width: int
) -> list[str]:
    """The parameters of a curve as books name them: `a = 0.769, b = -14.5, c = 68.1`."""
    if not optimum.letters:
        return []
    size = max(map(abs, values))
    curve = " + ".join(
        letter if term == "1" else f"{letter} {term}"
        for letter, term in zip(optimum.letters, terms, strict=True)
    )
    named = ", ".join(
        f"{letter} = {0.0 if abs(value) < 1e-9 * size else value:.6g}"
        for letter, value in zip(optimum.letters, values, strict=True)
    )
    return wrap(f"as {curve}, the optimum has {named}", width, "  ")


def _curves(
    rows: list[tuple[str, tuple[float, ...]]], terms: tuple[str, ...], width: int
) -> list[str]:
    """Each row as a sum: `optimum  0.75 t² - 14.25 t + 68.69`."""
    lines: list[str] = []
    for name, values in rows:
        size = max(map(abs, values), default=0.0)
        formula = " + ".join(
            f"{0.0 if abs(value) < 1e-9 * size else value:.6g}"
            + ("" if term == "1" else f" {term}")
            for value, term in list(zip(values, terms, strict=True))[:MAX_TERMS]
        ).replace("+ -", "- ")
        more = len(values) - MAX_TERMS
        rest = f" and {more:,} more" if more > 0 else ""
        lines += wrap(f"{name:<14} {formula}{rest}", width, "  ")
    return lines


def _race(surface: Surface, width: int) -> list[str]:
    assert surface.optimum is not None
    lines = [
        f"{surface.race[0].steps} full-batch steps, each time at lr = 1/λ_max:",
        f"  {'inputs':<14}{'condition number':>17}{'lr':>11}{'loss':>20}  share left",
    ]
    for training in surface.race:
        to_fall = max(training.start - surface.optimum.loss, 1e-300)
        left = max((training.loss - surface.optimum.loss) / to_fall, 0.0)
        losses = f"{number_text(training.start)} to {number_text(training.loss)}"
        lines.append(
            f"  {training.inputs:<14}{long_number(training.condition):>17}{training.lr:>11.3g}"
            f"{losses:>20}  {left:.2g}"
        )
    raw, standardised = surface.race
    lines += wrap(
        "the cause is the conditioning: only the scale of the inputs differs"
        if standardised.condition < raw.condition / 2
        else "standardising changes little here: some inputs are correlated",
        width,
        "  ",
    )
    return lines


def _forecast(surface: Surface, width: int) -> list[str]:
    steps = [step for step in FORECAST_SHOWN if step < len(surface.predicted)]
    lines = wrap(
        f"Does the quadratic predict the next {steps[-1]} full-batch steps at lr "
        f"{surface.rate:.3g}?",
        width,
    )
    rows: dict[str, list[Any]] = {
        "step": steps,
        **{name: [getattr(surface, name)[s] for s in steps] for name in ("predicted", "measured")},
    }
    for name, values in rows.items():
        lines.append(f"  {name:<10}" + "".join(f"{value:>11.4g}" for value in values))
    first_wrong = next(
        (step for step in steps[1:] if not _close(surface.predicted[step], surface.measured[step])),
        None,
    )
    lines.append(
        "  yes: so far the loss is a quadratic"
        if first_wrong is None
        else f"  no longer at step {first_wrong}: the surface bends away from its quadratic"
    )
    return lines


def _close(one: float, other: float) -> bool:
    return one == other or 1 / DIFFERENT < (one / other if other else 1.0) < DIFFERENT


def _slice(surface: Surface, width: int) -> list[str]:
    plane = surface.plane
    assert plane is not None
    legend = [
        f"→ {plane.names[0]}",
        f"↑ {plane.names[1]}",
        f"→ {plane.across[0]:.3g} to {plane.across[-1]:.3g}, "
        f"↑ {plane.up[0]:.3g} to {plane.up[-1]:.3g}",
        f"o start, x end{', * optimum' if plane.optimum else ''}",
        f"loss from {number_text(min(map(min, plane.losses)))} (blank) to "
        f"{number_text(max(map(max, plane.losses)))} (█)",
    ]
    legend.append(
        "· the path of the training, which was repeated for it"
        if plane.again
        else "only start and end: training again would take too long"
        if plane.path
        else "the path is not known: the training cannot be repeated"
    )
    if plane.share is not None:
        legend.append(f"{plane.share:.1%} of the squared distance lies in this slice")
    if plane.samples < surface.samples:
        legend.append(f"over {plane.samples:,} samples")
    rows = plane.blocks()
    column = [line for text in legend for line in wrap(text, width - len(rows[0]) - 4)]
    column += [""] * (len(rows) - len(column))
    return [f" {row}  {text}".rstrip() for row, text in zip(rows, column, strict=False)]
