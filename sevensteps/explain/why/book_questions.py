"""What readers of the book ask of a run on its data: why not the printed number, why 30 units."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.why.convergence import conditioning
from sevensteps.explain.why.printed_numbers import (
    batch_means,
    dataset_name,
    not_the_printed_result,
    unshuffled,
)
from sevensteps.explain.why.published import POINTS
from sevensteps.explain.why.question import Question, explain_command, recipe_command
from sevensteps.explain.words.examples import example
from sevensteps.render.text import count_text, number_text
from sevensteps.steps import initialize as initializers
from sevensteps.steps.predict import mlp

BOOK_WIDTH = 30  # hidden units of the network of the book


def widths(run: RunNumbers) -> Iterator[Question]:
    """Why 30 and not 1? Or of a network with a single one: is it enough?"""
    predict = run.subject.recipe.predict
    if not isinstance(predict, mlp) or len(predict.widths) != 1:
        return
    width, inputs, outputs = predict.widths[0], run.sample_input[0].numel(), run.subject.output.size
    each = inputs + 1 + outputs
    answer = (
        f"Each hidden unit is one feature: {count_text(inputs, 'weight')} and a bias that make one "
        f"number, and {count_text(outputs, 'weight')} to the "
        f"output, {each:,} parameters, {width * each + outputs:,} in all. "
    )
    book = dataset_name(run) == "mnist37"
    if book:
        answer += f"{POINTS['widths'].measured} "
    elif run.subject.output.task.kind == "multiclass":
        answer += (
            f"One number alone has to tell {len(run.subject.output.task.classes)} classes apart. "
        )
    if predict.activation == "relu":
        answer += "A single ReLU may also be dead from the start, and then nothing is left. "
    other = mlp(
        1 if width > 1 else BOOK_WIDTH,
        activation=predict.activation,
        dropout=predict.dropout,
        batch_norm=predict.batch_norm,
    )
    few, many = sorted((predict, other), key=lambda network: network.widths)
    yield Question(
        f"Why {width} hidden units and not 1?" if width > 1 else "Is 1 hidden unit enough?",
        f"{answer}Yours came to {run.metric} {number_text(run.score)}; the race shows what "
        f"{other.widths[0]} {'does' if width > 1 else 'do'}.",
        recipe_command(
            "race",
            run.subject,
            "--predict",
            repr(few),
            "--predict",
            repr(many),
            "--seeds",
            "5",
        ),
        "widths",
        70 if book else 45,
        {"parameters": width * each + outputs, run.metric: run.score},
        str(POINTS["widths"]) if book else "",
    )


def below_zero(run: RunNumbers) -> Iterator[Question]:
    """Why are predictions below 0?"""
    output = run.subject.output
    if output.size != 1 or output.task.kind != "binary" or output.threshold != 0:
        return
    values, truth = (
        run.valid_outputs[:, 0],
        run.subject.data.valid.y.reshape(-1).long().to(run.valid_outputs.device),
    )
    no, yes = output.task.classes
    of_no, below = int((truth == 0).sum()), int((values[truth == 0] < 0).sum())
    at = int((truth == 0).nonzero()[0])
    value = float(values[at])
    chance = (
        f", the probability {number_text(float(values[at].sigmoid()), 3)} of {yes}"
        if output.link == "sigmoid"
        else ""
    )
    odds = output.link == "sigmoid"
    meaning = (
        "The output is a log-odds: 0 means a probability of .5"
        if odds
        else "The output is a score: its sign answers"
    )
    yield Question(
        f"Why are predictions below 0 where the answer is {no}?",
        f"{meaning}, and the targets count {yes} as 1 and {no} as 0. Of the {of_no:,} validation "
        f"samples of {no}, {below:,} "
        f"have an output below 0, which is the right answer; sample {at} has "
        f"{number_text(value)}{chance}.",
        explain_command(run.subject, "words", "logit"),
        "logit",
        60,
        {"of": of_no, "below": below, "output": value},
        str(POINTS["below_zero"]),
    )


def zeros(run: RunNumbers) -> Iterator[Question]:
    """Is starting from zeros a fault?"""
    if not isinstance(run.subject.recipe.initialize, initializers.zeros) or run.first_step is None:
        return
    proof = recipe_command(
        "race",
        run.subject,
        "--initialize",
        "zeros()",
        "--initialize",
        "kaiming_normal()",
        "--seeds",
        "5",
    )
    tensors = [
        (name, p.detach().flatten(1))
        for name, p in run.subject.network.named_parameters()
        if p.ndim >= 2
    ]
    if len(tensors) < 2:
        yield Question(
            "Is it a fault to start from zeros?",
            "Not in a single layer: the gradient of each weight is its input times the error, so "
            "that they differ at once. The "
            f"first step moved {run.first_step.weight.name} from "
            f"{number_text(run.first_step.weight.old)} to "
            f"{number_text(run.first_step.weight.new)}.",
            proof,
            "zeros",
            40,
            {"old": run.first_step.weight.old, "new": run.first_step.weight.new},
            str(POINTS["zeros"]),
        )
        return
    name, rows = tensors[0]
    different = len(torch.unique(rows, dim=0))
    yield Question(
        "Why does starting from zeros not work?",
        f"Units that start the same get the same gradients and stay the same: of the {len(rows)} "
        f"units of {name}, {different} "
        f"differ{'s' if different == 1 else ''} at the end. It came to {run.metric} "
        f"{number_text(run.score)}. A random start "
        "makes them differ.",
        proof,
        "zeros",
        85,
        {"units": len(rows), "different": different},
        str(POINTS["zeros"]),
    )


def dead_inputs(run: RunNumbers) -> Iterator[Question]:
    """Are inputs that are always 0 a fault?"""
    if (
        not run.dead_inputs
        or not run.linear_passes
        or run.linear_passes[0][1].in_features != run.train_inputs.shape[1:].numel()
    ):
        return
    name, module, _, _ = run.linear_passes[0]
    weights = run.dead_inputs * module.out_features
    yield Question(
        f"Are the {run.dead_inputs} inputs that are always 0 a fault?",
        f"No. {run.dead_inputs} of the {module.in_features} inputs are 0 in every training "
        f"sample, so {count_text(weights, 'weight')} of "
        f"{name} get a gradient of 0 and stay as they started: dead inputs, harmless. A dead unit "
        "is something else, a ReLU "
        f"that is 0 for every sample{_dead_units(run)}.",
        explain_command(run.subject, "words", "dead input"),
        "dead inputs",
        58,
        {"dead": run.dead_inputs, "inputs": module.in_features, "weights": weights},
        str(POINTS["dead_inputs"]),
    )


def _dead_units(run: RunNumbers) -> str:
    if run.dead_units is None:
        return ""
    dead, units, name = run.dead_units
    if units == 1:
        return f"; the only unit of {name} is {'dead' if dead else 'not'}"
    count = "none is" if not dead else "one is" if dead == 1 else f"{dead} are"
    return f"; of the {count_text(units, 'unit')} of {name}, {count}"


def one_minus(run: RunNumbers) -> Iterator[Question]:
    """Is the loss 1 − Pr(right)?"""
    shown = example("cross-entropy", run)
    if shown.text is None:
        return
    p, loss = shown.numbers["probability"], shown.numbers["loss"]
    yield Question(
        "Is the loss 1 − the probability of the right answer?",
        f"No, it is minus its logarithm. {shown.text[0].upper()}{shown.text[1:]}, where 1 − p "
        "would "
        f"be {number_text(1 - p)}.",
        explain_command(run.subject, "words", "cross-entropy"),
        "one minus",
        30,
        {"probability": p, "loss": loss},
        str(POINTS["one_minus"]),
    )


def bias(run: RunNumbers) -> Iterator[Question]:
    """Is the bias added to the image or to each pixel?"""
    if not run.linear_passes or run.linear_passes[0][1].bias is None:
        return
    name, module, _, _ = run.linear_passes[0]
    first, units, inputs = float(module.bias[0].detach()), module.out_features, module.in_features
    biases = "one bias" if units == 1 else f"one bias for each of its {units:,} units"
    whole = (
        "its input times its weight"
        if inputs == 1
        else f"the weighted sum of all {inputs:,} inputs"
    )
    yield Question(
        "Is the bias added to the input, or to each number of it?",
        f"To neither: {name} has {biases}, added to {whole}, and the same for each of the "
        f"{run.batch_size:,} samples of a batch. "
        f"{'It' if units == 1 else 'That of unit 0'} is {number_text(first)}.",
        explain_command(run.subject, "shapes"),
        "bias",
        25,
        {"bias": first},
        str(POINTS["bias"]),
    )


BOOK_QUESTIONS: tuple[Callable[[RunNumbers], Iterator[Question]], ...] = (
    not_the_printed_result,
    widths,
    below_zero,
    batch_means,
    unshuffled,
    conditioning,
    zeros,
    dead_inputs,
    one_minus,
    bias,
)
