"""Why an operation gave a number that is not finite, in words, and what cures it.

The reason is read off the numbers that the operation was given, at the place of the first bad one.
"""

from __future__ import annotations

import math

import torch

from sevensteps.doctor.trace.gradient_reasons import GRADIENT_RULES
from sevensteps.doctor.trace.operations import Origin
from sevensteps.doctor.trace.reason import Reason
from sevensteps.doctor.trace.result_reasons import RESULT_RULES

PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "addmv", "mv", "dot", "convolution", "linear")
GROWING = (*PRODUCTS, "mul", "add", "sub", "sum", "pow", "square", "mean", "cumsum", "prod", "norm",
           "linalg_vector_norm", "mse_loss", "native_layer_norm", "native_batch_norm", "addcmul",
           "to_copy")  # fmt: skip
HALF_MAX = 65504.0


def reason_of(origin: Origin) -> Reason:
    """Why `origin` gave what is not finite."""
    rules = GRADIENT_RULES if origin.node is not None else RESULT_RULES
    for rule in (*rules, _half_precision, _overflow):
        if (reason := rule(origin)) is not None:
            return reason
    what = "its gradient" if origin.node is not None else "its result"
    return Reason(
        "operation",
        f"{what} is not finite, though all that goes into it is",
        f"keep what goes into {origin.operation} within the range where it is defined",
        "outside of it there is no number to give",
    )


def _half_precision(origin: Origin) -> Reason | None:
    if origin.output.dtype != torch.float16:
        return None
    largest = max((float(t.abs().max()) for t in origin.tensors if t.numel()), default=0.0)
    return Reason(
        "half",
        f"the result is above {HALF_MAX:,.0f}, the largest number of float16; the largest that "
        f"went in is {largest:.4g}",
        "compute this part in float32 (torch.autocast(…, enabled=False) and .float() around it), "
        "or use bfloat16; scale inputs and targets down",
        "float16 ends where float32 has not begun",
        largest,
    )


def _overflow(origin: Origin) -> Reason | None:
    sizes = [float(t.abs().max()) for t in origin.tensors if t.numel()]
    largest = max((size for size in sizes if math.isfinite(size)), default=0.0)
    if origin.name.strip("_") not in GROWING or largest < 1e9:
        return None
    return Reason(
        "overflow",
        f"numbers up to {largest:.3g} went in, and the result is beyond every number of "
        f"{str(origin.output.dtype).removeprefix('torch.')}",
        "find what grows: scale the inputs, normalise between layers, clip the gradient",
        "nothing in a network should be near the end of the range",
        largest,
    )
