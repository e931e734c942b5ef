"""stopped_early: the training ended while the network was still learning.

It is still far from what it can reach. Measured: the loss fell steadily to the last step (by 5 % in
the last quarter, and by more than its own noise), most of the way was still to go, and a simple
model does better by a tenth of the score. Or it does not fall yet, but the few steps have hardly
moved the weights.

Or each sample was seen two or three times at most, the loss is lower in the last passes than in the
first, and a smooth function of the same inputs does far better, or a copy that is trained on for as
many steps again. Of any loss: a few steps of the usual length left the weights near where they were
drawn, or the network at chance, and nothing else was found.

Remedies: more steps, until the loss is level; where the curvature leaves room for it, a larger
rate, which gets as far in as many steps. Silent on: a short training that has learned most of it;
trainings with next to nothing left of their loss; targets that are the inputs; what went well and
collapsed; a loss that rose far above its start and is above it yet; networks without a hidden layer
at chance, where no linear model does better.
"""

from __future__ import annotations

from statistics import fmean

from sevensteps.doctor.case import Case
from sevensteps.doctor.collapse import collapse
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.hardly_moved import hardly_moved
from sevensteps.doctor.learning import judge
from sevensteps.doctor.longer_stop import longer_stop
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    hidden_layers,
    is_short,
    learned_enough,
    loss_still_falls,
    significant,
    step_with_rate,
)
from sevensteps.doctor.pairs import targets_of
from sevensteps.doctor.questions.more_steps import more_steps
from sevensteps.doctor.room_for_rate import room_for_rate
from sevensteps.doctor.simple_models import (
    linear_model_score,
    loss_is_gone,
    smooth_model_score,
    worse_than_simple_model,
)

STEP = "stop"
EXPLAINS = ("underfitting", "too_small")
PASSES = 3.5  # over the data, up to which a training may be too short
LOWER = 0.85  # of the loss in the first third, that the last third is below
AHEAD = 0.15  # of the score, of a smooth function
LEARNED = 0.8  # skill, of which nobody asks for more
BEGUN, ENOUGH = 0.5, 0.6  # of the weights' length that all steps led; of the way to perfect
GAIN = 0.1  # of the score, by as many steps again
HALF = 0.5  # of the first loss
LEAST_STEPS, DOZENS, TRIED = 8, 30, 3
BELOW, LEFT = 0.9, 0.25  # of the loss in the first third
PEAK = 1.5  # times the first loss
FLAT = 0.02  # of the loss of an answer that ignores the input, within which nothing is learned


def examine(case: Case) -> Finding | None:
    if case.before_training or not case.steps or case.diverged_at is not None or loss_is_gone(case):
        return None
    if case.steps < TRIED or case.observation.notes.get("goes_on"):
        return None  # a loop that was tried, or broke off, or is followed by another
    if _was_thrown_up(case):
        return None
    falls, few = loss_still_falls(case), _few_passes(case)
    if collapse(case) is not None or (not falls and _is_as_good_as_lines_are(case)):
        return None
    ended = not learned_enough(case, 0.6) and (falls or is_short(case))
    sure, more = few and _below_smooth_model(case), None
    if not sure and not (ended and worse_than_simple_model(case, 0.1)):
        unsure = (ended or few) and case.skill is not None and case.skill < LEARNED
        more = more_steps(case) if unsure else None
        gains = more is not None and more.after - more.before >= GAIN
        if not gains:
            begun = more is None and (_has_hardly_begun(case) or _cut_short(case))
            if not (begun or _is_at_chance_yet(case)):
                return None
            more = None
    score = case.scores.get("train")
    return Finding(
        "stopped_early",
        STEP,
        "warning",
        0.7 if more else 0.65 if sure else 0.5,
        f"After {case.steps:,} steps {_state(case, falls)}; the loss had gone from "
        f"{first_loss(case):.3g} to {final_loss(case):.3g}. The training was stopped too early."
        + (
            f" A copy that was trained on for {more.steps:,} steps came from a {more.of} score of "
            f"{more.before:.3g} to {more.after:.3g}."
            if more
            else ""
        ),
        [
            Measure(
                "loss in the last quarter",
                "falling" if falls else "not yet far",
                "level",
                "means over stretches of the training",
            ),
            Measure(
                "score on the training data",
                significant(score) if score is not None else None,
                "at least that of a simple model",
                "",
            ),
        ],
        [
            Remedy(
                {"stop": longer_stop(case, 10)},
                "more steps, until the loss is level",
                f"train for some {10 * case.steps:,} steps",
            ),
            *_larger_rate(case),
        ],
        {},
        None,
    )


def _was_thrown_up(case: Case) -> bool:
    """Whether the loss rose far above its start, and is above it yet: that it comes down from there
    is no learning that was stopped.
    """
    first = first_loss(case)
    peak = max((value for _, value in case.losses), default=first)
    return case.loss_is_error and first > 0 and peak > PEAK * first and final_loss(case) >= first


def _state(case: Case, falls: bool) -> str:
    """What shows that it was too early."""
    if falls:
        return "the loss was still falling steadily"
    if is_short(case):
        return "the weights were still near their start"
    if _few_passes(case):
        return "the samples had been seen a few times only"
    said = "; ".join(map(str, judge(case).comparisons))
    return f"the network answered no better than one that ignores its inputs ({said})"


def _is_at_chance_yet(case: Case) -> bool:
    """Whether the network is at chance after so few steps that it need not have learned anything,
    and nothing else was found that says why.
    """
    if any(finding.severity != "info" for finding in case.findings):
        return False
    if case.skill is None and case.loss_is_error and final_loss(case) < HALF * first_loss(case):
        return False  # what it answers may be unrelated to what is asked, and yet it has learned
    judgement = judge(case)
    return judgement.verdict == "chance" and not judgement.had_time


def _has_hardly_begun(case: Case) -> bool:
    """Whether a few steps of the usual length left the weights near where they were drawn, and
    nothing says that this was enough: of any loss, and where no score can be asked for.
    """
    if known_to_learn(case, ENOUGH) or not is_short(case) or not hardly_moved(case, BEGUN):
        return False
    told = case.skill is not None or case.loss_is_error
    return told or judge(case).verdict != "learns"


def _cut_short(case: Case) -> bool:
    """Whether there were a few dozen steps only, and the loss, of which nothing else is known, fell
    in them to the last.
    """
    losses = [value for _, value in case.losses]
    third = len(losses) // 3
    if case.skill is not None or not LEAST_STEPS <= case.steps < DOZENS:
        return False
    if known_to_learn(case, LEARNED):
        return False
    if not hidden_layers(case) or any(f.severity != "info" for f in case.findings):
        return False
    first, middle, last = (fmean(losses[i : i + third]) for i in (0, third, len(losses) - third))
    return first > 0 and last < min(middle, BELOW * first) and last > LEFT * first


def _few_passes(case: Case) -> bool:
    """Whether the data was gone through a few times only, and the loss came down from pass to
    pass.
    """
    data = case.part("train")
    target = None if data is None else targets_of(data)
    batch = max((look.batch for look in case.looks), default=0)
    if target is None or not case.loss_is_error or case.steps * batch > PASSES * len(target):
        return False
    losses = [value for _, value in case.losses]
    third = len(losses) // 3
    return third >= 4 and fmean(losses[-third:]) < LOWER * fmean(losses[:third])


def _is_as_good_as_lines_are(case: Case) -> bool:
    """Whether a network without a hidden layer can hardly become better with more steps: its loss
    is that of an answer that ignores the input, and no linear model does better.
    """
    chance = case.baseline_loss
    if hidden_layers(case) or not case.loss_is_error or chance is None:
        return False
    if abs(final_loss(case) - chance) > FLAT * chance:
        return False
    linear, score = linear_model_score(case), case.scores.get("train")
    return linear is not None and score is not None and linear - score < GAIN


def _below_smooth_model(case: Case) -> bool:
    smooth, score = smooth_model_score(case), min(case.scores.values(), default=None)
    return smooth is not None and score is not None and smooth - score > AHEAD


def _larger_rate(case: Case) -> list[Remedy]:
    room = room_for_rate(case)
    if room is None or not room.is_large:
        return []
    rate = room.longer()
    return [
        Remedy(
            {"step": step_with_rate(case, rate)},
            f"the curvature would allow a rate {significant(room.times, 2):,.0f} times as large, "
            "and longer steps get as far with fewer of them",
            f"a learning rate of about {rate:.1g}",
        )
    ]
