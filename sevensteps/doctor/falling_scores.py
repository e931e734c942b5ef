"""Whether scores that a loop reports fall: far beyond their noise, and not as those do that wander,
such as the rewards of a policy.
"""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

from sevensteps.doctor.case import Case

SIGMAS = 5.0  # of the means of its first and last quarter, that a score falls by
FINE, COARSE = 12, 8  # blocks of reported scores, whose means show how they wander
NOISE_ALONE = 2.0  # times the variance that noise gives to these steps, up to which none wanders
WALK_SIGMAS, FEWER_SIGMAS = 3.0, 2.0  # of a random walk with such steps; of few of them
STEADY = 0.9  # share of the way from block to block that leads down, of a fall that is no walk
AT_ONCE = 0.1  # of the fall, that is there in the second quarter
FIRST_REWARDS, LAST_REWARDS = 5, 2  # looks, whose rewards are compared
REWARD_SIGMAS = 3.0  # of their difference
LOST_SIGMAS = 2.0  # that its first reports are above the last half, where it never came back


def falling_parts(
    scores: list[float], suspected: bool = False
) -> tuple[list[float], list[float]] | None:
    """The first and the last quarter, where the score falls from the one to the other far beyond
    its noise, at once, and further than a random walk with its steps leads, or hardly ever up. Of a
    loss that is `suspected` for another reason one measure of these steps is enough.
    """
    part = len(scores) // 4
    before, after = scores[:part], scores[-part:]
    first = statistics.fmean(before)
    fall = first - statistics.fmean(after)
    if fall < SIGMAS * noise_of_difference(before, after) or fall <= 0:
        return None
    steady = _steadiness(scores) >= STEADY
    at_once = 0.0 if steady else AT_ONCE
    if statistics.fmean(scores[part : 2 * part]) > first - at_once * fall:
        return None  # it was learned, and lost again
    walks = [(WALK_SIGMAS, FINE)] if suspected else [(WALK_SIGMAS, FINE), (FEWER_SIGMAS, COARSE)]
    goes_on = all(fall > sigmas * _walk(scores, blocks) for sigmas, blocks in walks)
    return (before, after) if steady or goes_on else None


def _block_means(scores: list[float], count: int) -> tuple[list[list[float]], list[float]]:
    """The last scores in `count` blocks of one size, and their means."""
    size = len(scores) // count
    last = scores[-size * count :]
    blocks = [last[i * size : (i + 1) * size] for i in range(count)]
    return blocks, [statistics.fmean(block) for block in blocks]


def _steadiness(scores: list[float]) -> float:
    """How much of the way from block to block leads down: 1 where each is below the one before."""
    steps = [after - before for before, after in pairwise(_block_means(scores, COARSE)[1])]
    return -math.fsum(steps) / max(math.fsum(map(abs, steps)), 1e-300)


def _walk(scores: list[float], count: int) -> float:
    """How far a random walk leads over all scores, as a standard deviation: by the steps from one
    of `count` blocks to the next, less what noise from report to report adds to them. Their spread
    is that around the median, so that a fall by steps that are alike, or by a few at the start, is
    no walk.
    """
    blocks, means = _block_means(scores, count)
    steps = [after - before for before, after in pairwise(means)]
    middle = statistics.median(steps)
    spread = (1.4826 * statistics.median(abs(step - middle) for step in steps)) ** 2
    apart = [b - a for block in blocks for a, b in pairwise(block)]
    noise = statistics.fmean(v * v for v in apart) / len(blocks[0]) if apart else 0.0
    return math.sqrt((spread - noise) * count) if spread > NOISE_ALONE * noise else 0.0


def fallen_rewards(rewards: list[float]) -> tuple[list[float], list[float]] | None:
    """The rewards in the first and in the last looks, where all the last are below all the first,
    and by far.
    """
    if len(rewards) < FIRST_REWARDS + LAST_REWARDS + 1:
        return None
    before, after = rewards[:FIRST_REWARDS], rewards[-LAST_REWARDS:]
    fall = statistics.fmean(before) - statistics.fmean(after)
    # those at the end may fall still, and lie far apart
    noise = statistics.stdev(before) * math.sqrt(1 / len(before) + 1 / len(after))
    return (before, after) if max(after) < min(before) and fall > REWARD_SIGMAS * noise else None


def lost_parts(scores: list[float]) -> tuple[list[float], list[float]] | None:
    """The first reports and the last half, where the score was lost within the first reports and
    never came back to where it began.
    """
    few = max(len(scores) // 20, 5)
    before, after = scores[:few], scores[len(scores) // 2 :]
    fall = statistics.fmean(before) - statistics.fmean(after)
    stuck = min(after) == max(after) == min(scores) and len(set(scores)) > 1
    if fall <= 0 or not (stuck or fall > LOST_SIGMAS * noise_of_difference(before, after)):
        return None
    tenth = max(len(scores) // 10, 5)
    tenths = [scores[i : i + tenth] for i in range(few, len(scores) - tenth + 1, tenth)]
    return (
        (before, after)
        if all(statistics.fmean(part) < statistics.fmean(before) for part in tenths)
        else None
    )


def noise_of_difference(*parts: list[float]) -> float:
    """The standard error of the difference of their means."""
    return math.hypot(*(statistics.stdev(part) / math.sqrt(len(part)) for part in parts))


def score_rises(case: Case) -> bool:
    """Whether the reported score is better at the end than at the start."""
    scores = [score for _, score in case.observation.scores if math.isfinite(score)]
    few = max(len(scores) // 10, 1)
    return bool(scores) and statistics.fmean(scores[-few:]) > statistics.fmean(scores[:few])
