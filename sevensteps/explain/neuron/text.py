"""What a neuron says, on one screen."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.explain.base import render_text
from sevensteps.explain.neuron.answer import Neuron
from sevensteps.explain.neuron.history import spread
from sevensteps.render.blocks import BLOCKS, SHADES
from sevensteps.render.text import count_text, number_text, wrap

ROWS = 10  # of a picture in text
BARS = 8  # weights that are drawn as bars
GROUPS = 5  # classes that are listed
MOMENTS = 40  # of its life that are drawn


@render_text.register(Neuron)
def render_neuron(found: Neuron, width: int) -> str:
    """The screen."""
    lines = [*_head(found, width), "", *_weights(found, width), ""]
    lines += _fires(found, width)
    lines += [
        "",
        *_life(found, width),
        *_state(found, width),
        *_twins(found, width),
        *_after(found, width),
    ]
    return "\n".join(lines)


def _head(found: Neuron, width: int) -> list[str]:
    then = f", then {found.activation}" if found.activation else ""
    if found.bias is None:
        bias = "no bias"
    else:
        bias = (
            f"w0 = {number_text(found.bias)}, the bias, times x0 = 1"
            if found.w0
            else f"bias {number_text(found.bias)}"
        )
    text = (
        f"Unit {found.unit} of the {found.units} of {found.layer}: {found.kind}, "
        f"{count_text(found.weights.numel(), 'weight')}, "
        f"{bias}{then}. "
    )
    if found.moved is not None:
        text += f"Its weights are {number_text(float(found.weights.norm()))} long, {number_text(found.moved)} from where they started."
    return wrap(text, width, further="")


def _weights(found: Neuron, width: int) -> list[str]:
    if found.image:
        return _pictures(found.weights.reshape(-1, *found.shape[-2:]).sum(0))
    if found.conv:
        return _kernel(found)
    order = found.weights.abs().argsort(descending=True, stable=True)[:BARS].tolist()
    names = found.names or tuple(f"input {index}" for index in range(found.weights.numel()))
    top = max(float(found.weights.abs().max()), 1e-30)
    label = min(max(len(names[index]) for index in order), width // 3)
    half = min((width - label - 14) // 2, 24)
    lines = []
    for index in order:
        value = float(found.weights[index])
        bar = "█" * max(round(half * abs(value) / top), 1 if value else 0)
        lines.append(
            f"  {names[index][:label]:<{label}} "
            f"{bar if value < 0 else '':>{half}}│{bar if value > 0 else '':<{half}} {value:.4g}"
        )
    if (rest := found.weights.numel() - len(order)) > 0:
        lines.append(f"  and {count_text(rest, 'smaller weight')}")
    return lines


def _pictures(weights: Tensor) -> list[str]:
    """Positive and negative weights beside each other, the darker, the larger."""
    pool = -(-len(weights) // ROWS)
    small = F.avg_pool2d(weights[None].double(), pool, ceil_mode=True, count_include_pad=False)[0]
    top = max(float(small.abs().max()), 1e-30)
    columns = 2 * small.shape[1]
    lines = [f"  {'weights above 0':<{columns}}  weights below 0"]
    for row in small:
        above, below = (
            "".join(
                2 * SHADES[min(int(max(sign * value, 0.0) / top * len(SHADES)), len(SHADES) - 1)]
                for value in row.tolist()
            )
            for sign in (1, -1)
        )
        lines.append(f"  {above}  {below}".rstrip() or "")
    return lines


def _kernel(found: Neuron) -> list[str]:
    """The numbers of the kernel over the channel that it reads most of."""
    lengths = found.weights.flatten(1).norm(dim=1)
    strongest = int(lengths.argmax())
    lines = [
        f"  kernel over input channel {strongest}"
        + (f", the one that it reads most of {len(lengths)}" if len(lengths) > 1 else "")
    ]
    kernel = found.weights[strongest].reshape(-1, found.weights.shape[-1])
    return lines + [
        "  " + "".join(f"{value:>8.3f}" for value in row) for row in kernel[:ROWS, :9].tolist()
    ]


def _fires(found: Neuron, width: int) -> list[str]:
    lines = wrap(
        f"Its sum is above 0 for {found.firing:.1%} of the "
        f"{count_text(found.samples, 'training sample')}"
        f"{' and their positions' if found.conv else ''}; its mean activation is "
        f"{number_text(found.mean)}.",
        width,
        further="",
    )
    order = found.groups
    label = max(12, *(min(len(group.name), 24) for group in order))
    peak = max((abs(group.mean) for group in order), default=0.0) or 1.0
    lines.append(f"  {'class or target':<{max(label, 15)}}  samples   fires  mean activation")
    for group in order[:GROUPS]:
        bar = "█" * round(16 * abs(group.mean) / peak)
        lines.append(
            f"  {group.name[:24]:<{max(label, 15)}}  {group.count:>7,}  {group.firing:>5.1%}  "
            f"{group.mean:>10.4g} {bar}".rstrip()
        )
    if len(order) > GROUPS:
        lines.append(f"  and {len(order) - GROUPS} more with less")
    shown = "  ".join(f"#{one.sample} ({one.target}) {one.sum:.3g}" for one in found.top[:5])
    return lines + wrap(f"Largest sums: {shown}", width)


def _life(found: Neuron, width: int) -> list[str]:
    life = found.life
    if not life.moments:
        return wrap(f"Its life is not known: {life.why}.", width)
    shown = spread(life.moments, MOMENTS)
    first, last = life.moments[0], life.moments[-1]
    line = "".join(
        "·"
        if moment.firing == 0
        else BLOCKS[min(int(moment.firing * len(BLOCKS)), len(BLOCKS) - 1)]
        for moment in shown
    )
    how = (
        "looks on the batch"
        if life.source == "watched"
        else f"trained again, on {life.samples:,} samples"
    )
    if life.same is False:
        how += ", not to the same bits"
    lines = wrap(f"Life: {line} (steps {first.step:,} to {last.step:,}, {how}; · is off)", width)
    said = {"born": "fires for the first time", "silent": "falls silent", "revived": "fires again"}
    events = [f"step {step:,} {said[what]}" for step, what in life.events]
    kept = (
        events if len(events) <= 6 else [*events[:3], f"… {len(events) - 5} more …", *events[-2:]]
    )
    told = (
        "; ".join(kept)
        if kept
        else ("silent at every look" if last.firing == 0 else "fires at every look")
    )
    told += f"; fires on {first.firing:.1%} at first, {last.firing:.1%} at last"
    if first.weights is not None and last.weights is not None:
        told += f"; weights {number_text(first.weights)} long, then {number_text(last.weights)}"
    return lines + wrap(told, width, "  ", "  ")


def _state(found: Neuron, width: int) -> list[str]:
    lines = []
    if found.dead:
        lines += wrap(
            f"Dead: its sum is 0 or below for every training sample, so {found.activation} gives "
            "0 with slope 0, and no "
            "gradient reaches it.",
            width,
        )
    elif found.dead is False:
        lines.append("Alive: at least one training sample puts its sum above 0.")
    if found.dead_inputs:
        text = f"{count_text(found.dead_inputs, 'dead input')} of {found.inputs:,}: "
        text += "0 for every training sample, so their weights never get a gradient"
        if found.dead_moved == 0:
            text += " and are where they started, to the bit"
        elif found.dead_moved is not None:
            text += f" (yet one has come {number_text(found.dead_moved)} from its start, by weight decay or rounding)"
        lines += wrap(f"{text}. That does not make the unit dead; nothing is wrong.", width)
    return lines


def _twins(found: Neuron, width: int) -> list[str]:
    if found.units < 2:
        return []
    twins = found.twins
    if twins is None:
        return ["No twin: no other unit of the layer has its weights or goes with it."]
    who = ", ".join(map(str, twins.units[:8])) + (
        f" and {len(twins.units) - 8} more" if len(twins.units) > 8 else ""
    )
    what = {
        "the same weights": "has the same weights and bias: while their outgoing weights are "
        "alike too, they get the same gradient",
        "the opposite weights": "has the same weights and bias with the other sign",
        "the same activation": "has other weights and the same activation (correlation "
        f"{twins.correlation:.4f})",
    }[twins.how]
    return wrap(
        f"Twin: unit {who} {what}." if len(twins.units) == 1 else f"Twins: each of {who} {what}.",
        width,
    )


def _after(found: Neuron, width: int) -> list[str]:
    lines = []
    if found.outgoing:
        values = torch.tensor(found.outgoing)
        order = values.abs().argsort(descending=True, stable=True)[:5].tolist()
        shown = ", ".join(f"{values[index]:.3g} to unit {index}" for index in order)
        lines += wrap(
            f"Outgoing weights into {found.following}: {shown}"
            + (f" … of {len(values)}" if len(values) > 5 else ""),
            width,
        )
    elif found.whole is None:
        lines.append("It is an output: nothing stands behind it.")
    if found.whole is not None and found.without is not None:
        parts = [
            f"{name} {_number(found.whole[name])} to {_number(found.without[name])}"
            for name in found.whole
        ]
        lines += wrap(
            f"Without it (0 in its place), on the validation samples: {', '.join(parts)}.", width
        )
    return lines


def _number(value: float) -> str:
    return number_text(value) if math.isfinite(value) else "not a number"
