"""The losses that a script calls `backward` on: their values, and the targets in their graphs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MAX_NODES = 400  # of a graph that are searched for a target
# how the names of operations begin, of losses, that keep their target
LOSSES = (
    "NllLoss",
    "MseLoss",
    "SmoothL1Loss",
    "HuberLoss",
    "BinaryCrossEntropy",
    "KlDiv",
    "SoftMargin",
    "MultilabelMargin",
    "MultiMargin",
)
MAX_WAITING = 64  # losses that are kept apart until an optimizer steps
WEIGHTED = ("Addmm", "Mm", "Bmm", "Convolution", "Linear", "Embedding")  # with weights


@dataclass(frozen=True)
class BackwardLoss:
    """A loss that `backward` was called on, within an optimizer's step (`inside`) or before one."""

    loss: Tensor
    inside: bool = False


def sum_of(losses: list[BackwardLoss]) -> Tensor:
    """The loss of a step that had these: their sum, for so are their gradients; in an optimizer
    that computes gradients itself, as LBFGS does many times in a step, the first.
    """
    inside = [one.loss for one in losses if one.inside]
    if inside:
        return inside[0]
    total = losses[0].loss
    with torch.enable_grad():
        for one in losses[1:]:
            total = total + one.loss.to(total.device)
    return total


def add_waiting(losses: list[BackwardLoss], loss: BackwardLoss) -> None:
    """Add a loss to those that wait for a step. Of very many, as where none ever comes, the older
    are kept as their sum, without its graph.
    """
    losses.append(loss)
    if len(losses) > MAX_WAITING:
        older = losses[:-2]
        inside = any(one.inside for one in older)
        losses[:-2] = [BackwardLoss(sum_of(older).detach(), inside)]


class TargetReader:
    """Reads the targets that PyTorch keeps for the gradients of losses.

    A search through the graph takes longer than a small step may; where one has found a target, the
    same way through the graph leads to those of the steps after it.
    """

    def __init__(self) -> None:
        self._way: tuple[int, ...] | None = None

    def target(self, loss: Tensor, *, search: bool) -> Tensor | None:
        """The target of a loss whose backward pass is still to come; None where there is none.

        A target that was flattened comes back in the shape it had before.
        """
        if self._way is not None:
            node: Any = loss.grad_fn
            for index in self._way:
                following = node.next_functions if node is not None else ()
                node = following[index][0] if index < len(following) else None
            if node is not None and (target := _target_of(node)) is not None:
                return target
        return self._search(loss) if search else None

    def _search(self, loss: Tensor) -> Tensor | None:
        queue: deque[tuple[Any, tuple[int, ...]]] = deque([(loss.grad_fn, ())])
        visited = {loss.grad_fn}
        while queue and len(visited) < MAX_NODES:
            node, way = queue.popleft()
            if node is None:
                continue
            if (target := _target_of(node)) is not None:
                self._way = way
                return target
            if node.name().startswith(WEIGHTED):
                continue
            for index, (following, _) in enumerate(node.next_functions):
                if following is not None and following not in visited:
                    visited.add(following)
                    queue.append((following, (*way, index)))
        return None


def _target_of(node: Any) -> Tensor | None:
    if not node.name().startswith(LOSSES):
        return None
    target = _unpacked(node, "_saved_target")
    if target is None or not target.ndim or target.requires_grad:
        return None
    return _unflattened(target)


def _unpacked(node: Any, name: str) -> Tensor | None:
    try:
        value = getattr(node, name, None)
    except RuntimeError:  # freed, or overwritten: the backward pass will say so itself
        return None
    return value if isinstance(value, Tensor) else None


def _unflattened(target: Tensor) -> Tensor:
    base = target._base
    if base is not None and base.numel() == target.numel() and base.ndim == target.ndim + 1:
        return base
    return target
