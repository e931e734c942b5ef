"""The seven steps as panels: the value of each, why it was chosen, and what it did here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import final_loss, final_steps, first_loss
from sevensteps.observe.observation import Observation
from sevensteps.render.text import count_text
from sevensteps.steps import QUESTIONS
from sevensteps.view.document.numbers import number_text

Document = dict[str, Any]
Quantities = Mapping[str, Mapping[str, Document]]  # by id and layer


def step_panels(
    recipe: Mapping[str, str],
    reasons: Mapping[str, str],
    did: Mapping[str, Sequence[str]],
) -> list[Document]:
    """A panel for each of the seven steps."""
    return [
        {
            "name": step,
            "question": question,
            "value": recipe.get(step, ""),
            "reason": reasons.get(step, ""),
            "did": [sentence for sentence in did.get(step, ()) if sentence],
        }
        for step, question in QUESTIONS.items()
    ]


def what_steps_did(
    observation: Observation | None, curves: Quantities, case: Case | None = None
) -> dict[str, list[str]]:
    """What each step did to the numbers of a training that was watched; `curves` are those of
    `quantity_curves`.
    """
    if observation is None or not observation.looks:
        return {}
    did: dict[str, list[str]] = {
        "initialize": [_across(curves.get("signal", {}), 0, "At the first look the signal")],
        "predict": [_size(observation)],
        "loss": [_losses(observation, case)],
        "gradient": [_across(curves.get("gradient", {}), -1, "At the last look the gradient")],
        "step": [_updates(curves.get("update", {}))],
        "repeat": [_batches(observation)],
    }
    baseline = None if case is None else case.baseline_loss
    if baseline is not None:
        text = f"An answer that ignores the input has a loss of {number_text(baseline)}."
        did["loss"].append(text)
    return did


def _at(curve: Document, column: int) -> float | None:
    values = [value for value in curve["values"] if value is not None]
    return float(values[column]) if values else None


def _across(by_layer: Mapping[str, Document], column: int, lead: str) -> str:
    """How a quantity changes from the first layer to the last."""
    known = [
        (name, value)
        for name, curve in by_layer.items()
        if (value := _at(curve, column)) is not None
    ]
    if len(known) < 2:
        return ""
    (first, low), (last, high) = known[0], known[-1]
    start, end = number_text(low, 3), number_text(high, 3)
    return f"{lead} is {start} at {_layer(first)} and {end} at {_layer(last)}."


def _layer(name: str) -> str:
    """A layer in a sentence: those of an nn.Sequential are called by their numbers."""
    return f"layer {name}" if name.isdigit() else name or "the first layer"


def _size(observation: Observation) -> str:
    facts = observation.facts
    numbers = sum(int(np.prod(entry.shape)) for entry in facts.parameters.values())
    layers = count_text(len(facts.layers), "layer")
    return f"{numbers:,} parameters in {layers}." if numbers else ""


def _losses(observation: Observation, case: Case | None) -> str:
    losses = observation.losses
    if len(losses) < 2:
        return ""
    if case is None or math.isnan(final_loss(case)):
        first, last = number_text(losses[0][1], 3), number_text(losses[-1][1], 3)
        return f"The loss of a batch went from {first} to {last}."
    return (  # as the findings say it
        f"The loss went from {first_loss(case):.3g} to {final_loss(case):.3g}, "
        f"the mean over {count_text(final_steps(case), 'step')} at its end."
    )


def _updates(by_layer: Mapping[str, Document]) -> str:
    values = [
        value for curve in by_layer.values() for value in curve["values"] if value is not None
    ]
    if not values:
        return ""
    median, most = number_text(float(np.median(values)), 2), number_text(max(values), 2)
    return (
        f"A step changed the weights of a layer by {median} of their length in the median, and by "
        f"{most} at most."
    )


def _batches(observation: Observation) -> str:
    sizes = {look.batch for look in observation.looks if look.batch}
    if not sizes:
        return ""
    size = f"{min(sizes):,}" if len(sizes) == 1 else f"{min(sizes):,} to {max(sizes):,}"
    return f"{count_text(observation.steps, 'step')} on batches of {size} samples."


def watched_recipe(case: Case) -> dict[str, str]:
    """What is known of the seven steps of a loop of one's own, in the words of PyTorch."""
    observation, facts = case.observation, case.facts
    recipe = {
        "predict": facts.network,
        "gradient": "autograd",
        "stop": f"after {count_text(observation.steps, 'step')}",
    }
    if loss := observation.notes.get("loss"):
        recipe["loss"] = str(loss)
    elif case.identified_loss is not None:
        recipe["loss"] = case.identified_loss.loss.function
    sizes = {look.batch for look in observation.looks if look.batch}
    if len(sizes) == 1:
        recipe["repeat"] = f"batches of {sizes.pop():,}"
    if facts.groups:
        group = facts.groups[0]
        settings = ", ".join(
            f"{name}={value:g}"
            for name, value in group.items()
            if name in ("lr", "momentum", "weight_decay")
            and isinstance(value, int | float)
            and value
        )
        recipe["step"] = f"{group.get('optimizer', 'optimizer')}({settings})"
    return recipe
