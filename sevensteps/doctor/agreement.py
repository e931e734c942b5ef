"""Whether a loss, whatever it is made of, leads the answers to their targets or away from them: by
the gradient at the outputs, and by what became of the answers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.doctor.kind_of_task import class_axis
from sevensteps.observe.look import Look

LEAST = 20  # numbers of each kind, with a gradient
FEW = 4  # of each kind, whose means are compared


def share_led_away(look: Look) -> float | None:
    """The share of the answers in a look that a step down the gradient makes worse, of whichever
    kind it is less: where the answer is yes and where it is no, or of the own class and of the
    others; None where targets are no classes, or few have a gradient.
    """
    output, target, gradient = look.output, look.target, look.output_gradient
    if output is None or target is None or gradient is None or gradient.shape != output.shape:
        return None
    if len(target) != len(output) or not bool(gradient.isfinite().all()):
        return None
    yes = _is_yes(output, target)
    if yes is None:
        return None
    shares = []
    for kind, sign in ((yes, 1), (~yes, -1)):
        pulled = gradient[kind] * sign
        pulled = pulled[pulled != 0]
        if len(pulled) < LEAST:
            return None
        shares.append(float((pulled > 0).double().mean()))
    return min(shares)


def correlation_led(look: Look) -> tuple[float, float] | None:
    """Of targets that are numbers: the share of columns whose agreement with the targets, a sum of
    products, a step down the gradient lowers, and the mean correlation of outputs and targets;
    None for classes, or where it cannot be told.
    """
    output, target, gradient = look.output, look.target, look.output_gradient
    if output is None or target is None or gradient is None or gradient.shape != output.shape:
        return None
    if not target.is_floating_point() or target.numel() != output.numel() or len(output) < FEW:
        return None
    if bool(((target == 0) | (target == 1)).all()) or not bool(gradient.isfinite().all()):
        return None
    o, t, g = (v.double().reshape(len(output), -1) for v in (output, target, gradient))
    o, t = o - o.mean(0), t - t.mean(0)
    varied = (o.norm(dim=0) > 0) & (t.norm(dim=0) > 0) & (g.norm(dim=0) > 0)
    if not bool(varied.any()):
        return None
    lowered = ((g * t).sum(0) > 0)[varied].double().mean()
    correlation = ((o * t).sum(0) / (o.norm(dim=0) * t.norm(dim=0)))[varied].mean()
    return float(lowered), float(correlation)


def led_from_targets(look: Look) -> dict[tuple[str, int], tuple[float, float]]:
    """Of targets that are numbers, for each output by its path, and each block of its columns that
    is as wide as the targets, such as the mean in mean and spread: the share of numbers that a step
    down the gradient moves away from their target, and the mean distance from it.
    """
    target = look.target
    if target is None or not target.is_floating_point() or len(target) < FEW:
        return {}
    t = target.double().reshape(len(target), -1)
    if not bool(t.isfinite().all()) or bool(((t == 0) | (t == 1)).all()):
        return {}
    blocks: dict[tuple[str, int], tuple[float, float]] = {}
    outputs: dict[str, Tensor | None] = dict(look.outputs) or {"": look.output}
    for path, output in outputs.items():
        gradient = look.output_gradients.get(path, None if path else look.output_gradient)
        if output is None or gradient is None or gradient.shape != output.shape:
            continue
        if len(output) != len(t) or output.numel() % t.numel():
            continue
        os, gs = (v.double().reshape(len(t), -1).split(t.shape[1], 1) for v in (output, gradient))
        for place, (o, g) in enumerate(zip(os, gs, strict=True)):
            pull = (o - t) * g
            pull = pull[pull != 0]
            if len(pull) >= LEAST:
                away = float((pull < 0).double().mean())
                blocks[path, place] = away, float((o - t).abs().mean())
    return blocks


def agreement(look: Look) -> float | None:
    """By how many of their standard deviations the outputs for a class, or for yes, are higher
    where that is right, in a look; the mean over the columns. None where that cannot be told.
    """
    if look.output is None or look.target is None or len(look.output) != len(look.target):
        return None
    if (yes := _is_yes(look.output, look.target)) is None:
        return None
    axis = 0 if look.output.ndim < 2 else 1 if look.target.is_floating_point() else None
    if axis is None:
        axis = class_axis(tuple(look.output.shape), tuple(look.target.shape)) or 1
    columns = [look.output] if axis == 0 else list(look.output.double().unbind(axis))
    right = [yes] if axis == 0 else list(yes.unbind(axis))
    apart = [_apart(o.double(), r) for o, r in zip(columns, right, strict=True)]
    known = [value for value in apart if value is not None]
    return sum(known) / len(known) if known else None


def _apart(output: Tensor, yes: Tensor) -> float | None:
    spread = float(output.std())
    if not spread > 0 or min(int(yes.sum()), int((~yes).sum())) < FEW:
        return None
    return float(output[yes].mean() - output[~yes].mean()) / spread


def _is_yes(output: Tensor, target: Tensor) -> Tensor | None:
    """Which outputs are those of the right answer, in the outputs' shape: where a target of yes or
    no is yes, or in the place of the target's class.
    """
    if target.is_floating_point() or target.dtype == torch.bool:
        known = target.numel() == output.numel()
        zero_one = known and bool(((target == 0) | (target == 1)).all())
        return (target == 1).reshape(output.shape) if zero_one else None
    if target.numel() == output.numel():
        zero_one = bool(((target == 0) | (target == 1)).all())
        return (target == 1).reshape(output.shape) if zero_one else None
    axis = class_axis(tuple(output.shape), tuple(target.shape))
    if axis is None or int(target.min()) < 0 or int(target.max()) >= output.shape[axis]:
        return None
    places = target.long().reshape(len(target), *output.shape[1:axis], *output.shape[axis + 1 :])
    own = torch.zeros_like(output, dtype=torch.bool)
    return own.scatter(axis, places.unsqueeze(axis), True)
