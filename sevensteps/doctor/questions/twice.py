"""Does the network answer the same when it is asked the same twice, in evaluation mode?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.doctor.asking import SAMPLES, main_target
from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import MOST, Asker, put
from sevensteps.observe.structure import rows

TIMES = 4  # that scores with dropout are the mean of


@dataclass(frozen=True)
class Twice:
    """`apart`: the root mean square difference of two answers to the same inputs with other random
    numbers, in units of the spread of the answers between samples; `without_dropout`: the same,
    with all dropout left out.

    `places` are those that call dropout which evaluation mode does not stop, as `net.py:41`;
    `on_purpose` says whether each says there that it is to work. `score` is that with dropout, the
    mean of some, `score_without` that without it, `score_of_mean` that of the mean of some answers
    (None: it cannot be computed).
    """

    apart: float
    without_dropout: float
    places: tuple[str, ...]
    on_purpose: bool
    score: float | None
    score_without: float | None
    score_of_mean: float | None = None


def twice(case: Case) -> Twice | None:
    """Ask twice, with and without dropout; None where the answers are alike for all samples, or
    change though the random numbers are the same.
    """
    return put(case, "mode_mismatch", _ask, most=SAMPLES)


def _ask(asker: Asker) -> Twice | None:
    inputs = rows(asker.inputs, slice(0, MOST))
    without = asker(inputs)
    spread = float(without.std(0).square().mean().sqrt())
    if not spread > 1e-6 * float(without.square().mean().sqrt()):
        return None

    def apart(one: Tensor, other: Tensor) -> float:
        return float((one - other).square().mean().sqrt()) / spread

    first = asker(inputs, dropout=True)
    again = asker(inputs, seed=1, dropout=True)
    difference = apart(first, again)
    if difference == 0:
        return Twice(0.0, 0.0, (), False, None, None)
    if not torch.equal(first, asker(inputs, dropout=True)):
        return None  # it remembers what it was asked
    outputs = [asker.output(asker.inputs, seed, dropout=True) for seed in range(TIMES)]
    scores = [_score(asker, output) for output in outputs]
    known = [score for score in scores if score is not None]
    without_dropout = apart(without, asker(inputs, seed=1))
    calls = asker.dropout_calls
    return Twice(
        difference,
        without_dropout,
        tuple(dict.fromkeys(call.where for call in calls)),
        bool(calls) and all(call.on_purpose for call in calls),
        sum(known) / len(known) if known else None,
        _score(asker, asker.output(asker.inputs)),
        _score_of_mean(asker, outputs),
    )


def _score_of_mean(asker: Asker, outputs: list[Any]) -> float | None:
    answers = [asker.case.answer_in(output) for output in outputs]
    known = [answer.detach() for answer in answers if answer is not None]
    target = main_target(asker.targets) if asker.targets is not None else None
    if len(known) < len(answers) or target is None:
        return None
    return asker.case.score(torch.stack(known).mean(0).cpu(), target)


def _score(asker: Asker, output: Any) -> float | None:
    answer = asker.case.answer_in(output)
    target = main_target(asker.targets) if asker.targets is not None else None
    return asker.case.score(None if answer is None else answer.cpu(), target)
