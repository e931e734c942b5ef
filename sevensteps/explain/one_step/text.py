"""One training step as one screen of text."""

from __future__ import annotations

from sevensteps.explain.base import render_text
from sevensteps.explain.one_step.answer import Layer, Steps
from sevensteps.render.text import count_text, number_text, wrap

LAYERS = 4  # rows of a table; of more layers the first and the last are shown
INDENT = "   "


@render_text.register(Steps)
def render_steps(found: Steps, width: int) -> str:
    """All seven, then what came of it."""
    taken = found.steps
    lines = [
        f"Step {found.at:,} of {found.count:,}, counted from 0: epoch {found.epoch + 1}, lr "
        f"{found.lr:g}"
    ]

    def head(number: int, name: str) -> None:
        lines.extend(wrap(f"{number}  {name:<11}{taken[name]}", width, further=INDENT))

    def say(words: str) -> None:
        lines.extend(wrap(words, width, INDENT, INDENT))

    head(1, "initialize")
    for layer in shown(found.layers):
        say(_started(layer) if layer is not None else f"… {len(found.layers) - LAYERS} more layers")
    head(2, "predict")
    say(
        "; ".join(
            f"{_row(guess.row)} ({guess.target}), {guess.of}: {number_text(guess.before)}"
            for guess in found.guesses[:2]
        )
    )
    head(3, "loss")
    say(
        f"mean of the {count_text(found.size, 'sample')}: {number_text(found.loss)}; a network that knows "
        f"nothing has {number_text(found.ignorant)}"
    )
    head(4, "gradient")
    clipped = "" if found.clipped is None else f", clipped to {number_text(found.clipped)}"
    say(
        f"length {number_text(found.gradient)} over all parameters{clipped}; {found.weight.name}: "
        f"{number_text(found.weight.gradient, 9)}"
    )
    head(5, "step")
    say(found.weight.update.formula)
    for line in found.weight.update.lines:
        say(line)
    say(
        f"{found.weight.name} was {exact(found.weight.old, found.digits)}, is "
        f"{exact(found.weight.new, found.digits)}"
    )
    label = max(len(layer.name) for layer in found.layers)
    lines.append(f"{INDENT}{'':<{label}}  |weights|  |gradient|   |change|  change/weights")
    for row in shown(found.layers):
        if row is not None:
            relative = "–" if row.relative is None else f"{row.relative:.3g}"
            lines.append(
                f"{INDENT}{row.name:<{label}} {row.parameters:10.4g} {row.gradient:11.4g} "
                f"{row.change:10.4g}  {relative:>14}"
            )
    head(6, "repeat")
    say(f"{count_text(found.size, 'sample')}, {found.order}{_places(found)}{_members(found)}")
    head(7, "stop")
    say(found.stop)
    lines += ["", "The same batch again, after the step:"]
    for guess in found.guesses:
        say(
            f"{_row(guess.row)} ({guess.target}), {guess.of}: {number_text(guess.before)} → "
            f"{number_text(guess.after)}"
        )
    for sentence in _outcome(found):
        say(sentence)
    return "\n".join(lines)


def exact(value: float, digits: int) -> str:
    """A number that reads back to the same bits."""
    return f"{value:.{digits}g}"


def shown(layers: tuple[Layer, ...]) -> list[Layer | None]:
    """The layers that there is room for; None stands for those left out."""
    return list(layers) if len(layers) <= LAYERS + 1 else [*layers[: LAYERS - 1], None, layers[-1]]


def _started(layer: Layer) -> str:
    def numbers(mean: float, std: float) -> str:
        return (
            f"all {number_text(mean, 3)}"
            if std == 0
            else f"mean {number_text(mean, 2)}, std {number_text(std)}"
        )

    return f"{layer.name}: " + "; ".join(
        f"{name} [{', '.join(map(str, shape))}] {numbers(mean, std)}"
        for name, shape, mean, std in layer.started
    )


def _row(row: int | None) -> str:
    return "a sample" if row is None else f"sample {row:,}"


def _places(found: Steps) -> str:
    if found.rows is None or len(found.rows) == 0:
        return ""
    rows = found.rows
    if rows == tuple(range(rows[0], rows[-1] + 1)):
        return f": {rows[0]:,} to {rows[-1]:,}"
    return ": " + ", ".join(str(row) for row in rows[:6]) + (", …" if len(rows) > 6 else "")


def _members(found: Steps) -> str:
    some = sorted(found.members.items(), key=lambda held: -held[1])
    if not some:
        return ""
    named = ", ".join(f"{count} of {name}" for name, count in some[:5])
    return f"; by class: {named}" + (f", … ({len(some)} classes)" if len(some) > 5 else "")


def _outcome(found: Steps) -> list[str]:
    before, after = found.losses
    said = f"loss {number_text(before, 6)} → {number_text(after, 6)}: it {'fell' if found.fall >= 0 else 'rose'} by {number_text(abs(found.fall))}"
    if found.foreseen is None:
        return [said + "; the perceptron's rule is no slope and promises no fall"]
    plain = found.steps["step"].startswith("sgd(") and not any(
        word in found.steps["step"] for word in ("momentum", "weight_decay")
    )
    name = "lr · |gradient|²" if plain and found.clipped is None else "gradient · change"
    lines = [f"{said}; {name} = {number_text(found.foreseen)} is what the slope alone promises"]
    if found.foreseen > 0:
        lines[0] += (
            f", of which {found.fall / found.foreseen:.0%} came: "
            f"{_why(found.fall / found.foreseen)}"
        )
    if found.same is not None:
        lines.append(
            "the loss is to the bit what was seen in the training"
            if found.same
            else "the loss is not to the bit what was seen in the training, which ran on another "
            "machine or in several processes"
        )
    return lines


def _why(share: float) -> str:
    if share < 0:
        return "the step overshot, and lr is too high here"
    if share < 0.8:
        return "the slope changes on the way, as the loss is curved"
    return (
        "the step was short enough for the slope to hold"
        if share <= 1.2
        else "the slope grew on the way"
    )
