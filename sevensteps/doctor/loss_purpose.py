"""What a loss is there for: whether it measures an error, so that its curve can be judged.

The loss of a policy, of two networks that play against each other, or of a density has no level
that is good, and may rise while the training goes well.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Look

# functions of torch.nn.functional that measure how far an output is from its target
ERROR_LOSSES = (
    *("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "ctc_loss"),
    *("multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss"),
    *("soft_margin_loss", "linear_cross_entropy"),
)
# ... and that measure something else
OTHER_LOSSES = (
    *("triplet_margin_loss", "triplet_margin_with_distance_loss", "cosine_embedding_loss"),
    *("hinge_embedding_loss", "margin_ranking_loss", "gaussian_nll_loss"),
)
REGULARIZERS = ("penalty", "kl_divergence", "kl_div")
DATA = ("data", "input", "shifted input")


def is_error(looks: Sequence[Look]) -> bool | None:
    """Whether the loss in these looks measures an error between outputs and targets that are data.

    None where it is not known.
    """
    constants: dict[str, set[Any]] = {}  # place of a call -> targets that are one number
    of_data: set[str] = set()  # places whose targets are data, though constant at times
    for look in looks:
        for term in look.loss_terms:
            if (call := _call(look, term)) is None:
                continue
            if term.target == "constant":
                constants.setdefault(call.where, set()).add(call.content.get("target.low"))
            elif term.target in DATA:  # a batch without any of the rare ones
                of_data.add(call.where)
    # sorted data give batches of one class each, but not always of the same one
    of_data |= {where for where, values in constants.items() if len(values) > 1}
    answers = [_terms_are_error(look, of_data) for look in looks if look.loss_terms]
    if False in answers:
        return False
    return True if answers and answers[0] else None


def _call(look: Look, term: LossTerm) -> Call | None:
    """The call that computed a term, where it was noted."""
    known = term.call is not None and term.call < len(look.calls)
    return look.calls[term.call] if known and term.call is not None else None


def _terms_are_error(look: Look, of_data: Set[str]) -> bool | None:
    terms = look.loss_terms
    constant = [
        term
        for term in terms
        if term.call is not None
        and term.target == "constant"
        and ((call := _call(look, term)) is None or call.where not in of_data)
    ]
    one_class = len(terms) == 1 and terms[0].name in ("cross_entropy", "nll_loss")
    if len(constant) > 1 or (constant and len(constant) == len(terms) and not one_class):
        return False  # real or made: one network judges another
    sizes = {"error": 0.0, "regularizer": 0.0, "unknown": 0.0}
    has_error = False
    for term in terms:
        purpose = purpose_of(term)
        if purpose == "other":
            return False
        has_error = has_error or purpose == "error"
        sizes[purpose] += abs(term.contribution or 0.0)
    if not has_error:
        return None
    if sizes["regularizer"] > max(sizes["error"], 1e-12):
        return False
    return True if sizes["unknown"] <= sizes["error"] else None


def purpose_of(term: LossTerm) -> str:
    """What a term is there for: "error", "regularizer", "other", or "unknown"."""
    if term.name in REGULARIZERS or term.name.endswith(".entropy"):
        return "regularizer"
    if term.name in OTHER_LOSSES or term.name == "output" or term.name.endswith(".log_prob"):
        return "other"
    if any(operation.name == "SignedMul" for operation in term.weighting):
        return "other"  # weighed by an advantage
    if term.name in ERROR_LOSSES:
        if term.target in ("network", "output", "positions"):
            return "other"
        weighed = any(operation.name in ("Mul", "Div") for operation in term.weighting)
        return "error" if term.target in (*DATA, "constant") and not weighed else "unknown"
    return "unknown"
