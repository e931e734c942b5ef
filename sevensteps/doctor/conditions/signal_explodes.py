"""signal_explodes: the signal grows from layer to layer.

Outputs, loss and gradients become too large for any learning rate. Measured: how much each hidden
activation varies over the samples of the first look, last layer against first; healthy
initialisation keeps it within a small factor. Source: Glorot, Bengio 2010; He et al. 2015.

Remedies: `kaiming_normal()`; where the activation is an exponential, another one. Silent on:
networks with fewer than three hidden activations, unless their answers are a thousand times as
large as inputs and targets; and those that learn well all the same.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.signal_vanishes import depth
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import (
    change_activation,
    first_loss,
    hidden_activations,
    layer_label,
    learned_enough,
    significant,
)

STEP = "initialize"
EXPLAINS = (
    "exploding_gradient",
    "not_finite",
    "output_overconfident",
    "learning_rate_too_high",
    "dead_units",
    "saturated_units",
    "underfitting",
)
GROWN = 100.0  # times the first layer's spread
LARGE = 100.0  # inputs that may make the answers large by themselves
BEYOND = 1000.0  # times the largest target and input
LARGE_LOSS = 50.0  # times that of an answer that knows nothing of the classes
USUAL_ROWS = 6.0  # length of a weight row; of a longer one the answers are large at once
BY_NO_START = 4.0  # times, on average, that no usual start comes to
PER_LAYER = 1.6  # times, on average, so that a single wide place is something else


def examine(case: Case) -> Finding | None:
    spreads = depth(case)
    if len(spreads) < 3:
        return _answers_explode(case)
    return _grows(case, spreads) or _answers_explode(case)


def _grows(case: Case, spreads: list[tuple[str, float]]) -> Finding | None:
    """Hidden layers, each of which makes the signal larger."""
    names, values = zip(*spreads, strict=True)
    first, last = values[0], values[-1]
    if not first > 0 or known_to_learn(case, 0.6):
        return None
    grown = last / first if math.isfinite(last) else math.inf
    each = grown ** (1 / (len(values) - 1))
    # where nothing says how well it learns, only what no usual start does
    nothing_known = case.skill is None and not case.loss_is_error
    if grown < GROWN or each < (BY_NO_START if nothing_known else PER_LAYER):
        return None
    unbounded = sorted({str(layer.activation or layer.kind) for layer in hidden_activations(case)})
    exponential = "exp" in unbounded
    remedies = [
        Remedy(
            {"initialize": "kaiming_normal()"},
            "weights as small as the number of inputs asks for keep the signal's size",
            "initialise every hidden layer with torch.nn.init.kaiming_normal_",
        )
    ]
    if exponential:
        remedies.insert(
            0,
            Remedy(
                change_activation(case, "relu"),
                "an exponential of an exponential grows beyond every number; a ReLU does not",
                "use relu, tanh or selu as the activation instead of exp",
            ),
        )
    return Finding(
        "signal_explodes",
        STEP,
        "error",
        0.9,
        f"At the start, each layer multiplies the signal by {each:.3g}: the output of "
        f"{layer_label(names[-1])} varies {grown:.2g} times as much as that of "
        f"{layer_label(names[0])}. Loss and gradients are then so large that a single step throws "
        "the weights far off.",
        [
            Measure(
                f"spread over samples, {layer_label(names[-1])} / {layer_label(names[0])}",
                significant(grown),
                "about 1",
                "He et al. 2015",
            ),
            Measure("factor per layer", significant(each), "about 1", "geometric mean"),
        ],
        remedies,
        {"layers": list(names)},
        0,
    )


def _answers_explode(case: Case) -> Finding | None:
    """Answers that are far beyond all targets before anything is learned, though neither inputs
    nor weights are large: the network multiplies the signal with the same numbers again and again.
    """
    output, x, y = _of_first_look(case)
    if output is None or x is None or y is None or case.before_training or learned_enough(case):
        return None
    answers = float(output.double().abs().max())
    # words are looked up in tables, which count among the weights
    inputs = float(x.double().abs().max()) if x.is_floating_point() else 1.0
    if y.is_floating_point():
        targets = float(y.double().abs().max())
        far = targets > 0 and answers > BEYOND * max(targets, inputs)
    else:  # of classes the loss says how sure of wrong ones the answers are
        targets, ignorant = 1.0, case.baseline_loss or 0.0
        # the cross-entropy of logits z is at most 2 max |z| + ln C: what is above that is a sum, of
        # samples or of other losses
        loss = min(first_loss(case), 2 * answers + ignorant)
        far = 0 < LARGE_LOSS * ignorant < loss
    if not (0 < inputs < LARGE and far):
        return None
    rows = [
        parameter.length / math.sqrt(parameter.shape[0])
        for parameter in case.facts.parameters.values()
        if len(parameter.shape) > 1
    ]
    if not rows or max(rows) > USUAL_ROWS:
        return None  # weights so large are enough
    return Finding(
        "signal_explodes",
        STEP,
        "error",
        0.9,
        f"Before anything is learned the answers are as large as {answers:.3g}"
        + (", where " if y.is_floating_point() or x.is_floating_point() else "; ")
        + (f"the targets are at most {targets:.3g} and " if y.is_floating_point() else "")
        + (f"the inputs are at most {inputs:.3g}; " if x.is_floating_point() else "")
        + "no single weight matrix is large. "
        "The signal grows as it goes through the same weights again and again, and so does the "
        "gradient on its way back.",
        [
            Measure(
                "largest answer of the first look"
                + (", in largest targets" if y.is_floating_point() else ""),
                significant(answers / targets),
                "about 1",
                "",
            ),
            Measure("norm of a weight row, at most", significant(max(rows)), "0.6 to 1.4", ""),
        ],
        [
            Remedy(
                {"gradient": "auto(clip=1.0)"},
                "clipping keeps single steps short; it is smaller weights that cure it",
                "start the weights that are used again and again near a norm of 1 "
                "(torch.nn.init.orthogonal_), or put tanh or a normalisation between; and clip: "
                "torch.nn.utils.clip_grad_norm_(parameters, 1.0)",
            )
        ],
        {},
        0,
    )


def _of_first_look(case: Case) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The answers of the first look, some inputs, and targets, of as many samples or of some."""
    if not case.looks:
        return None, None, None
    look = case.looks[0]
    x, y = case.sample or (case.observation.x, look.target)
    if x is None and look.signals:  # what the first layer makes of inputs that were not kept
        signal = next(iter(look.signals.values()))
        x = torch.stack([signal.low.min(), signal.high.max()])
    return look.output, x, y
