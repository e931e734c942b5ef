"""too_small: the network has too few units for the pattern in the data.

Its training is at rest, while a simple nonlinear model fits the same data. Measured: the score on
its own training data against the cross-validated score of simple models (linear, 5 nearest
neighbours, a smooth function) on the same samples. Where they do far better, the pattern is there
and the network lacks the units for it; a network without a hidden layer lacks them only where a
linear model does no better. Of two classes, a linear program says whether any straight line
separates them. Source of the example: Minsky, Papert 1969, Perceptrons (XOR).

Remedies: a hidden layer, `mlp(32)`, or wider ones. Silent on: networks with a wide layer;
trainings that are still under way; networks that learn well.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    hidden_layers,
    is_short,
    learned_enough,
    loss_still_falls,
    significant,
    weight_layers,
)
from sevensteps.doctor.perceptron import FEW, no_line_separates, uses_perceptron_rule
from sevensteps.doctor.simple_models import (
    linear_model_score,
    simple_model_score,
    smooth_model_score,
    worse_than_simple_model,
)
from sevensteps.render.text import count_text

STEP = "predict"
EXPLAINS = ("underfitting", "stopped_early")
MARGIN = 0.15  # of the score
NECK = 2  # units that everything has to pass through
TINY = 3  # units, of which a layer draws no more than a triangle
# so few units may all be off: more of them would not
OF_A_NECK = {"explains": ["dead_units"], "apart_from": ["dead_units"]}
NARROW = 8  # units; wider layers have been enough for everything this was measured on


def examine(case: Case) -> Finding | None:
    if (
        case.before_training
        or case.diverged_at is not None
        or case.steps < 50
        or learned_enough(case, 0.9)
        or "train" not in case.scores
    ):
        return None
    widths = [case.facts.parameters[name].shape[0] for _, name in hidden_layers(case)]
    if not widths and (finding := _no_line(case)) is not None:
        return finding
    neck = _is_neck(case, widths)
    if (widths and max(widths) > NARROW and not neck) or not case.facts.groups:
        return None
    tiny = bool(widths) and max(widths) <= TINY  # whatever they come to by and by
    if is_short(case) or (loss_still_falls(case) and not neck and not tiny):
        return None  # it has not had the steps to come to rest
    score = case.scores["train"]
    simple = simple_model_score(case) if worse_than_simple_model(case, MARGIN) else None
    if simple is None and not learned_enough(case, 0.5):
        simple = smooth_model_score(case)
    if simple is None or simple - score < MARGIN:
        return None
    if not widths and (linear := linear_model_score(case)) is not None and linear - score >= MARGIN:
        return None  # its own kind of model finds the pattern
    shape = f"hidden layers of {', '.join(map(str, widths))}" if widths else "no hidden layer"
    rest = "is still falling" if loss_still_falls(case) else "no longer falls"
    return Finding(
        "too_small",
        STEP,
        "warning",
        0.7,
        f"The loss {rest}, and the network scores {score:.3g} on its own training data, "
        f"where a simple model reaches {simple:.3g}. With {shape} "
        + (
            f"all that it knows of a sample has to pass through {count_text(min(widths), 'unit')}."
            if neck
            else "it cannot draw the boundary that the data need."
        ),
        [
            Measure(
                "score on training data",
                significant(score),
                f"at least {significant(simple)}",
                "simple models, cross-validated",
            )
        ],
        [
            Remedy(
                {
                    "predict": f"mlp({', '.join(str(max(4 * w, 16)) for w in widths) or 32})",
                    "initialize": "kaiming_normal()",
                },
                "more hidden units can combine more features",
                "add a hidden layer, or make the present ones wider",
            )
        ],
        {"widths": widths, **(OF_A_NECK if neck and _is_off(case, min(widths)) else {})},
    )


def _is_off(case: Case, narrow: int) -> bool:
    """Whether units of the narrow place are off for all samples, and those of no wider layer."""
    dead = next((one for one in case.findings if one.condition == "dead_units"), None)
    units = [] if dead is None else [dead.where["units"][name] for name in dead.where["layers"]]
    return bool(units) and max(map(len, units)) <= narrow


def _is_neck(case: Case, widths: list[int]) -> bool:
    """Whether all that the network knows of a sample has to pass through one or two units, on the
    way from a wider layer to several outputs.
    """
    if not widths or min(widths) > NECK or max(widths) <= min(widths):
        return False
    shapes = [case.facts.parameters[name].shape for _, name in weight_layers(case)]
    narrow = widths.index(min(widths))
    if shapes[narrow + 1][1:2] != (widths[narrow],):
        return False  # what follows reads something else: it is the answer of a head
    outputs = case.looks[0].shapes.get("output", ()) if case.looks else ()
    return math.prod(outputs[1:]) > min(widths) or case.task == "regression"


def _no_line(case: Case) -> Finding | None:
    """A network without a hidden layer, on two classes that no straight line separates and that a
    curve does: it never comes to rest, however it is trained.
    """
    if not no_line_separates(case):
        return None
    score = case.scores["train"]
    assert case.sample is not None
    if len(case.sample[0]) >= FEW:  # classes that overlap are separated by nothing
        straight = linear_model_score(case)
        curved = max(
            (s for s in (simple_model_score(case), smooth_model_score(case)) if s), default=0
        )
        if straight is None or curved - max(straight, score) < MARGIN:
            return None
    change = {"predict": "mlp(32)", "initialize": "kaiming_normal()"}
    kind, rest = "network without a hidden layer", "and no learning rate changes that"
    if uses_perceptron_rule(case):  # which is for one neuron
        change |= dict.fromkeys(("loss", "gradient", "step"), "auto()")
        kind, rest = "perceptron", "and will not come to rest, whatever the learning rate"
    return Finding(
        "too_small",
        STEP,
        "error",
        0.9,
        f"No straight line separates these two classes, and a {kind} can draw nothing else: it "
        f"gets {significant(score)} of its own training samples right, {rest}.",
        [
            Measure(
                "a straight line that separates the classes", "none", "one", "linear programming"
            ),
            Measure("score on training data", significant(score), "1.0", "Minsky, Papert 1969"),
        ],
        [
            Remedy(
                change,
                "a hidden layer makes features in which a straight line will do",
                "add a hidden layer with a nonlinear activation",
            )
        ],
        {"widths": []},
    )
