"""A neuron as one screen of text."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.explain.base import render_text
from sevensteps.explain.neuron.answer import Neuron
from sevensteps.explain.neuron.history import evenly_spread
from sevensteps.render.blocks import BLOCKS, SHADES
from sevensteps.render.text import count_text, number_text, wrap

IMAGE_ROWS = 10  # of weights that are drawn as an image
MAX_BARS = 8  # weights that are drawn as bars
MAX_GROUPS = 5  # classes that are listed
MAX_MOMENTS = 40  # of its history that are drawn


@render_text.register(Neuron)
def render_neuron(neuron: Neuron, width: int) -> str:
    """Weights, what makes it fire, its history, and what it does for the network."""
    lines = [
        *_head(neuron, width),
        "",
        *_weights(neuron, width),
        "",
        *_firing(neuron, width),
        "",
        *_history(neuron, width),
        *_state(neuron, width),
        *_twins(neuron, width),
        *_role(neuron, width),
    ]
    return "\n".join(lines)


def _head(neuron: Neuron, width: int) -> list[str]:
    then = f", then {neuron.activation}" if neuron.activation else ""
    if neuron.bias is None:
        bias = "no bias"
    else:
        bias = (
            f"w0 = {number_text(neuron.bias)}, the bias, times x0 = 1"
            if neuron.w0
            else f"bias {number_text(neuron.bias)}"
        )
    which = f"Unit {neuron.unit} of the {neuron.units:,} units"
    if neuron.units == 1:
        which = f"Unit {neuron.unit}, the only one"
    text = (
        f"{which} of {neuron.layer}: "
        f"{neuron.kind}, {count_text(neuron.weights.numel(), 'weight')}, {bias}{then}. "
    )
    if neuron.moved is not None:
        text += (
            f"The length of its weights is {number_text(float(neuron.weights.norm()))}; training "
            f"moved them by {number_text(neuron.moved)}."
        )
    return wrap(text, width, further="")


def _weights(neuron: Neuron, width: int) -> list[str]:
    if neuron.image:
        return _weight_images(neuron.weights.reshape(-1, *neuron.shape[-2:]).sum(0))
    if neuron.conv:
        return _kernel(neuron)
    order = neuron.weights.abs().argsort(descending=True, stable=True)[:MAX_BARS].tolist()
    names = neuron.names or tuple(f"input {index}" for index in range(neuron.weights.numel()))
    top = max(float(neuron.weights.abs().max()), 1e-30)
    label = min(max(len(names[index]) for index in order), width // 3)
    half = min((width - label - 14) // 2, 24)
    lines = []
    for index in order:
        value = float(neuron.weights[index])
        bar = "█" * max(round(half * abs(value) / top), 1 if value else 0)
        lines.append(
            f"  {names[index][:label]:<{label}} "
            f"{bar if value < 0 else '':>{half}}│{bar if value > 0 else '':<{half}} {value:.4g}"
        )
    if (rest := neuron.weights.numel() - len(order)) > 0:
        lines.append(f"  and {count_text(rest, 'smaller weight')}")
    return lines


def _weight_images(weights: Tensor) -> list[str]:
    """Positive and negative weights beside each other, the darker, the larger."""
    pool = -(-len(weights) // IMAGE_ROWS)
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


def _kernel(neuron: Neuron) -> list[str]:
    """The kernel over the input channel with the largest weights, as numbers."""
    lengths = neuron.weights.flatten(1).norm(dim=1)
    strongest = int(lengths.argmax())
    lines = [
        f"  kernel over input channel {strongest}"
        + (f", the largest of its {len(lengths)}" if len(lengths) > 1 else "")
    ]
    kernel = neuron.weights[strongest].reshape(-1, neuron.weights.shape[-1])
    return lines + [
        "  " + "".join(f"{value:>8.3f}" for value in row)
        for row in kernel[:IMAGE_ROWS, :9].tolist()
    ]


def _firing(neuron: Neuron, width: int) -> list[str]:
    samples = count_text(neuron.samples, "training sample")
    where = f"all positions of the {samples}" if neuron.conv else f"the {samples}"
    lines = wrap(
        f"It fires (its sum is above 0) on {_share(neuron.firing)} of {where}; its mean "
        f"activation is {number_text(neuron.mean)}.",
        width,
        further="",
    )
    groups = neuron.groups
    label = max(15, *(min(len(group.name), 24) for group in groups))
    peak = max((abs(group.mean) for group in groups), default=0.0) or 1.0
    lines.append(f"  {'class or target':<{label}}  samples   fires  mean activation")
    for group in groups[:MAX_GROUPS]:
        bar = "█" * round(16 * abs(group.mean) / peak)
        lines.append(
            f"  {group.name[:24]:<{label}}  {group.count:>7,}  {group.firing:>5.1%}  "
            f"{group.mean:>10.4g} {bar}".rstrip()
        )
    if len(groups) > MAX_GROUPS:
        lines.append(f"  and {len(groups) - MAX_GROUPS} more, with smaller means")
    strongest = "  ".join(
        f"#{strong.sample} ({strong.target}) {strong.sum:.3g}" for strong in neuron.top[:5]
    )
    return lines + wrap(f"Largest sums: {strongest}", width)


def _history(neuron: Neuron, width: int) -> list[str]:
    history = neuron.life
    if not history.moments:
        return wrap(f"Its history is not known: {history.why}.", width)
    first, last = history.moments[0], history.moments[-1]
    curve = "".join(
        "·"
        if moment.firing == 0
        else BLOCKS[min(int(moment.firing * len(BLOCKS)), len(BLOCKS) - 1)]
        for moment in evenly_spread(history.moments, MAX_MOMENTS)
    )
    source = (
        "seen on the batches"
        if history.source == "watched"
        else f"trained again, on {history.samples:,} samples"
    )
    if history.same is False:
        source += ", not bit-identical"
    lines = wrap(
        f"History: {curve} (steps {first.step:,} to {last.step:,}, {source}; · is silent)", width
    )
    verbs = {"born": "fires for the first time", "silent": "falls silent", "revived": "fires again"}
    events = [f"step {step:,} {verbs[event]}" for step, event in history.events]
    if len(events) > 6:
        events = [*events[:3], f"… {len(events) - 5} more …", *events[-2:]]
    if not events:
        events = ["silent throughout" if last.firing == 0 else "fires throughout"]
    text = "; ".join(events)
    where = "positions" if neuron.conv else "samples"
    text += f"; on {_share(first.firing)} of the {where} at first, {_share(last.firing)} at the end"
    if first.weights is not None and last.weights is not None:
        lengths = f"{number_text(first.weights)}, then {number_text(last.weights)}"
        text += f"; length of its weights {lengths}"
    return lines + wrap(text, width, "  ", "  ")


def _state(neuron: Neuron, width: int) -> list[str]:
    lines = []
    if neuron.dead:
        lines += wrap(
            f"Dead: its sum is 0 or below for every training sample, so {neuron.activation} gives "
            "0 with slope 0, and no gradient reaches its weights.",
            width,
        )
    elif neuron.dead is False:
        lines.append("Alive: at least one training sample puts its sum above 0.")
    if neuron.dead_inputs:
        text = (
            f"{count_text(neuron.dead_inputs, 'dead input')} of {neuron.inputs:,}: they are 0 for "
            "every training sample, so their weights "
            + ("get no gradient now" if neuron.dead_moved else "never get a gradient")
        )
        if neuron.dead_moved == 0:
            text += " and are exactly where they started"
        elif neuron.dead_moved is not None:
            text += (
                f" (they moved by up to {number_text(neuron.dead_moved)}: in earlier steps, by "
                "weight decay, or by rounding)"
            )
        lines += wrap(f"{text}. That does not make the unit dead; nothing is wrong.", width)
    return lines


def _twins(neuron: Neuron, width: int) -> list[str]:
    if neuron.units < 2:
        return []
    twins = neuron.twins
    if twins is None:
        return ["No twin: no other unit of the layer has its weights or its activation."]
    units = ", ".join(map(str, twins.units[:8])) + (
        f" and {len(twins.units) - 8} more" if len(twins.units) > 8 else ""
    )
    similarity = {
        "the same weights": "the same weights and bias: as long as their outgoing weights are "
        "equal too, they get the same gradient",
        "the opposite weights": "the same weights and bias with the opposite sign",
        "the same activation": "other weights but the same activation (correlation "
        f"{twins.correlation:.4f})",
    }[twins.how]
    subject = f"Twin: unit {units} has" if len(twins.units) == 1 else f"Twins: units {units} have"
    return wrap(f"{subject} {similarity}.", width)


def _role(neuron: Neuron, width: int) -> list[str]:
    lines = []
    if neuron.outgoing:
        values = torch.tensor(neuron.outgoing)
        order = values.abs().argsort(descending=True, stable=True)[:5].tolist()
        largest = ", ".join(f"{values[index]:.3g} to unit {index}" for index in order)
        rest = f" (the largest of {len(values)})" if len(values) > 5 else ""
        lines += wrap(f"Outgoing weights into {neuron.following}: {largest}{rest}", width)
    elif neuron.whole is None:
        lines.append("It is an output: no layer follows it.")
    if neuron.whole is not None and neuron.without is not None:
        changes = [
            f"{name} from {_number(neuron.whole[name])} to {_number(neuron.without[name])}"
            for name in neuron.whole
        ]
        lines += wrap(
            f"Without it (with 0 in its place), on the validation samples: {', '.join(changes)}.",
            width,
        )
    return lines


def _share(share: float) -> str:
    # a unit that fires at all is not said to fire on 0.0%, nor one that does not always on 100.0%
    if 0 < share < 0.0005:
        return "less than 0.1%"
    return "more than 99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def _number(value: float) -> str:
    return number_text(value) if math.isfinite(value) else "not a number"
