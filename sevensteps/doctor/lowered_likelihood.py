"""A log-likelihood of one among many, by the terms of a loss that make it up."""

from __future__ import annotations

import math

from sevensteps.observe.look import Look

NORMALIZERS = {"Logsumexp", "Logcumsumexp"}
PLAIN = {"MaskMul", "Sum", "Mean", "Neg", "Div", "View", "Squeeze", "Select", "Index", "Gather"}


def lowered_likelihood(look: Look) -> float | None:
    """What a score, less the logarithm of the sum of all their exponentials, is multiplied by where
    the loss has both, of one output, with weights of one sign, as in Cox's partial likelihood;
    above 0 the optimizer makes the likelihood small. None where the loss has no such terms.
    """
    for whole in look.loss_terms:
        names = {operation.name for operation in whole.operations}
        if not NORMALIZERS & names or whole.factor is None or len(whole.sources) != 1:
            continue
        for own in look.loss_terms:
            after = {operation.name for operation in (*whole.weighting, *own.weighting)}
            plain = after <= PLAIN and names <= PLAIN | NORMALIZERS
            if own.name != "output" or own.sources != whole.sources or not plain:
                continue
            if own.factor is not None and math.isclose(own.factor, -whole.factor, rel_tol=1e-4):
                return own.factor
    return None
