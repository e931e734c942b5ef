"""Whether what comes into a layer is the same for all samples, though the layer before told them
apart: averaged over all of them again and again, as by many rounds over a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import weight_layers
from sevensteps.observe.look import Look

APART = 0.1  # of their size, of the spread of what tells samples apart
LEFT = 0.01  # of the spread that a layer with these weights would hand on


@dataclass(frozen=True)
class Alike:
    """The layer `before`, which tells samples apart, the first `layer` after it that gets one thing
    for all, and what part of the spread is `left` there.
    """

    before: str
    layer: str
    left: float


def alike_from_a_layer(case: Case) -> Alike | None:
    """Read off the first look and the last: none of the layers tells samples apart from one on."""
    if len(case.looks) < 2:
        return None
    found = [_in_look(case, look) for look in (case.looks[0], case.looks[-1])]
    first, last = found
    if first is None or last is None or first.layer != last.layer:
        return None
    return last if last.left >= first.left else first


def _in_look(case: Case, look: Look) -> Alike | None:
    layers = [
        (layer.name, look.signals[layer.name], look.changes[matrix].weight)
        for layer, matrix in weight_layers(case)
        if layer.name in look.signals and matrix in look.changes
    ]
    shares = []
    for (_, before, _), (_, after, lengths) in pairwise(layers):
        handed_on = _size(lengths) * _size(before.std)
        shares.append(_size(after.std) / handed_on if handed_on > 0 else 1.0)
    for at, share in enumerate(shares):
        before = layers[at][1]
        size = (before.mean.double().square() + before.std.double().square()).mean().sqrt()
        if _size(before.std) < APART * float(size):
            return None
        later = [signal for _, signal, _ in layers[at + 1 :]]
        if share < LEFT and all(_is_alike(signal.mean, signal.std) for signal in later):
            return Alike(layers[at][0], layers[at + 1][0], share)
    return None


def _is_alike(mean: Tensor, std: Tensor) -> bool:
    """Whether the spread over samples is next to nothing beside the size."""
    return _size(std) < LEFT * _size(mean)


def _size(numbers: Tensor) -> float:
    """The root mean square."""
    return float(numbers.double().square().mean().sqrt())
