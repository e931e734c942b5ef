"""Signs that a training went wrong, read off what is there anyway: its losses, its last metrics
beside those of the others in a race, and its last look. They cost nothing, name no cause, and
decide which members of a race are examined in full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

import torch

from sevensteps.metrics import baseline, primary
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import NetworkFacts
from sevensteps.observe.observation import Observation
from sevensteps.training.state import Training

CHANCE = 0.05  # of the way from an answer that ignores the input to a perfect one
FAR = 0.75  # of the median member's way there: what stays below is far behind
FELL = 0.98  # of the first losses: later ones above it have not fallen
FEW_STEPS = 20  # below which nothing is said of losses
ROSE = 2.0  # times the lowest validation loss, lately
LATELY = 3  # evaluations
DEAD = 0.5  # of a layer's units, that gave 0 for all samples
FLAT = 0.8  # of a layer's outputs, that lie at the ends of its activation
VANISHED = 1e-7  # of the largest layer's gradient
STILL = 1e-9  # of a parameter's length, changed by a step


def skill(training: Training) -> float | None:
    """How far the last validation metric is from an answer that ignores the input (0) to a perfect
    one (1); None where there is none yet, or where it is no number.
    """
    history = training.progress.history
    if not history:
        return None
    valid = history[-1]["valid"]
    name = primary(valid)
    if name == "loss" or not math.isfinite(valid[name]):
        return None
    least = baseline(training.output.task.kind, training.parts["valid"][1])
    return (valid[name] - least) / (1 - least) if least < 1 else None


def sign_of_trouble(
    training: Training, observation: Observation, rule: str, skills: Sequence[float]
) -> str:
    """What looks wrong with a training that `rule` ended, in a few words; "" where nothing does.

    `skills` are those of all members of its race, its own among them.
    """
    progress, history = training.progress, training.progress.history
    if rule == "not_finite" or not math.isfinite(progress.loss):
        return "its loss is not finite"
    if not progress.step:
        return ""
    own = skill(training)
    if own is not None and own < CHANCE:
        return "it is no better than an answer that ignores the input"
    losses = [loss for _, loss in observation.losses]
    if (own is None or own < FAR) and len(losses) >= FEW_STEPS:
        few = max(1, len(losses) // 10)
        if mean(losses[-few:]) > FELL * mean(losses[:few]):
            return "its loss did not fall"
    if own is not None and len(skills) > 1 and own < FAR * median(skills):
        return "it is far behind the others"
    valid = [row["valid"]["loss"] for row in history]
    if len(valid) > LATELY and min(valid[-LATELY:]) > ROSE * min(valid):
        return "its validation loss rose again"
    return _sign_in_look(observation.facts, observation.looks[-1]) if observation.looks else ""


def _sign_in_look(facts: NetworkFacts, look: Look) -> str:
    """What looks wrong inside the network at a look."""
    gradients: dict[str, float] = {}
    for name, signal in look.signals.items():
        layer = facts.layers.get(name)
        if layer is None:
            continue
        if not bool(torch.isfinite(signal.mean).all()):
            return f"layer {name} gives numbers that are not finite"
        if layer.function.rectifies and float((signal.firing == 0).double().mean()) > DEAD:
            return f"most units of layer {name} gave 0 for every sample"
        if signal.flat is not None and float(signal.flat.mean()) > FLAT:
            return f"layer {name} is saturated"
        if signal.gradient is not None:
            gradients[name] = float(signal.gradient.norm())
    largest = max(gradients.values(), default=0.0)
    for name, gradient in gradients.items():
        if largest and gradient < VANISHED * largest:
            return f"no gradient comes back to layer {name}"
    return _sign_in_changes(look.changes)


def _sign_in_changes(changes: Mapping[str, Any]) -> str:
    for name, change in changes.items():
        rows = len(change.weight)
        if change.distinct is not None and rows > 1 and change.distinct <= rows // 2:
            return f"units that {name} leads to are alike"
        if (
            change.update is not None
            and bool(change.update.norm() <= STILL * change.weight.norm())
            and float(change.weight.norm()) > 0
        ):
            return f"{name} does not change"
    return ""
