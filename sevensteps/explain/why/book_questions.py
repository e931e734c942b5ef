"""What readers of the book ask of a run on its data: why not the printed number, why 30 units."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from sevensteps.data import source
from sevensteps.errors import Error
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.why.published import BOOK, FIGURES, POINTS, Published
from sevensteps.explain.why.question import Question, command_line, explain_command, recipe_command
from sevensteps.explain.words.examples import example
from sevensteps.render.text import count_text, number_text
from sevensteps.steps import initialize as initializers
from sevensteps.steps.loss import mean_squared_error
from sevensteps.steps.predict import linear, mlp, polynomial
from sevensteps.steps.step import sgd

BOOK_WIDTH = 30  # hidden units of the network of the book
BOOK_BATCH = 256  # samples of a validation batch of the book
ILL_CONDITIONED = 100  # a condition number above it makes plain gradient descent slow


def dataset_name(run: RunNumbers) -> str:
    """The name of the data, without its arguments."""
    return run.subject.recipe.source.partition("(")[0]


def not_the_printed_result(run: RunNumbers) -> Iterator[Question]:
    """Why is my result not the printed one?"""
    subject = run.subject
    predict, score = repr(subject.recipe.predict), run.score
    for entry in FIGURES:
        if (
            entry.data != dataset_name(run)
            or entry.predict != predict
            or entry.low is None
            or entry.high is None
        ):
            continue
        if not entry.recipe and "pixel_similarity" in predict:
            by_class = subject.summary.metrics["valid"].get("by_class", {})
            mean = sum(by_class.values()) / max(1, len(by_class))
            yield Question(
                "Is my result the "
                f"{'printed ' + entry.printed if entry.value else f'known {entry.low:g}'}?",
                f"The mean over the classes is {mean:.4f} here and {entry.low:.4f} there; the "
                f"accuracy of {score:.4f} counts each sample "
                "once. Nothing is drawn at random, so every run gives the same.",
                recipe_command("train", subject),
                "printed",
                90,
                {"mean": mean, "accuracy": score},
                entry.source,
            )
            continue
        others = f"{entry.low:g} to {entry.high:g} of others"
        yield Question(
            f"Why is my result not the {'printed ' + entry.printed if entry.value else others}?",
            _comparison(run, entry, score),
            _proving_race(run, entry),
            "printed",
            90,
            {"accuracy": score, "printed": entry.value, "low": entry.low, "high": entry.high},
            f"{entry.source}; {POINTS['seed']}",
        )


def _comparison(run: RunNumbers, entry: Published, score: float) -> str:
    assert entry.low is not None
    assert entry.high is not None
    where = (
        "within" if entry.low <= score <= entry.high else "below" if score < entry.low else "above"
    )
    answer = (
        f"Yours is {score:.6f}, {where} the {entry.low:.4f} to {entry.high:.4f} that ten seeds "
        f"reach with the recipe of {'the text' if entry.value else 'that figure'}"
    )
    if entry.value is not None:
        at = "inside" if entry.low <= entry.value <= entry.high else "outside"
        answer += (
            f"; the printed {entry.printed} lies {at} that range, and the text sets no seed, so it "
            "is one draw of many"
        )
    other = [
        step for step, text in entry.recipe.items() if repr(run.subject.recipe.steps[step]) != text
    ]
    named = " and ".join(f"{step} ({run.subject.recipe.steps[step]!r})" for step in other)
    answer += f"; your recipe has another {named}." if other else "."
    if entry.recipe and "shuffle=False" in entry.recipe["repeat"]:
        mine = getattr(run.subject.recipe.repeat, "shuffle", True)
        answer += (
            f" The book's loader does not shuffle; yours {'does' if mine else 'does not either'}."
        )
        if entry.shuffled:
            answer += (
                f" Shuffled, ten seeds come to {entry.shuffled[0]:.4f} to {entry.shuffled[1]:.4f}."
            )
    return answer


def _proving_race(run: RunNumbers, entry: Published) -> str:
    if not entry.recipe:
        return recipe_command("race", run.subject, "--seeds", "5")
    words = [word for step, text in entry.recipe.items() for word in (f"--{step}", text)]
    return command_line(
        "race", run.subject, entry.data, "--predict", entry.predict, *words, "--seeds", "10"
    )


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


def batch_means(run: RunNumbers) -> Iterator[Question]:
    """Why is the accuracy of the book's epoch another?"""
    if dataset_name(run) != "mnist37" or run.metric != "accuracy":
        return
    truth = run.subject.data.valid.y.reshape(-1).long()
    right = (run.subject.output.decide(run.valid_outputs).cpu() == truth).double()
    parts = right.split(BOOK_BATCH)
    mean = float(torch.stack([part.mean() for part in parts]).mean())
    yield Question(
        "Why does the book's accuracy differ in the last digits?",
        f"Yours is the share of samples, {int(right.sum()):,} of {len(right):,} = "
        f"{float(right.mean()):.6f}. The book averages "
        f"the accuracies of batches of {BOOK_BATCH}, {len(parts)} of them, the last with "
        f"{len(parts[-1])}, each counting the "
        f"same: for your network that gives {mean:.6f}.",
        explain_command(run.subject, "words", "metric"),
        "batch means",
        65,
        {"share": float(right.mean()), "batch_mean": mean},
        BOOK,
    )


def unshuffled(run: RunNumbers) -> Iterator[Question]:
    """Why is the first epoch so bad?"""
    repeat, history = run.subject.recipe.repeat, run.subject.history
    if (
        dataset_name(run) != "mnist37"
        or getattr(repeat, "shuffle", True)
        or not history
        or "accuracy" not in history[0]["valid"]
    ):
        return
    first = history[0]["valid"]["accuracy"]
    always = [name for name, share in history[0]["valid"].get("by_class", {}).items() if share == 1]
    answer = (
        f" It answers {always[0]} to every sample."
        if len(always) == 1 and min(history[0]["valid"]["by_class"].values()) == 0
        else ""
    )
    yield Question(
        "Why is the first epoch so bad?",
        "The samples come in the order of the data, all 3s and then all 7s, so that each batch "
        "pulls to one side. The first "
        f"epoch came to {first:.4f}.{answer} The book prints .4932 for its linear model, exactly "
        "(3 "
        "+ 242/256)/8: always "
        "answering 3.",
        recipe_command(
            "race",
            run.subject,
            "--repeat",
            repr(repeat),
            "--repeat",
            repr(dataclasses.replace(repeat, shuffle=True)),
            "--seeds",
            "5",
        ),
        "shuffle",
        75,
        {"first": first},
        str(POINTS["order"]),
    )


def conditioning(run: RunNumbers) -> Iterator[Question]:
    """Why does it not converge? The curvatures of a least-squares fit, in float64."""
    subject = run.subject
    recipe = subject.recipe
    if (
        not isinstance(recipe.predict, polynomial | linear)
        or not isinstance(recipe.loss, mean_squared_error)
        or not run.linear_passes
        or run.train_inputs.shape[1:].numel() > 1000
        or subject.output.size != 1
    ):
        return
    x, y = (
        run.train_inputs.double().flatten(1),
        subject.part("train", torch.float64)[1][: len(run.train_inputs)],
    )
    degree = getattr(recipe.predict, "degree", 1)
    columns, curvature = _least_squares(x, degree)
    even = _least_squares((x - x.mean(0)) / x.std(0).clamp_min(1e-12), degree)[1]
    low, high = float(curvature[0]), float(curvature[-1])
    if low <= 0 or high / low < ILL_CONDITIONED:
        return
    best = float(
        (columns @ torch.linalg.lstsq(columns, y, driver="gelsd").solution - y).square().mean()
    )
    loss, lr = subject.summary.metrics["train"]["loss"], recipe.step.lr
    answer = (
        f"It can converge, slowly: the lowest possible loss is {number_text(best)}, yours came to "
        f"{number_text(math.nan if loss is None else loss)}. The curvatures of its directions lie "
        f"between {number_text(low)} and {number_text(high)}, "
        f"a condition number of {high / low:,.0f}; with sgd, rates above 2/{number_text(high)} = "
        f"{number_text(2 / high, 3)} diverge"
    )
    if isinstance(recipe.step, sgd) and isinstance(lr, float | int):
        answer += (
            f", and at lr {lr:g} the flattest direction needs {1 / (lr * low):,.0f} steps for a "
            "factor of e"
        )
    cured = float(even[-1] / even[0])
    if cured * 10 < high / low and (scaled := _standardized_source(recipe.source)):
        answer += f". With standardised inputs the condition number is {number_text(cured, 2)}."
        proof = command_line(
            "train",
            subject,
            scaled,
            "--predict",
            repr(recipe.predict),
            "--loss",
            repr(recipe.loss),
            "--repeat",
            "full_batch()",
            "--step",
            f"sgd(lr={float(1 / even[-1]):.1g})",
            "--stop",
            f"epochs({math.ceil(10 * cured)})",
        )
    else:
        answer += (
            ". Its inputs are correlated, which scaling does not change: take more steps, or an "
            "optimizer that scales each direction separately."
        )
        proof = recipe_command(
            "race", subject, "--step", repr(recipe.step), "--step", "adam(lr=0.01)", "--seeds", "3"
        )
    yield Question(
        "Why does it not converge?",
        answer,
        proof,
        "converge",
        101,
        {
            "curvatures": curvature.tolist(),
            "condition": high / low,
            "standardised": cured,
            "best": best,
            "loss": loss,
        },
        str(POINTS["speed"]),
    )


def _least_squares(x: Tensor, degree: int) -> tuple[Tensor, Tensor]:
    """Columns of a least-squares fit, highest power first and ones last, and the curvatures 2 XᵀX /
    N, ascending.
    """
    columns = (x[:, :, None] ** torch.arange(degree, 0, -1)).flatten(1)
    columns = torch.cat([columns, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    return columns, torch.linalg.eigvalsh(2 * columns.T @ columns / len(x))


def _standardized_source(text: str) -> str:
    """The same data with standardised inputs; "" where they cannot be asked for so."""
    try:
        standardized: str = dataclasses.replace(source(text), scale="standardize").text  # type: ignore[type-var]
    except (Error, TypeError):
        return ""
    return standardized


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
