"""Near and far that are exchanged, in losses of pairs: a part of `loss_sign`."""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.falling_scores import score_rises
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import final_loss, first_loss, significant
from sevensteps.observe.call import LossTerm
from sevensteps.observe.compared_passes import PairDistances

STEP = "loss"
MOST = 0.9  # share of the looks
JUDGED = 5  # looks, at a judge and what it judges
MIN_PAIRS = 40  # drawn together, and as many pushed apart
PAIR_SIGMAS, FURTHER = 6.0, 1.1  # of the mean distances of their inputs, and their ratio
COLUMN_SIGMAS, AGAINST_SIGMAS = 8.0, 4.0  # of the same in one column, and in any other
FELT = 0.6  # of the pairs, that the loss moves
LIKENESS = ("Mm", "Bmm", "Einsum", "CosineSimilarity")
DISTANCES = ("EuclideanDist", "Cdist", "Norm", "LinalgVectorNorm", "PairwiseDistance")
TURNED = ("Neg", "Rsub", "SignedMul", "SignedDiv", "Reciprocal")
Parts = tuple[int, float, float]


def pair_sign(case: Case) -> Finding | None:
    """The first of these that is so."""
    return (
        _unlike_attract(case) or _pulls_alike(case) or _draws_strangers(case) or _draws_unlike(case)
    )


def _unlike_attract(case: Case) -> Finding | None:
    """A cross-entropy whose classes are the places in the batch, of likeness with its sign turned,
    or of distances as they are: what belongs together is pushed apart.
    """
    terms = [
        term
        for look in case.looks[:8]
        for term in look.loss_terms
        if term.target == "positions" and term.name in ("cross_entropy", "nll_loss")
    ]
    kinds = {_attraction(term) for term in terms}
    if len(kinds) != 1 or (kind := kinds.pop()) is None or score_rises(case):
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.9,
        f"The cross-entropy takes {kind} for the logits of which of the batch belongs to which: "
        "the softmax is largest where two codes are least alike, and each step pushes apart what "
        f"belongs together. The loss goes from {first_loss(case):.3g} to {final_loss(case):.3g} "
        "all the same.",
        [Measure("logits of the cross-entropy", kind, "likeness", "PyTorch's graph")],
        [
            Remedy(
                {},
                "the logits have to be large for what belongs together",
                "logits = a @ b.T / temperature, or -distance: no minus before likeness, one "
                "before distances",
            )
        ],
        {},
        0,
    )


def _attraction(term: LossTerm) -> str | None:
    """What logits of likeness or distance are that are large for what is unlike; None where they
    are not, or where that is not known.
    """
    names = [operation.name for operation in term.operations]
    at = next((i for i, name in enumerate(names) if name in (*LIKENESS, *DISTANCES)), None)
    if at is None:
        return None
    after = names[at + 1 :]
    if "Sub" in after or any(name in (*LIKENESS, *DISTANCES) for name in after):
        return None  # of more than likeness alone, as distances are from products
    turned = sum(name in TURNED for name in after) % 2 == 1
    if names[at] in LIKENESS:
        return "likeness with its sign turned" if turned else None
    return None if turned else "distances without a minus"


def _pulls_alike(case: Case) -> Finding | None:
    """A judge, and a network that is trained through it to be judged as its own step judges what
    that network makes.
    """
    alike = [look.pulls_alike for look in case.looks if look.pulls_alike is not None]
    if not case.several or len(alike) < JUDGED or alike.count(True) < MOST * len(alike):
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.9,
        "What is made for this network to judge comes with two gradients: that of its own step, "
        "which tells it from the data, and that which goes on into the network that made it. In "
        f"{alike.count(True)} of {len(alike)} looks both pull the answers the same way: the one "
        "that is to deceive is trained to be recognised.",
        [
            Measure(
                "looks in which both pull the same way",
                alike.count(True),
                0,
                "signs of dL/d(answer) for what is made",
            )
        ],
        [
            Remedy(
                {},
                "each is to make worse what the other makes better",
                "turn the sign of the generator's loss, or give it the labels of the real ones: "
                "bce(D(fake), ones), -D(fake).mean()",
            )
        ],
        {},
        0,
    )


def _draws_strangers(case: Case) -> Finding | None:
    """A loss of pairs that draws together what lies further apart in the inputs than what it pushes
    apart, while no score rises.
    """
    if case.before_training or case.several or case.loss_is_error or score_rises(case):
        return None
    pairs = [look.pairs for look in case.looks if look.pairs is not None]
    drawn, pushed = (_all([getattr(one, side) for one in pairs]) for side in ("drawn", "pushed"))
    if drawn is None or pushed is None or not drawn[1] > FURTHER * pushed[1] > 0:
        return None
    noise = math.hypot(drawn[2], pushed[2])
    if drawn[1] - pushed[1] < PAIR_SIGMAS * noise:
        return None
    columns = _columns(pairs)
    if columns and min(columns)[0] < -AGAINST_SIGMAS:
        return None  # hard pairs: near in what tells them apart, and far in the rest
    scored = bool(case.observation.scores)
    return Finding(
        "loss_sign",
        STEP,
        "error" if scored else "warning",
        0.85 if scored else 0.7,
        f"The loss draws together the codes of inputs that lie {drawn[1]:.3g} apart in the mean, "
        f"and pushes apart those of inputs that lie {pushed[1]:.3g} apart"
        + (", and the score does not rise" if scored else "")
        + ": near and far are exchanged, in the sign of the loss, its labels or its arguments.",
        [
            Measure(
                "distance of the inputs that are drawn together",
                significant(drawn[1]),
                f"below {significant(pushed[1]):g}",
                f"{drawn[0]} pairs that are drawn together, {pushed[0]} that are pushed apart",
            )
        ],
        [
            Remedy(
                {},
                "what belongs together is to come near",
                "check what a label of 1 means to the loss, and which argument is the positive",
            )
        ],
        {},
        0,
    )


def _draws_unlike(case: Case) -> Finding | None:
    """A loss of pairs that draws together what differs in some columns of the inputs by far more
    than what it pushes apart, and in none by far less: as long as it moves nearly all of them, for
    later only the hard ones are left of what was to be apart.
    """
    if case.before_training or case.several or score_rises(case):
        return None
    if case.loss_is_error and not _is_of_pairs(case):
        return None
    pairs = [look.pairs for look in case.looks if look.pairs is not None]
    columns = _columns([one for one in pairs if one.felt >= FELT])
    if len(columns) < 2 or max(columns)[0] < COLUMN_SIGMAS or min(columns)[0] < -AGAINST_SIGMAS:
        return None
    _, column, drawn, pushed = max(columns)
    if drawn[1] <= FURTHER * pushed[1]:
        return None
    scored = bool(case.observation.scores)
    return Finding(
        "loss_sign",
        STEP,
        "error" if scored else "warning",
        0.8 if scored else 0.7,
        "The loss draws together the codes of inputs that differ, and pushes apart those of inputs "
        f"that are alike: in column {column} the squared difference is {drawn[1]:.3g} for the "
        f"former and {pushed[1]:.3g} for the latter in the mean, and no column says otherwise. "
        "Near and far are exchanged, in the sign of the loss, its labels or its arguments.",
        [
            Measure(
                f"squared difference in column {column} of inputs that are drawn together",
                significant(drawn[1]),
                f"below {significant(pushed[1]):g}",
                f"{drawn[0]} pairs that are drawn together, {pushed[0]} that are pushed apart",
            )
        ],
        [
            Remedy(
                {},
                "what belongs together is to come near",
                "check what a label of 1 means to the loss, and which argument is the positive",
            )
        ],
        {},
        0,
    )


def _is_of_pairs(case: Case) -> bool:
    """Whether each term of the loss is computed from two answers, or more, of the network."""
    terms = [term for look in case.looks[:8] for term in look.loss_terms]
    return bool(terms) and all(len(term.passes) > 1 for term in terms)


def _columns(pairs: list[PairDistances]) -> list[tuple[float, int, Parts, Parts]]:
    """Of each column of the inputs: by how many standard errors the squared difference of what is
    drawn together is the larger one, the column, and both; nothing of too few pairs.
    """
    known = [one for one in pairs if one.drawn_columns and one.pushed_columns]
    if len({len(one.drawn_columns) for one in known}) != 1:
        return []
    columns = []
    for column in range(len(known[0].drawn_columns)):
        drawn = _all([(one.drawn[0], *one.drawn_columns[column]) for one in known])
        pushed = _all([(one.pushed[0], *one.pushed_columns[column]) for one in known])
        if drawn is None or pushed is None:
            return []
        noise = math.hypot(drawn[2], pushed[2])
        if noise > 0:
            columns.append(((drawn[1] - pushed[1]) / noise, column, drawn, pushed))
    return columns


def _all(parts: list[tuple[int, float, float]]) -> tuple[int, float, float] | None:
    """How many pairs there are in all looks, their mean and its standard error; None of too few."""
    count = sum(n for n, _, _ in parts)
    if count < MIN_PAIRS:
        return None
    mean = math.fsum(n * m for n, m, _ in parts) / count
    spread = math.fsum(n * (variance + (m - mean) ** 2) for n, m, variance in parts) / count
    return count, mean, math.sqrt(spread / count)
