"""Whether a training has learned anything: the one judgement, of everything that is known of it,
for every task and every loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sevensteps.doctor.case import Case
from sevensteps.doctor.chance import (
    MIN_STEPS,
    compare_with_chance,
    is_at_chance,
    why_too_early,
)
from sevensteps.doctor.failures import Failure, failure
from sevensteps.doctor.measures import loss_fell
from sevensteps.doctor.other_scores import ChanceComparison

Verdict = Literal["learns", "chance", "fails", "unknown"]
AT_CHANCE = (  # what leaves a network at chance most often, where nothing else is known
    *("labels_unrelated", "input_not_used", "parameters_not_updated", "learning_rate_too_low"),
    *("learning_rate_too_high", "inputs_scrambled"),
)
NAMED = 4  # suspects


@dataclass(frozen=True)
class Judgement:
    """`verdict`: it "learns", is at "chance", "fails" though one measure looks well (`failure`), or
    is "unknown". `comparisons` are what that rests on; `early` says why it may need longer, ""
    where it does not; `had_time` that it did not come to anything all the same.
    """

    verdict: Verdict
    comparisons: tuple[ChanceComparison, ...] = ()
    failure: Failure | None = None
    early: str = ""
    had_time: bool = True

    @property
    def is_bad(self) -> bool:
        """Whether nobody could use what came of this training."""
        return self.verdict in ("chance", "fails")


def judge(case: Case) -> Judgement:
    """The judgement of a training, worked out once."""
    judgement: Judgement = case.once("learning", lambda: _judge(case))
    return judgement


def _judge(case: Case) -> Judgement:
    early = why_too_early(case)
    comparisons = tuple(compare_with_chance(case))
    if (sign := failure(case)) is not None:
        return Judgement("fails", comparisons, sign, early)
    if not comparisons:
        return Judgement("unknown", early=early)
    verdict: Verdict = "chance" if is_at_chance(list(comparisons)) else "learns"
    # a loss that has fallen far while the score shows nothing needs no longer: what makes it fall
    # is not what is asked for
    fell = loss_fell(case) and case.steps >= MIN_STEPS and case.skill is not None
    return Judgement(verdict, comparisons, early=early, had_time=fell or not early)


def nearest_suspects(case: Case) -> tuple[str, ...]:
    """The conditions that come nearest to a training that went wrong for no reason that was named,
    the likeliest first: those that were remarked on, what leads to what was measured, and what was
    suspected and ruled out. What was ruled out is not suspected for other reasons.
    """
    remarks = [f.condition for f in case.findings if f.severity == "info"]
    sign, ruled_out = judge(case).failure, [name for name, _ in case.ruled_out]
    leading = [name for name in (sign.suspects if sign else AT_CHANCE) if name not in ruled_out]
    return tuple(dict.fromkeys([*remarks, *leading, *ruled_out]))[:NAMED]
