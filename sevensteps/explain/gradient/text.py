"""A gradient on one screen: formula, factors, contributions, and three numbers that must agree."""

from __future__ import annotations

from sevensteps.engine.activations import ACTIVATIONS
from sevensteps.explain.base import render_text
from sevensteps.explain.gradient.answer import Contribution, Gradient
from sevensteps.explain.gradient.backward import Backward
from sevensteps.explain.gradient.paths import MAX_PATHS
from sevensteps.explain.gradient.verification import relative_difference
from sevensteps.render.text import count_text, number_text, wrap

# layers whose units differ from those before; what stands between only passes on
WEIGHTED_KINDS = (
    "Linear",
    "Neuron",
    "Conv2d",
)
MAX_CONTRIBUTIONS = 3  # shown of each layer


@render_text.register(Gradient)
def render_gradient(gradient: Gradient, width: int) -> str:
    """The gradient of one parameter, no line wider than `width`."""
    lines = wrap(
        f"Gradient of {gradient.name}, a weight of {number_text(gradient.value)}: "
        f"{whose_loss(gradient)}, "
        "loss "
        f"{number_text(gradient.loss)} "
        f"({gradient.loss_name})",
        width,
    )
    lines += [
        "",
        *(
            line
            for row in gradient.formula.text().split("\n")
            for line in wrap(row, width, "  " if row[0] != "=" else "    ")
        ),
    ]
    if gradient.lacking:
        lines += [
            "",
            *wrap(
                f"No factors: {gradient.lacking}. Autograd and the finite difference need none.",
                width,
            ),
        ]
    if gradient.paths:
        lines += ["", *_path_lines(gradient, width)]
    others = [cut for cut in gradient.cuts if cut.carrying > 1 and cut.kind in WEIGHTED_KINDS]
    if others:
        lines += [
            "",
            *wrap(
                "Units that carry it, with their share; the sum is the same in every layer:", width
            ),
        ]
        lines += [
            line
            for cut in reversed(others)
            for line in wrap(
                f"{cut.layer} {cut.kind}, {cut.carrying:,} of {cut.units:,}: "
                f"{_contributions(cut.carriers, cut.carrying)}",
                width,
                "  ",
                "    ",
            )
        ]
    if len(gradient.samples) > 1 and gradient.by_sample:
        count = len(gradient.samples)
        lines += [
            "",
            *wrap(
                f"Samples that contribute, of {count:,}: "
                f"{_contributions(gradient.by_sample, count)}",
                width,
            ),
        ]
    lines += ["", *three_means(gradient.chain_rule, gradient.autograd, gradient.finite_difference)]
    for note in gradient.notes:
        lines += wrap(note, width)
    return "\n".join(lines)


@render_text.register(Backward)
def render_backward(backward: Backward, width: int) -> str:
    """The backward pass layer by layer, no line wider than `width`."""
    lines = wrap(
        f"Backward pass: {whose_loss(backward)}, loss {number_text(backward.loss)} "
        f"({backward.loss_name})",
        width,
    )
    label = max((len(f"{row.name} {row.kind}") for row in backward.layers), default=0)
    lines += ["", f"{'from the loss back':<{label}}  |dL/d output|  factor  |dL/d parameters|"]
    for row in backward.layers:
        factor = "" if row.factor is None else f"×{number_text(row.factor, 3)}"
        parts = "  ".join(f"{key} {number_text(size, 3)}" for key, size in row.parameters.items())
        lines.append(
            f"{f'{row.name} {row.kind}':<{label}}  {number_text(row.slope, 4):>13}  {factor:>7}  "
            f"{parts}".rstrip()[:width]
        )
    lines += [
        "",
        *wrap(
            "|…| is the L2 norm over samples and units. The factor is the norm that a layer hands "
            "back to the one before, divided by the norm that it receives.",
            width,
            further="",
        ),
    ]
    if backward.loses:
        weakest = next(row for row in backward.layers if row.name == backward.loses)
        hint = _at_most(weakest.kind)
        lines += wrap(
            f"Most is lost at {weakest.name}, which hands on "
            f"{number_text(weakest.factor or 0.0, 2)} of "
            f"it{hint}.",
            width,
            further="",
        )
    elif any(row.factor is not None for row in backward.layers):
        lines += wrap("No layer loses half of it.", width)
    if backward.lacking:
        lines += wrap(f"By autograd: {backward.lacking}.", width)
    if backward.relative is not None:
        lines += [
            "",
            "All gradients, chain rule against autograd: relative difference "
            f"{backward.relative:.1e}",
        ]
    lines += [
        f"The largest, {backward.largest}:",
        *three_means(backward.chain_rule, backward.autograd, backward.finite_difference),
    ]
    for note in backward.notes:
        lines += wrap(note, width)
    return "\n".join(lines)


def whose_loss(answer: Gradient | Backward) -> str:
    """Whose loss it is."""
    if len(answer.samples) == 1:
        return f"sample {answer.samples[0]:,} of {answer.part}"
    return f"the mean of {count_text(len(answer.samples), 'sample')} of {answer.part}"


def _path_lines(gradient: Gradient, width: int) -> list[str]:
    path = gradient.paths[0]
    of = (
        f" of sample {gradient.sample:,}, whose part is the largest"
        if len(gradient.samples) > 1
        else ""
    )
    if gradient.ways == 1:
        lines = wrap(f"The one path{of}, from the loss back:", width)
    else:
        count = f"more than {MAX_PATHS}" if gradient.ways is None else f"{gradient.ways}"
        lines = wrap(f"The strongest of {count} paths{of}, from the loss back:", width)
    label = max(len(f"∂{factor.of}/∂{factor.by}") for factor in path.factors)
    for factor in path.factors:
        lines += wrap(
            f"{f'∂{factor.of}/∂{factor.by}':<{label}}  {number_text(factor.value):>10}  "
            f"{factor.why}".rstrip(),
            width,
            "  ",
            " " * 6,
        )
    share = "" if len(gradient.paths) == 1 else f"  {path.share:.0%} of the gradient"
    lines.append(f"  {'product':<{label}}  {number_text(path.product):>10}{share}")
    if len(gradient.paths) > 1:
        rest = ", ".join(
            f"{number_text(other.product, 3)} ({other.share:.0%})" for other in gradient.paths[1:5]
        )
        lines += wrap(f"next: {rest}", width, "  ", "    ")
    return [line[:width] for line in lines]


def _contributions(carriers: tuple[Contribution, ...], count: int) -> str:
    """The first few of `count` contributions: `output[2] 0.00123 (40%), …`."""
    largest = ", ".join(
        f"{carrier.unit} {number_text(carrier.product, 3)} ({carrier.share:.0%})"
        for carrier in carriers[:MAX_CONTRIBUTIONS]
    )
    return largest + (", …" if count > MAX_CONTRIBUTIONS else "")


def three_means(chain_rule: float | None, autograd: float, difference: float) -> list[str]:
    """The same number by three means, with how far each is from autograd's."""
    lines = (
        []
        if chain_rule is None
        else [
            f"chain rule         {chain_rule:+.12e}  relative difference "
            f"{relative_difference(chain_rule, autograd):.1e}"
        ]
    )
    return [
        *lines,
        f"autograd           {autograd:+.12e}",
        f"finite difference  {difference:+.12e}  relative difference "
        f"{relative_difference(difference, autograd):.1e}",
    ]


def _at_most(kind: str) -> str:
    """The greatest slope of the activation whose class is called `kind`, where it is below 1."""
    for row in ACTIVATIONS.values():
        if row.module is not None and row.module.__name__ == kind and (row.steepest or 1.0) < 1:
            return f" (a {row.name}: {number_text(row.steepest or 1.0).removeprefix('0')} at most)"
    return ""
