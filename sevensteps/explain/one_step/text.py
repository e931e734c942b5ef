"""One training step, or several, as one screen of text."""

from __future__ import annotations

import math

from sevensteps.explain.base import render_text
from sevensteps.explain.one_step.answer import LayerChange, Steps
from sevensteps.explain.one_step.series import StepSeries
from sevensteps.render.text import count_text, number_text, wrap

MAX_LAYERS = 4  # rows of a table; of more layers the first and the last are shown
INDENT = "   "


@render_text.register(Steps)
def render_steps(steps: Steps, width: int) -> str:
    """All seven, then what came of them."""
    lines = [
        f"Step {steps.at:,} of {steps.count:,}, counted from 0: epoch {steps.epoch + 1}, lr "
        f"{steps.lr:g}"
    ]

    def add_heading(number: int, name: str) -> None:
        lines.extend(wrap(f"{number}  {name:<11}{steps.steps[name]}", width, further=INDENT))

    def add(text: str) -> None:
        lines.extend(wrap(text, width, INDENT, INDENT))

    add_heading(1, "initialize")
    for layer in visible_layers(steps.layers):
        add(
            _started(layer)
            if layer is not None
            else f"… {len(steps.layers) - MAX_LAYERS} more layers"
        )
    if any(_only_biases_are_zero(layer) for layer in steps.layers):
        add("biases of 0 do no harm: the weights differ, and so do the units")
    add_heading(2, "predict")
    add(
        "; ".join(
            f"{_row(prediction.row)} ({prediction.target}), {prediction.of}: "
            f"{number_text(prediction.before)}"
            for prediction in steps.guesses[:2]
        )
    )
    add_heading(3, "loss")
    add(
        f"mean of the {count_text(steps.size, 'sample')}: {number_text(steps.loss)}; a network "
        f"that knows nothing has {number_text(steps.ignorant)}"
    )
    add_heading(4, "gradient")
    clipped = "" if steps.clipped is None else f", clipped to {number_text(steps.clipped)}"
    add(
        f"length {number_text(steps.gradient)} over all parameters{clipped}; {steps.weight.name}: "
        f"{number_text(steps.weight.gradient, 9)}"
    )
    add_heading(5, "step")
    add(steps.weight.update.formula)
    for line in steps.weight.update.lines:
        add(line)
    add(
        f"{steps.weight.name} was {exact(steps.weight.old, steps.digits)}, is "
        f"{exact(steps.weight.new, steps.digits)}"
    )
    label = max(len(layer.name) for layer in steps.layers)
    lines.append(f"{INDENT}{'':<{label}}  |weights|  |gradient|   |change|  change/weights")
    for row in visible_layers(steps.layers):
        if row is not None:
            relative = "–" if row.relative is None else f"{row.relative:.3g}"
            lines.append(
                f"{INDENT}{row.name:<{label}} {row.parameters:10.4g} {row.gradient:11.4g} "
                f"{row.change:10.4g}  {relative:>14}"
            )
    add_heading(6, "repeat")
    add(f"{count_text(steps.size, 'sample')}, {steps.order}{_rows(steps)}{_classes(steps)}")
    add_heading(7, "stop")
    add(steps.stop)
    lines += ["", "The same batch again, after the step:"]
    for prediction in steps.guesses:
        add(
            f"{_row(prediction.row)} ({prediction.target}), {prediction.of}: "
            f"{number_text(prediction.before)} → {number_text(prediction.after)}"
        )
    for sentence in _outcome(steps):
        add(sentence)
    return "\n".join(lines)


@render_text.register(StepSeries)
def render_series(series: StepSeries, width: int) -> str:
    """A row for each step, then a weight of each."""
    first = series.steps[0]
    places = ", ".join(f"{step.at:,}" for step in series.steps)
    lines = wrap(
        f"Steps {places} of {first.count:,}, counted from 0, by {first.steps['step']}; the loss of "
        "each step's own batch, before and after it:",
        width,
        further="",
    )
    lines += ["", "  step  epoch        lr      before     after   promised  came  |gradient|"]
    for step in series.steps:
        before, after = (f"{loss:.4g}" for loss in step.losses)
        promised, came = "–", "–"
        if step.foreseen is not None:
            promised = f"{step.foreseen:.3g}"
            came = f"{step.fall / step.foreseen:.0%}" if step.foreseen > 0 else "–"
        lines.append(
            f"{step.at:6} {step.epoch + 1:6} {step.lr:9.3g}  {before:>10}{after:>10}{promised:>11}"
            f"{came:>6}{step.gradient:>12.4g}"
        )
    lines += [
        "",
        *wrap(
            (
                "The perceptron's rule has no gradient, so it promises no fall. "
                if first.foreseen is None
                else "The gradient alone promises a fall of gradient · change; so much of it came. "
            )
            + "A weight of each step, the one with the largest gradient:",
            width,
            further="",
        ),
        f"  step  {'weight':<25}{'was':>15}{'gradient':>15}{'is':>15}",
    ]
    lines += [
        f"{step.at:6}  {step.weight.name:<25}{step.weight.old:>15.7g}"
        f"{step.weight.gradient:>15.7g}{step.weight.new:>15.7g}"
        for step in series.steps
    ]
    return "\n".join(lines)


def exact(value: float, digits: int) -> str:
    """A number that reads back to the same bits."""
    return f"{value:.{digits}g}"


def visible_layers(layers: tuple[LayerChange, ...]) -> list[LayerChange | None]:
    """The layers that there is room for; None stands for those that are left out."""
    return (
        list(layers)
        if len(layers) <= MAX_LAYERS + 1
        else [*layers[: MAX_LAYERS - 1], None, layers[-1]]
    )


def _started(layer: LayerChange) -> str:
    def numbers(shape: tuple[int, ...], mean: float, std: float) -> str:
        return (
            f"{'' if math.prod(shape) == 1 else 'all '}{number_text(mean, 3)}"
            if std == 0
            else f"mean {number_text(mean, 2)}, std {number_text(std)}"
        )

    return f"{layer.name}: " + "; ".join(
        f"{name} [{', '.join(map(str, shape))}] {numbers(shape, mean, std)}"
        for name, shape, mean, std in layer.started
    )


def _only_biases_are_zero(layer: LayerChange) -> bool:
    """Whether the biases of a layer started from 0 and its weights from numbers that differ."""
    zero = [name for name, _, mean, std in layer.started if mean == std == 0]
    return zero == ["bias"] and len(layer.started) > 1 and layer.started[0][3] > 0


def _row(row: int | None) -> str:
    return "a sample" if row is None else f"sample {row:,}"


def _rows(steps: Steps) -> str:
    if steps.rows is None or len(steps.rows) == 0:
        return ""
    rows = steps.rows
    if rows == tuple(range(rows[0], rows[-1] + 1)):
        return f": {rows[0]:,} to {rows[-1]:,}"
    return ": " + ", ".join(str(row) for row in rows[:6]) + (", …" if len(rows) > 6 else "")


def _classes(steps: Steps) -> str:
    counts = sorted(steps.members.items(), key=lambda member: -member[1])
    if not counts:
        return ""
    largest = ", ".join(f"{count} of {name}" for name, count in counts[:5])
    return f"; by class: {largest}" + (f", … ({len(counts)} classes)" if len(counts) > 5 else "")


def _outcome(steps: Steps) -> list[str]:
    before, after = steps.losses
    text = (
        f"loss {number_text(before, 6)} → {number_text(after, 6)}: it "
        f"{'fell' if steps.fall >= 0 else 'rose'} by {number_text(abs(steps.fall))}"
    )
    if steps.foreseen is None:
        return [text + "; the perceptron's rule has no gradient, so it promises no fall"]
    plain = steps.steps["step"].startswith("sgd(") and not any(
        word in steps.steps["step"] for word in ("momentum", "weight_decay")
    )
    formula = "lr · |gradient|²" if plain and steps.clipped is None else "gradient · change"
    text += f"; the gradient alone promises {formula} = {number_text(steps.foreseen)}"
    if steps.foreseen > 0:
        share = steps.fall / steps.foreseen
        text += f", of which {share:.0%} came: {_explain_share(share)}"
    lines = [text]
    if steps.same is not None:
        lines.append(
            "the loss is bit-identical to the one recorded in the training"
            if steps.same
            else "the loss is not bit-identical to the one recorded in the training, which "
            "ran on another machine or in several processes"
        )
    return lines


def _explain_share(share: float) -> str:
    if share < 0:
        return "the step overshot, and lr is too high here"
    if share < 0.8:
        return "the gradient changes on the way, as the loss is curved"
    if share <= 1.2:
        return "the step was short enough for the gradient to hold"
    return "the gradient grew on the way"
