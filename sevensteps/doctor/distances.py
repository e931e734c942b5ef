"""Whether a single output is a distance: small where the answer is yes, and never below 0."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sevensteps.observe.look import Look

PULLED_DOWN = 0.9  # share of the outputs with a gradient whose target is 1, at least
LEAST = 20  # of these outputs


def are_distances(looks: Sequence[Look]) -> bool:
    """Whether the outputs seen are none of them negative, some above 1, and their loss pulls down
    those whose target is 1: they are no logits of a yes and no chances of it, as in a contrastive
    loss of pairs that belong together or do not.
    """
    outputs: list[Tensor] = []
    pulled: list[Tensor] = []
    for look in looks:
        output, target, gradient = look.output, look.target, look.output_gradient
        if output is None or target is None or gradient is None or gradient.shape != output.shape:
            continue
        if target.numel() != output.numel() or not bool(((target == 0) | (target == 1)).all()):
            continue
        outputs.append(output.reshape(-1))
        yes = gradient.reshape(-1)[target.reshape(-1) == 1]
        pulled.append(yes[yes != 0] > 0)
    if not outputs or sum(map(len, pulled)) < LEAST:
        return False
    numbers = torch.cat(outputs)
    if not (bool((numbers >= 0).all()) and bool((numbers > 1).any())):
        return False
    return float(torch.cat(pulled).double().mean()) >= PULLED_DOWN
