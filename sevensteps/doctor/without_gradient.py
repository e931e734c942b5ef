"""What of a network no loss ever pulled at: answers that it gives and nothing reads, and products
of zeros, where each factor waits for the other to move.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.drawn_weights import LEAST_TOGETHER, are_as_drawn
from sevensteps.doctor.measures import weight_layers

LEAST_LOOKS = 4
LEAST_STEPS = 30  # after which a loss of every so many steps would have been seen


def unread_answers(case: Case, lost: Collection[str]) -> list[str]:
    """The outputs, by their paths, that no gradient ever came back to while it did to others, where
    `lost` parameters that the loss does not depend on are as they were drawn: nothing trained them
    before either.
    """
    looks = [look for look in case.looks if len(look.outputs) > 1 and look.output_gradients]
    if len(looks) < LEAST_LOOKS or case.steps < LEAST_STEPS or case.network is None:
        return []
    weights = dict(case.network.named_parameters())
    matrices = [weights[name] for name in lost if name in weights and weights[name].ndim > 1]
    if not matrices or not (are_as_drawn(matrices) or _few_as_drawn(matrices)):
        return []
    pulled = {path for look in looks for path in look.output_gradients}
    outputs = set.intersection(*(set(look.outputs) for look in looks))
    return sorted(outputs - pulled)


def _few_as_drawn(matrices: Sequence[Tensor]) -> bool:
    """Whether these are too few to tell their distribution, and within what PyTorch draws from."""
    few = sum(matrix.numel() for matrix in matrices) < LEAST_TOGETHER
    bounds = [float(m.detach().abs().max()) * math.sqrt(m[0].numel()) for m in matrices]
    return few and max(bounds) <= 1 + 1e-6


def unread_columns(case: Case) -> list[int]:
    """The columns of the answer that never had a gradient, though the targets that the loop told
    have as many columns, and vary in these; and the rows of the last weights never had one either.
    """
    looks = [look for look in case.looks if look.output_gradient is not None]
    layers = weight_layers(case)
    if len(looks) < LEAST_LOOKS or case.steps < LEAST_STEPS or not layers:
        return []
    shapes = {tuple(look.shapes.get("output", ())) for look in looks}
    target_shapes = {tuple(look.shapes.get("target", ())) for look in looks}
    gradients = [look.output_gradient for look in looks]
    if shapes != target_shapes or any(len(shape) != 2 or shape[1] < 2 for shape in shapes):
        return []
    targets = [look.target for look in looks if look.target is not None]
    if not targets or not all(t.is_floating_point() and t.ndim == 2 for t in targets):
        return []
    known = torch.cat([t.double() for t in targets])
    varied = (known.std(0) > 0) & known.isfinite().all(0)
    read = torch.stack([(g != 0).any(0) for g in gradients if g is not None]).any(0)
    changes = [look.changes[layers[-1][1]] for look in looks if layers[-1][1] in look.changes]
    rows = [change.gradient for change in changes if change.gradient is not None]
    if not bool(read.any()) or len(varied) != len(read) or not rows:
        return []
    if any(len(row) != len(read) or bool((row != 0)[~read].any()) for row in rows):
        return []
    return [int(i) for i in (varied & ~read).nonzero()]


def products_of_zeros(case: Case) -> list[str]:
    """Parameters of nothing but zeros, two at least, that had a gradient of nothing but zeros in
    each look, though the loss depends on them: where they are multiplied with each other, none of
    them can ever begin to move.
    """
    looks = [look for look in case.looks if look.changes]
    if len(looks) < LEAST_LOOKS or case.steps < LEAST_STEPS:
        return []
    zeros = []
    for name, parameter in case.facts.parameters.items():
        changes = [look.changes[name] for look in looks if name in look.changes]
        if not parameter.trained or parameter.length != 0 or len(changes) < LEAST_LOOKS:
            continue
        if any(c.gradient is None or bool(c.gradient.any()) for c in changes):
            continue
        if not any(bool(c.weight.any()) for c in changes):
            zeros.append(name)
    # biases of units that are off are zeros, too, and no factors of each other
    factors = [n for n in zeros if len(case.facts.parameters[n].shape) > 1 or _is_scale(case, n)]
    return factors if len(factors) > 1 else []


def _is_scale(case: Case, name: str) -> bool:
    return math.prod(case.facts.parameters[name].shape) == 1
