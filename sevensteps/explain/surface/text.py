"""What the loss surface says, on one screen."""

from __future__ import annotations

import math
from typing import Any

from sevensteps.engine.hessian import TOLERANCE
from sevensteps.explain.base import render_text
from sevensteps.explain.surface.answer import Surface
from sevensteps.render.text import count_text, number_text, wrap

SHOWN = (0, 1, 2, 5, 20, 50)  # steps of the forecast
TERMS = 6  # parameters that are named
APART = 1.02  # ratio from which two losses are called different


@render_text.register(Surface)
def render_surface(found: Surface, width: int) -> str:
    """The screen."""
    lines = [*_curvature(found, width), *_rates(found, width)]
    if found.optimum is not None:
        lines += ["", *_optimum(found, width)]
    if found.race:
        lines += ["", *_race(found, width)]
    lines += ["", *_forecast(found, width)]
    if found.plane is not None:
        lines += ["", *_plane(found, width)]
    return "\n".join(lines)


def big(value: float) -> str:
    """56,499 and 0.2586: in four digits, or whole where there are more."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:,.4g}"


def _curvature(found: Surface, width: int) -> list[str]:
    which = (
        f"all {found.total:,}"
        if found.samples == found.total
        else f"{found.samples:,} of the {found.total:,}"
    )
    how = "all of its Hessian" if found.exact else "Lanczos on Hessian-vector products, float64"
    lines = wrap(
        f"The loss at the last weights is {number_text(found.loss)} over {which} training samples; its "
        "gradient is "
        f"{number_text(found.gradient)} long. Curvature by {how}, "
        f"{count_text(found.parameters, 'parameter')}:",
        width,
        further="",
    )
    values = found.eigenvalues
    between = [big(value) for value in values[1:-1]][:4]
    more = len(values) - 2 - len(between)
    began = "" if found.at_start is None else f"; at the start {big(found.at_start)}"
    lines.append(f"  steepest direction  λ {big(values[0])}{began}")
    if between:
        lines.append(
            f"  then                λ {', '.join(between)}"
            + (f" and {more:,} more" if more > 0 else "")
        )
    if len(values) > 1:
        near = (
            ""
            if found.exact or abs(values[-1]) > TOLERANCE * values[0]
            else " (0 as far as Lanczos can tell)"
        )
        lines.append(
            f"  {'flattest direction' if values[-1] >= 0 else 'the lowest of all '}  λ "
            f"{big(values[-1])}{near}"
        )
    lines += wrap(_condition(found), width, "  ")
    return lines


def _condition(found: Surface) -> str:
    if not found.eigenvalues[0] > 0:
        return "no condition number: no direction curves upwards"
    if found.condition is not None:
        rest = (
            f" (and {count_text(found.flat, 'direction')} without curvature)"
            if found.flat and found.exact
            else ""
        )
        return f"condition number {big(found.condition)}: how many times as curved as the flattest{rest}"
    if found.eigenvalues[-1] < -TOLERANCE * abs(found.eigenvalues[0]):
        return "no condition number: in at least one direction the loss curves downwards, so the end is no minimum"
    if len(found.positive) == 1 and found.exact:
        return "no condition number: only one direction is curved"
    return "no condition number: there are directions without curvature, along which nothing is lost or won"


def _rates(found: Surface, width: int) -> list[str]:
    if not math.isfinite(found.stable):
        return wrap(
            "No direction curves upwards, so no learning rate is too large by curvature alone.",
            width,
            further="",
        )
    text = f"Largest stable learning rate of plain SGD: 2/λ_max = {found.stable:.3g}. The step was {found.step}"
    if found.lr is None:
        text += ", which scales each parameter by itself and is not bound by it."
    else:
        text += (
            ": below it."
            if found.lr < found.stable
            else ": above it, so it bounces in the steepest direction."
        )
    if found.slowest is not None:
        made = f"{count_text(found.taken, 'step')} {'was' if found.taken == 1 else 'were'} made"
        text += (
            f" Along the flattest direction plain SGD at lr {found.lr or found.rate:.3g} takes "
            "1/(lr λ_min) = "
            f"{big(float(number_text(found.slowest)))} steps per factor e; {made}."
        )
    return wrap(text, width, further="")


def _optimum(found: Surface, width: int) -> list[str]:
    best = found.optimum
    assert best is not None
    lines = wrap(
        "The model is linear in its parameters, so least squares knows the optimum: loss "
        f"{number_text(best.loss)}; the training "
        f"stands at {number_text(best.here)}, its parameters {number_text(best.distance)} away.",
        width,
        further="",
    )
    rows = [("optimum", best.parameters), ("training", best.own)]
    if best.noiseless is not None:
        rows.append(("without noise", best.noiseless))
    if len(best.terms) == len(best.parameters):  # one output
        for name, values in rows:
            shown = " + ".join(
                f"{value:.6g}" + ("" if term == "1" else f" {term}")
                for value, term in list(zip(values, best.terms, strict=True))[:TERMS]
            )
            rest = len(values) - TERMS
            lines += wrap(
                f"{name:<14} {shown}".replace("+ -", "- ")
                + (f" and {rest:,} more" if rest > 0 else ""),
                width,
                "  ",
            )
    return lines


def _race(found: Surface, width: int) -> list[str]:
    assert found.optimum is not None
    lines = [f"Raced for {found.race[0].steps} full-batch steps, each at its own lr = 1/λ_max:"]
    lines.append(f"  {'inputs':<14}{'condition number':>17}{'lr':>11}{'loss':>20}  way left")
    for lane in found.race:
        left = max(
            (lane.loss - found.optimum.loss) / max(lane.start - found.optimum.loss, 1e-300), 0.0
        )
        fell = f"{number_text(lane.start)} to {number_text(lane.loss)}"
        lines.append(
            f"  {lane.inputs:<14}{big(lane.condition):>17}{lane.lr:>11.3g}{fell:>20}  {left:.2g}"
        )
    before, after = found.race[0], found.race[1]
    better = after.condition < before.condition / 2
    lines.append(
        "  the cause is the conditioning: the model is the same, only its inputs are not"
        if better
        else "  standardising changes nothing here: some inputs go with each other"
    )
    return lines


def _forecast(found: Surface, width: int) -> list[str]:
    steps = [step for step in SHOWN if step < len(found.predicted)]
    lines = wrap(
        f"Does the quadratic here tell the next {steps[-1]} full-batch steps at lr "
        f"{found.rate:.3g}?",
        width,
    )
    rows: dict[str, list[Any]] = {
        "step": steps,
        **{name: [getattr(found, name)[s] for s in steps] for name in ("predicted", "measured")},
    }
    for name, values in rows.items():
        lines.append(f"  {name:<10}" + "".join(f"{value:>11.4g}" for value in values))
    last = next(
        (step for step in steps[1:] if not _close(found.predicted[step], found.measured[step])),
        None,
    )
    lines.append(
        "  yes: the loss is as quadratic as it looks"
        if last is None
        else f"  no longer at step {last}: the surface bends away from its quadratic"
    )
    return lines


def _close(one: float, other: float) -> bool:
    return one == other or 1 / APART < (one / other if other else 1.0) < APART


def _plane(found: Surface, width: int) -> list[str]:
    plane = found.plane
    assert plane is not None
    beside = [
        f"→ {plane.names[0]}",
        f"↑ {plane.names[1]}",
        f"→ {plane.across[0]:.3g} to {plane.across[-1]:.3g}, "
        f"↑ {plane.up[0]:.3g} to {plane.up[-1]:.3g}",
        f"o start, x end{', * optimum' if plane.optimum else ''}",
        f"loss from {number_text(min(map(min, plane.losses)))} (blank) to "
        f"{number_text(max(map(max, plane.losses)))} (█)",
    ]
    beside.append(
        "the path is that of the training, made again"
        if plane.again
        else "only start and end: training again would take too long"
        if plane.path
        else "the path is not known: no start at hand"
    )
    if plane.share is not None:
        beside.append(f"{plane.share:.1%} of the way (squared) lies in this slice")
    if plane.samples < found.samples:
        beside.append(f"over {plane.samples:,} samples")
    rows = plane.blocks()
    column = [line for text in beside for line in wrap(text, width - len(rows[0]) - 4)]
    column += [""] * (len(rows) - len(column))
    return [f" {row}  {text}".rstrip() for row, text in zip(rows, column, strict=False)]
