"""A gradient on one screen: the formula, the factors of the strongest path, who carries it, and the
three numbers that must agree.
"""

from __future__ import annotations

from sevensteps.engine.activations import ACTIVATIONS
from sevensteps.explain.base import render_text
from sevensteps.explain.gradient.answer import Carrier, Gradient
from sevensteps.explain.gradient.backward import Backward
from sevensteps.explain.gradient.paths import KEPT
from sevensteps.explain.gradient.verification import apart
from sevensteps.render.text import counted, figure, wrapped

WEIGHTED = (
    "Linear",
    "Neuron",
    "Conv2d",
)  # layers whose units differ from those before; what stands between only passes on
SIDE = 3  # carriers shown of each layer


@render_text.register(Gradient)
def render_gradient(found: Gradient, width: int) -> str:
    """The gradient of one parameter, no line wider than `width`."""
    lines = wrapped(
        f"Gradient of {found.name} = {figure(found.value)}: {of_samples(found)}, loss "
        f"{figure(found.loss)} "
        f"({found.loss_name})",
        width,
    )
    lines += [
        "",
        *(
            line
            for row in found.formula.text().split("\n")
            for line in wrapped(row, width, "  " if row[0] != "=" else "    ")
        ),
    ]
    if found.lacking:
        lines += [
            "",
            *wrapped(
                f"No factors: {found.lacking}. Autograd and the finite difference need none.", width
            ),
        ]
    if found.paths:
        lines += ["", *_path(found, width)]
    others = [cut for cut in found.cuts if cut.carrying > 1 and cut.kind in WEIGHTED]
    if others:
        lines += [
            "",
            *wrapped(
                "Units that carry it, with their share; the sum is the same in every layer:", width
            ),
        ]
        lines += [
            line
            for cut in reversed(others)
            for line in wrapped(
                f"{cut.layer} {cut.kind}, {cut.carrying:,} of {cut.units:,}: "
                f"{_shares(cut.carriers, cut.carrying)}",
                width,
                "  ",
                "    ",
            )
        ]
    if len(found.samples) > 1 and found.by_sample:
        count = len(found.samples)
        lines += [
            "",
            *wrapped(
                f"Samples that contribute, of {count:,}: {_shares(found.by_sample, count)}", width
            ),
        ]
    lines += ["", *checks(found.chain_rule, found.autograd, found.finite_difference)]
    for note in found.notes:
        lines += wrapped(note, width)
    return "\n".join(lines)


@render_text.register(Backward)
def render_backward(found: Backward, width: int) -> str:
    """The backward pass layer by layer, no line wider than `width`."""
    lines = wrapped(
        f"Backward pass: {of_samples(found)}, loss {figure(found.loss)} ({found.loss_name})", width
    )
    label = max((len(f"{row.name} {row.kind}") for row in found.layers), default=0)
    lines += ["", f"{'from the loss back':<{label}}  |dL/d output|  factor  |dL/d parameters|"]
    for row in found.layers:
        factor = "" if row.factor is None else f"×{figure(row.factor, 3)}"
        parts = "  ".join(f"{key} {figure(size, 3)}" for key, size in row.parameters.items())
        lines.append(
            f"{f'{row.name} {row.kind}':<{label}}  {figure(row.slope, 4):>13}  {factor:>7}  "
            f"{parts}".rstrip()[:width]
        )
    lines += [
        "",
        *wrapped(
            "|…| is the root of the sum of squares, over samples and units; the factor is what a "
            "layer hands back to the "
            "one before, as a share of what it gets.",
            width,
            further="",
        ),
    ]
    if found.loses:
        lost = next(row for row in found.layers if row.name == found.loses)
        most = _at_most(lost.kind)
        lines += wrapped(
            f"Most is lost at {lost.name}, which hands on {figure(lost.factor or 0.0, 2)} of "
            f"it{most}.",
            width,
            further="",
        )
    elif any(row.factor is not None for row in found.layers):
        lines += wrapped("No layer loses half of it.", width)
    if found.lacking:
        lines += wrapped(f"By autograd: {found.lacking}.", width)
    if found.relative is not None:
        lines += [
            "",
            f"All gradients, chain rule against autograd: relative difference {found.relative:.1e}",
        ]
    lines += [
        f"The largest, {found.largest}:",
        *checks(found.chain_rule, found.autograd, found.finite_difference),
    ]
    for note in found.notes:
        lines += wrapped(note, width)
    return "\n".join(lines)


def of_samples(found: Gradient | Backward) -> str:
    """Whose loss it is."""
    if len(found.samples) == 1:
        return f"sample {found.samples[0]:,} of {found.part}"
    return f"the mean of {counted(len(found.samples), 'sample')} of {found.part}"


def _path(found: Gradient, width: int) -> list[str]:
    path = found.paths[0]
    of = f" of sample {found.sample:,}, whose part is the largest" if len(found.samples) > 1 else ""
    if found.ways == 1:
        lines = wrapped(f"The one path{of}, from the loss back:", width)
    else:
        count = f"more than {KEPT}" if found.ways is None else f"{found.ways}"
        lines = wrapped(f"The strongest of {count} paths{of}, from the loss back:", width)
    label = max(len(f"∂{factor.of}/∂{factor.by}") for factor in path.factors)
    for factor in path.factors:
        lines += wrapped(
            f"{f'∂{factor.of}/∂{factor.by}':<{label}}  {figure(factor.value):>10}  "
            f"{factor.why}".rstrip(),
            width,
            "  ",
            " " * 6,
        )
    share = "" if len(found.paths) == 1 else f"  {path.share:.0%} of the gradient"
    lines.append(f"  {'product':<{label}}  {figure(path.product):>10}{share}")
    if len(found.paths) > 1:
        rest = ", ".join(
            f"{figure(other.product, 3)} ({other.share:.0%})" for other in found.paths[1:5]
        )
        lines += wrapped(f"next: {rest}", width, "  ", "    ")
    return [line[:width] for line in lines]


def _shares(carriers: tuple[Carrier, ...], count: int) -> str:
    shown = ", ".join(
        f"{held.unit} {figure(held.product, 3)} ({held.share:.0%})" for held in carriers[:SIDE]
    )
    return shown + (", …" if count > SIDE else "")


def checks(chain_rule: float | None, autograd: float, difference: float) -> list[str]:
    """The same number by three means, with how far each is from autograd's."""
    lines = (
        []
        if chain_rule is None
        else [
            f"chain rule         {chain_rule:+.12e}  relative difference "
            f"{apart(chain_rule, autograd):.1e}"
        ]
    )
    return [
        *lines,
        f"autograd           {autograd:+.12e}",
        f"finite difference  {difference:+.12e}  relative difference "
        f"{apart(difference, autograd):.1e}",
    ]


def _at_most(kind: str) -> str:
    """The greatest slope of the activation whose class is called `kind`, where it is below 1."""
    for row in ACTIVATIONS.values():
        if row.module is not None and row.module.__name__ == kind and (row.steepest or 1.0) < 1:
            return f" (a {row.name}: {figure(row.steepest or 1.0).removeprefix('0')} at most)"
    return ""
