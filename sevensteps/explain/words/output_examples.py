"""Examples of words about outputs: how they become probabilities, and what these cost."""

from __future__ import annotations

import math

import torch
from torch import nn

from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.words.examples import Example, example_of, no_example
from sevensteps.render.text import number_text
from sevensteps.steps import loss as losses


@example_of("logit")
def _logit(run: RunNumbers) -> Example:
    layer, task = run.subject.output, run.subject.output.task
    if layer.link not in ("sigmoid", "softmax"):
        return no_example("its outputs are read as they are, and not made probabilities")
    outputs = run.sample_output
    at = int(outputs.argmax()) if layer.link == "softmax" else 0
    logit, p = float(outputs[at]), float(layer.predict(outputs[None])[0, at])
    name = task.classes[1] if task.kind == "binary" and layer.size == 1 else task.classes[at]
    return Example(
        f"validation sample 0 has the output {number_text(logit)} for class {name}, which means a "
        f"probability of {number_text(p)}",
        {"logit": logit, "probability": p, "class": name},
    )


@example_of("sigmoid")
def _sigmoid(run: RunNumbers) -> Example:
    name, x = "", None
    if run.subject.output.link == "sigmoid":
        name, x = "the output", float(run.sample_output[0])
    else:
        for layer in run.activation_passes:
            if isinstance(layer.module, nn.Sigmoid):
                name, x = layer.name, float(layer.input.flatten()[0])
                break
    if x is None:
        return no_example("neither its layers nor its output use one")
    y = float(torch.tensor(x, dtype=torch.float64).sigmoid())
    return Example(
        f"for validation sample 0, {name} turns {number_text(x)} into 1 / (1 + "
        f"exp({number_text(-x)})) = "
        f"{number_text(y)}",
        {"input": x, "output": y},
    )


@example_of("softmax")
def _softmax(run: RunNumbers) -> Example:
    layer = run.subject.output
    if layer.link not in ("softmax", "exp"):
        how = "as it is" if layer.link == "identity" else f"through a {layer.link}"
        return no_example(f"its output is read {how}")
    probabilities = layer.predict(run.sample_output[None])[0]
    classes = layer.task.classes
    few = ", ".join(
        f"{classes[i]}: {number_text(float(probabilities[i]), 3)}"
        for i in probabilities.argsort(descending=True)[:3]
    )
    more = ", …" if len(probabilities) > 3 else ""
    return Example(
        f"validation sample 0 gets, by class, the probabilities {few}{more}; all add up to "
        f"{number_text(float(probabilities.sum()))}",
        {"probabilities": probabilities.tolist()},
    )


@example_of("cross-entropy")
def _cross_entropy(run: RunNumbers) -> Example:
    task = run.subject.output.task
    of_classes = (
        losses.cross_entropy,
        losses.binary_cross_entropy,
        losses.negative_log_likelihood,
    )
    if not isinstance(run.subject.loss, of_classes) or task.kind == "multilabel":
        return no_example(f"its loss is {run.subject.loss!r}")
    # the one answered worst: where p is almost 1, −log p and 1 − p are the same number
    probabilities = run.subject.output.predict(run.valid_outputs.double())
    targets = run.subject.part("valid")[1].reshape(len(probabilities), -1)
    right = targets[:, 0].long() if targets.shape[1] == 1 else targets.argmax(1)
    if probabilities.shape[1] == 1:
        probabilities = torch.cat([1 - probabilities, probabilities], 1)
    of_right = probabilities.gather(1, right[:, None])[:, 0]
    worst = int(of_right.nan_to_num(1).argmin())
    p = float(of_right[worst])
    loss = -math.log(max(p, 1e-300))
    return Example(
        f"validation sample {worst}, the one answered worst, is of class "
        f"{task.classes[int(right[worst])]}, which got the probability "
        f"{number_text(p)}: the loss is −log {number_text(p)} = {number_text(loss)}",
        {"sample": worst, "probability": p, "loss": loss},
    )
