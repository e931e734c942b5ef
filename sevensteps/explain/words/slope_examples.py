"""The examples of words about slopes and probabilities: how gradients pass, where they end, and
what an output says.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sevensteps.engine.activations import activation_of
from sevensteps.explain.run_numbers import Facts
from sevensteps.explain.words.examples import NONE, Example, lacks
from sevensteps.render.text import count_text, number_text

FLAT = 0.01  # of the slope at its steepest: below it a sigmoid counts as saturated


def _chain(facts: Facts) -> Example:
    """dL/dw = dL/do · do/dw for the last linear layer, with dL/do of the loss's own derivative."""
    subject, held = facts.subject, facts.linears
    if (
        not held
        or held[-1][0] != facts.passed[-1][0]
        or not torch.equal(held[-1][3][0], facts.output)
    ):
        return lacks(
            "its last layer is not linear, so that more than two slopes would have to be shown"
        )
    name, _, x, _ = held[-1]
    target = facts.target.double() if facts.target.is_floating_point() else facts.target
    slope = subject.loss.derivative(facts.output[None], target)[0]
    unit, at = int(slope.abs().argmax()), int(x[0].abs().argmax())
    outer, inner = float(slope[unit]), float(x[0, at])
    return Example(
        f"for validation sample 0 the loss changes by {number_text(outer)} per unit of output {unit}, "
        "and that output by "
        f"{number_text(inner)} per unit of {name}.weight[{unit}, {at}]; their product "
        f"{number_text(outer * inner)} is the gradient of "
        "that "
        "weight",
        {
            "weight": f"{name}.weight",
            "index": [unit, at],
            "outer": outer,
            "inner": inner,
            "gradient": outer * inner,
        },
    )


def _pushes(facts: Facts) -> dict[str, float]:
    return (
        {}
        if facts.first is None
        else {
            row.name: row.gradient / row.parameters for row in facts.first.layers if row.parameters
        }
    )


def _vanishing(facts: Facts) -> Example:
    if facts.first is None:
        return lacks(NONE)
    pushes = _pushes(facts)
    if len(pushes) < 2:
        return lacks(
            "it has fewer than two layers whose parameters are not all 0 at the start, between "
            "which a gradient could vanish"
        )
    (first, early), *_, (last, late) = pushes.items()
    share = early / late if late else math.inf
    return Example(
        f"{_found(facts, 'vanishing_gradient')}; at the first step the gradient of {first} is "
        f"{number_text(early, 3)} times as "
        f"long as its weights, that of {last} {number_text(late, 3)}: {number_text(share, 3)} to 1",
        {"first": early, "last": late, "ratio": share},
    )


def _exploding(facts: Facts) -> Example:
    if facts.first is None:
        return lacks(NONE)
    pushes = _pushes(facts)
    said = (
        f"; the most in one layer is {number_text(max(pushes.values()), 3)} of its weights' length"
        if pushes
        else ""
    )
    return Example(
        f"{_found(facts, 'exploding_gradient')}; the first gradient has the length "
        f"{number_text(facts.first.gradient)}{said}",
        {"length": facts.first.gradient},
    )


def _found(facts: Facts, condition: str) -> str:
    found = [held["condition"] for held in facts.subject.summary["findings"]]
    return f"the doctor found {condition}" if condition in found else "the doctor did not find it"


def _dead_unit(facts: Facts) -> Example:
    if facts.dead_units is None:
        return lacks("its network has no ReLU layer")
    dead, units, name = facts.dead_units
    are = "is" if dead == 1 else "are"
    return Example(
        f"{dead} of the {units} units of {name} {are} 0 for every one of {len(facts.train):,} "
        "training samples",
        {"dead": dead, "units": units, "layer": name},
    )


def _dead_input(facts: Facts) -> Example:
    inputs = facts.train.shape[1:].numel()
    if not facts.dead_inputs:
        return lacks(f"each of its {inputs:,} inputs differs from 0 somewhere")
    return Example(
        f"{facts.dead_inputs:,} of the {inputs:,} inputs are 0 in every one of "
        f"{len(facts.train):,} training samples",
        {"dead": facts.dead_inputs, "inputs": inputs},
    )


def _saturation(facts: Facts) -> Example:
    for name, module, x, _ in facts.activations:
        function = activation_of(module)
        if function is not None and function.steepest is not None:
            share = _flat(module, function.steepest, x)
            return Example(
                f"for validation sample 0, {share:.0%} of the units of {name} have a slope below "
                "1 % of the steepest",
                {"layer": name, "share": share},
            )
    if facts.subject.output.link != "sigmoid":
        return lacks("its network has neither sigmoid nor tanh")
    share = _flat(nn.Sigmoid(), 0.25, facts.valid)
    return Example(
        f"{share:.0%} of the {len(facts.valid):,} validation outputs lie where the sigmoid's "
        "slope is below 1 % of the steepest",
        {"share": share},
    )


def _flat(activation: nn.Module, steepest: float, x: Tensor) -> float:
    """The share of the inputs `x` at which the activation's slope is below `FLAT` of its steepest."""
    with torch.enable_grad():
        at = x.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(activation(at).sum(), at)
    return float((slope < FLAT * steepest).double().mean())


def _symmetry(facts: Facts) -> Example:
    if facts.first is None:
        return lacks(NONE)
    held = next(
        (
            (name, p.detach().flatten(1))
            for name, p in facts.subject.network.named_parameters()
            if p.ndim >= 2 and len(p) > 1
        ),
        None,
    )
    if held is None:
        return lacks("no layer has two units")
    name, rows = held
    different = len(torch.unique(rows, dim=0))
    apart = float((rows[0] - rows[1]).double().norm())
    return Example(
        f"{different} of the {len(rows)} units of {name} differ at the end; units 0 and 1 are "
        f"{number_text(apart)} apart",
        {"layer": name, "units": len(rows), "different": different, "apart": apart},
    )


def _logit(facts: Facts) -> Example:
    output, task = facts.subject.output, facts.subject.output.task
    if output.link not in ("sigmoid", "softmax"):
        return lacks("its outputs are read as they are, and not made probabilities")
    values = facts.output
    at = int(values.argmax()) if output.link == "softmax" else 0
    chance = float(output.predict(values[None])[0, at])
    answer = task.classes[1] if task.kind == "binary" and output.size == 1 else task.classes[at]
    return Example(
        f"validation sample 0 has the output {number_text(float(values[at]))} for class {answer}, "
        "which means a probability of "
        f"{number_text(chance)}",
        {"logit": float(values[at]), "probability": chance, "class": answer},
    )


def _sigmoid(facts: Facts) -> Example:
    held = next(
        (
            (float(x.flatten()[0]), name)
            for name, module, x, _ in facts.activations
            if isinstance(module, nn.Sigmoid)
        ),
        None,
    )
    if facts.subject.output.link == "sigmoid":
        held = float(facts.output[0]), "the output"
    if held is None:
        return lacks("neither its layers nor its output use one")
    value, where = held
    made = float(torch.tensor(value, dtype=torch.float64).sigmoid())
    return Example(
        f"for validation sample 0, {where} makes of {number_text(value)} the number 1 / (1 + "
        f"exp({number_text(-value)})) = {number_text(made)}",
        {"input": value, "output": made},
    )


def _softmax(facts: Facts) -> Example:
    if facts.subject.output.link not in ("softmax", "exp"):
        return lacks(f"its output is made an answer by {facts.subject.output.link}")
    chances = facts.subject.output.predict(facts.output[None])[0]
    classes = facts.subject.output.task.classes
    three = ", ".join(
        f"{classes[i]}: {number_text(float(chances[i]), 3)}"
        for i in chances.argsort(descending=True)[:3]
    )
    return Example(
        f"validation sample 0 gets, by class, the probabilities {three}"
        + (", …" if len(chances) > 3 else "")
        + "; all add "
        f"up to {number_text(float(chances.sum()))}",
        {"probabilities": chances.tolist()},
    )


def _cross_entropy(facts: Facts) -> Example:
    name, task = type(facts.subject.loss).__name__, facts.subject.output.task
    if (
        name not in ("cross_entropy", "binary_cross_entropy", "negative_log_likelihood")
        or task.kind == "multilabel"
    ):
        return lacks(f"its loss is {facts.subject.loss!r}")
    chances = facts.subject.output.predict(facts.output[None])[0]
    right = (
        int(facts.target.flatten()[0]) if facts.target.numel() == 1 else int(facts.target.argmax())
    )
    chance = (
        float(chances[right])
        if len(chances) > 1
        else float(chances[0] if right else 1 - chances[0])
    )
    loss = -math.log(max(chance, 1e-300))
    return Example(
        f"validation sample 0 is of class {task.classes[right]}, which got the probability "
        f"{number_text(chance)}: the loss is "
        f"−log {number_text(chance)} = {number_text(loss)}",
        {"probability": chance, "loss": loss},
    )


def _perceptron(facts: Facts) -> Example:
    predict = facts.subject.recipe.predict
    if type(predict).__name__ != "neuron":
        return lacks(f"its network is {predict!r}; predict=neuron('step') is one")
    sums = next((held for held in facts.passed if type(held[1]).__name__ == "Neuron"), None)
    if sums is None:
        return lacks("its neuron cannot be looked into")
    _, module, x, y = sums
    weight = module.get_parameter("weight").detach()[0]
    w0 = (
        float(weight[0])
        if len(weight) > x.shape[1]
        else float(module.get_parameter("bias").detach())
    )
    activation = predict.activation
    end = (
        f"which the step makes {number_text(float(facts.output[0]))}"
        if activation == "step"
        else f"and no step follows, but {activation}"
    )
    return Example(
        f"for validation sample 0, w0 · x0 = {number_text(w0)} · 1, and with the "
        f"{count_text(x.shape[1], 'other input')} the sum is "
        f"{number_text(float(y[0, 0]))}, {end}",
        {"w0": w0, "sum": float(y[0, 0]), "output": float(facts.output[0])},
    )


EXAMPLES = {
    "chain rule": _chain,
    "vanishing gradient": _vanishing,
    "exploding gradient": _exploding,
    "dead unit": _dead_unit,
    "dead input": _dead_input,
    "saturation": _saturation,
    "symmetry": _symmetry,
    "logit": _logit,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "cross-entropy": _cross_entropy,
    "perceptron": _perceptron,
}
