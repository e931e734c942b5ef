"""Whether a table of vectors takes a word for padding, whose vector is then never trained."""

from __future__ import annotations

from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import layer_label, significant
from sevensteps.observe.structure import tensors_of

INSIDE = 0.5  # of the places where the number stands, that are neither before nor after all words
LEAST = 20  # places where it stands
LEARNED = 0.95  # skill, from which on nothing is missed


def frozen_word(case: Case) -> Finding | None:
    """`parameters_not_updated`, where the number that `padding_idx` names stands among the words of
    a sequence, and not before or after them: its vector stays 0.
    """
    if case.network is None or case.examples is None or known_to_learn(case, LEARNED):
        return None
    tables = [
        (name, module.padding_idx)
        for name, module in case.network.named_modules()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    for name, padding in tables:
        for words in tensors_of(case.examples[0]).values():
            if words.is_floating_point() or words.ndim != 2 or words.shape[1] < 3:
                continue
            share = _inside(words, padding)
            if share is not None and share >= INSIDE:
                return _finding(name, padding, share)
    return None


def _inside(words: Tensor, padding: int) -> float | None:
    """The share of the places of a number [N, T] that have other words before and after them; None
    of a number that is rare.
    """
    other = (words != padding).long()
    before, after = other.cumsum(1) > 0, other.flip(1).cumsum(1).flip(1) > 0
    places = words == padding
    count = int(places.sum())
    return float((places & before & after).sum()) / count if count >= LEAST else None


def _finding(name: str, padding: int, share: float) -> Finding:
    return Finding(
        "parameters_not_updated",
        "gradient",
        "error",
        0.85,
        f"{layer_label(name)} has padding_idx={padding}, and in {share:.0%} of the places where "
        f"{padding} stands there are other words before and after it: it is a word, and no "
        "filling. Its vector is never trained and stays as it is, 0 from the start.",
        [
            Measure(
                f"places of {padding} with other words on both sides",
                significant(share),
                "about 0",
                "the training data",
            )
        ],
        [
            Remedy(
                {},
                "every word then has a vector that learns",
                "leave padding_idx out, or give it a number that no word has: count words from 1",
            )
        ],
        {"parameters": [f"{name}.weight"]},
        0,
    )
