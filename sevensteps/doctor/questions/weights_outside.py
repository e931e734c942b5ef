"""Weights that a network computes with and that no optimizer could be given: parameters made anew
in each forward pass, and plain tensors in the place of parameters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.asking import ask
from sevensteps.doctor.case import Case, failure_text
from sevensteps.doctor.drawn_weights import LEAST_OF_NORMAL, are_as_drawn
from sevensteps.observe.structure import rows, tensors_of, to_device

SAMPLES = 8  # samples
LEAST_DRAWN = 20  # numbers, of which it can be told
FAR = 3.0  # standard errors
UNIFORM_TAILS, NORMAL_TAILS = 1.4, 5.0  # fourth moments: 1.8 of uniform numbers, 3 of normal ones
MAX_NODES = 20_000  # of a graph


def parameters_of_one_forward(case: Case) -> list[tuple[int, ...]]:
    """The shapes of the parameters that an answer depends on and the next answer does not, for they
    are others: made while it is computed, and forgotten after it.
    """
    if case.examples is None:
        return []
    with case.network_copy() as network, torch.enable_grad():
        if network is None:
            return []
        device = next((p.device for p in network.parameters()), torch.device("cpu"))
        few = to_device(rows(case.examples[0], slice(0, SAMPLES)), device)
        try:
            first, second = (
                ask(network, few) for _ in range(2)
            )  # both live: no number comes twice
            earlier, known = _leaves(first), {id(p) for p in network.parameters()}
            made = [p for key, p in _leaves(second).items() if key not in {*earlier, *known}]
        except Exception as failure:
            case.not_judged.append(("parameters made in forward", failure_text(failure)))
            return []
        return [tuple(p.shape) for p in made]


def _leaves(answer: Any) -> dict[int, nn.Parameter]:
    """The parameters in the graph behind an answer, by their identity."""
    found: dict[int, nn.Parameter] = {}
    stack = [t.grad_fn for t in tensors_of(answer).values() if t.grad_fn is not None]
    visited = set(stack)
    while stack and len(visited) < MAX_NODES:
        node: Any = stack.pop()
        if isinstance(variable := getattr(node, "variable", None), nn.Parameter):
            found[id(variable)] = variable
        for following, _ in node.next_functions:
            if following is not None and following not in visited:
                visited.add(following)
                stack.append(following)
    return found


def tensors_as_drawn(case: Case) -> dict[str, Tensor]:
    """The matrices that are plain attributes of modules, neither parameters nor buffers, and whose
    numbers are as drawn at random, by their place.
    """
    if case.network is None:
        return {}
    places = {
        f"{prefix}.{name}" if prefix else name: value
        for prefix, module in case.network.named_modules()
        for name, value in vars(module).items()
        if not name.startswith("_") and isinstance(value, Tensor) and _is_matrix(value)
    }
    return {place: t for place, t in places.items() if are_as_drawn([t]) or _may_be_drawn(t)}


def _is_matrix(value: Tensor) -> bool:
    return value.ndim == 2 and value.is_floating_point() and not value.requires_grad


def _may_be_drawn(matrix: Tensor) -> bool:
    """Whether a small matrix looks like independent numbers around 0, as no table, mask, filter or
    code of positions does.
    """
    numbers = matrix.detach().double().flatten()
    if not LEAST_DRAWN <= len(numbers) < LEAST_OF_NORMAL or len(numbers.unique()) < len(numbers):
        return False
    spread = numbers.std()
    z = (numbers - numbers.mean()) / spread
    steady = (z[1:] * z[:-1]).mean() * len(numbers) ** 0.5  # 0 ± 1 of independent ones
    tails = float(z.pow(4).mean())
    centred = abs(float(numbers.mean())) < FAR * float(spread) / len(numbers) ** 0.5
    return centred and abs(float(steady)) < FAR and UNIFORM_TAILS < tails < NORMAL_TAILS
