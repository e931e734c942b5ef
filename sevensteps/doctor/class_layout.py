"""Where the classes lie in memory, in what the last layer gives and in what the loss takes: a view
keeps the numbers in their order, so that both have to be the same where no axis was moved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sevensteps.doctor.case import Case
from sevensteps.doctor.loss_from_calls import LAYOUT
from sevensteps.doctor.measures import weight_layers
from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Look

VIEWS = {"View", "Reshape", "ReshapeAlias", "UnsafeView"}
MOVERS = {"Transpose", "Permute", "T"}
# what leaves every number in its place
IN_PLACE = (LAYOUT - MOVERS) | {
    *("LogSoftmax", "Softmax", "Sigmoid", "Relu", "Tanh", "Neg", "Mul", "Div", "Add", "Clamp"),
    *("LogSigmoid", "Log"),
}


@dataclass(frozen=True)
class Unmoved:
    """A loss of `classes` that takes numbers which lie `apart_in_loss` in memory for
    those of one place, while the last layer put these `apart`.
    """

    call: Call
    layer: str
    classes: int
    apart: int
    apart_in_loss: int


def classes_viewed(case: Case) -> Unmoved | None:
    """The loss of classes whose axis was never moved to where the loss looks for it; None where
    they lie right, or where that cannot be told.
    """
    for look in case.looks[:8]:
        for term in look.loss_terms:
            known = term.call is not None and term.call < len(look.calls)
            call = look.calls[term.call] if known and term.call is not None else None
            if call is not None and (found := _unmoved(case, look, term, call)) is not None:
                return found
    return None


def _unmoved(case: Case, look: Look, term: LossTerm, call: Call) -> Unmoved | None:
    shape = call.shapes.get("input", ())
    layers = [layer for layer, _ in weight_layers(case) if layer.name in look.signals]
    names = [operation.name for operation in (*term.ending, *term.operations)]
    if call.name not in ("cross_entropy", "nll_loss") or len(shape) < 2 or not layers:
        return None
    if not VIEWS & set(names) or not set(names) <= IN_PLACE or look.batch < 2:
        return None
    layer, classes, numbers = layers[-1], shape[1], math.prod(shape)
    if len(look.signals[layer.name].mean) != classes or numbers % (look.batch * classes):
        return None
    if layer.kind == "Linear":
        apart = 1
        if classes in shape[2:]:
            return None  # its units may be places
    elif layer.kind in ("Conv1d", "Conv2d", "Conv3d"):
        apart = numbers // (look.batch * classes)
    else:
        return None
    apart_in_loss = math.prod(shape[2:])
    return (
        Unmoved(call, layer.name, classes, apart, apart_in_loss) if apart != apart_in_loss else None
    )
