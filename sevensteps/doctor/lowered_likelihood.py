"""Log-likelihoods and divergences with the wrong sign, by the terms of a loss."""

from __future__ import annotations

import math

from sevensteps.doctor.loss_purpose import DATA, purpose_of
from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look

NORMALIZERS = {"Logsumexp", "Logcumsumexp"}
PLAIN = {"MaskMul", "Sum", "Mean", "Neg", "Div", "View", "Squeeze", "Select", "Index", "Gather"}
DIVERGENCES = ("kl_divergence", "kl_div")


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


def lowered_log_prob(look: Look) -> tuple[str, float] | None:
    """The name and the factor of log-probabilities of PyTorch's distributions that are all that a
    loss has beside regularizers, and bare outputs that are added, as the logarithm of a volume is:
    above 0 the optimizer makes what was observed unlikely. None where the loss has anything else.
    """
    own = [term for term in look.loss_terms if term.name.endswith(".log_prob")]
    rest = [term for term in look.loss_terms if term not in own]
    if not own or not all(purpose_of(t) == "regularizer" or _is_added_output(t) for t in rest):
        return None
    weighting = {operation.name for term in own for operation in term.weighting}
    factors = [term.factor for term in own if term.factor is not None]
    if len(factors) < len(own) or not weighting <= PLAIN - {"MaskMul"}:
        return None
    return own[0].name, min(factors)


def lowered_density(look: Look) -> float | None:
    """What the square of an output is multiplied by in a loss that is made of such squares and of
    bare outputs with the other sign, as the density of a flow is: -z²/2 + log|det J|. Below 0 the
    optimizer makes what was observed unlikely. None where the loss is made of anything else.
    """
    squares, bare = [], []
    for term in look.loss_terms:
        names = {operation.name for operation in term.operations}
        if term.factor is None or term.target is not None or not _names(term) <= PLAIN | {"Mul"}:
            return None
        if term.name == "output":
            bare.append(term)
        elif "Pow" in names and names <= PLAIN | {"Pow", "Mul", "Sub", "Add"}:
            squares.append(term)
        else:
            return None
    signs = {math.copysign(1.0, term.factor or 0.0) for term in squares}
    if (
        not squares
        or not bare
        or len(signs) > 1
        or {t.output for t in bare} & {t.output for t in squares}
    ):
        return None
    opposite = all((term.factor or 0.0) * (squares[0].factor or 0.0) < 0 for term in bare)
    return squares[0].factor if opposite else None


def raised_divergence(look: Look) -> tuple[str, float] | None:
    """The name and the factor of a divergence between two distributions, computed by PyTorch, that
    the loss takes away from an error or from a likelihood; None where it has none, or adds it.
    """
    own = [term for term in look.loss_terms if term.name in DIVERGENCES]
    rest = [term for term in look.loss_terms if term not in own]
    of_data = [t for t in rest if t.target in DATA or _is_likelihood(t)]
    alone = not rest and {term.name for term in own} == {"kl_div"}
    weighed = any(name in ("Mul", "SignedMul") for term in rest for name in _names(term))
    if not own or not (of_data or alone) or weighed:
        return None
    factors = [term.factor for term in own if term.factor is not None]
    if len(factors) < len(own) or not all(factor < 0 for factor in factors):
        return None
    return own[0].name, min(factors)


def _is_added_output(term: LossTerm) -> bool:
    plain = term.name == "output" and _names(term) <= PLAIN
    return plain and term.factor is not None and term.factor > 0


def _is_likelihood(term: LossTerm) -> bool:
    return term.name.endswith(".log_prob") or term.name == "gaussian_nll_loss"


def _names(term: LossTerm) -> set[str]:
    """The operations between a term and the loss."""
    return {operation.name for operation in term.weighting}
