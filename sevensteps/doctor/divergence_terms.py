"""The divergence of a code from the normal distribution, by the terms of a loss that make it up."""

from __future__ import annotations

from dataclasses import dataclass

from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look

AFTER = {"Sum", "Mean", "View", "Squeeze", "Mul", "Div", "Neg"}  # what ends a term as it is


@dataclass(frozen=True)
class DivergenceTerms:
    """μ² of the output `mean`, and σ² and log σ² of the output `log_variance`, the latter with the
    other sign. `factor` is what μ² is multiplied by in the loss.
    """

    mean: str
    log_variance: str
    factor: float


def divergence_terms(look: Look) -> DivergenceTerms | None:
    """-½(1 + log σ² - μ² - σ²), times whatever weight; None where the loss has no such terms."""
    squares = [term for term in look.loss_terms if _ends_with(term, "Pow")]
    powers = [term for term in look.loss_terms if _ends_with(term, "Exp")]
    logarithms = [term for term in look.loss_terms if _ends_with(term, "")]
    for variance in powers:
        for logarithm in logarithms:
            if logarithm.sources != variance.sources or _product(logarithm, variance) >= 0:
                continue
            for mean in squares:
                if mean.sources != variance.sources and _product(mean, variance) > 0:
                    return DivergenceTerms(mean.output, variance.output, mean.factor or 0.0)
    return None


def _ends_with(term: LossTerm, name: str) -> bool:
    """Whether one output alone goes into a term, by an operation of this name ("": by none)."""
    if len(term.sources) != 1 or term.factor is None or term.target is not None:
        return False
    names = [operation.name for operation in term.operations]
    while names and names[-1] in AFTER:
        names.pop()
    if name == "Exp" and names[:1] == ["Mul"]:
        del names[0]  # of the logarithm of σ
    return names == ([name] if name else [])


def _product(one: LossTerm, other: LossTerm) -> float:
    """That of their factors."""
    return (one.factor or 0.0) * (other.factor or 0.0)
