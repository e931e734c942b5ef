"""Examples of words about the training: what a step takes, and what it changes."""

from __future__ import annotations

import math

from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.words.examples import (
    NOTHING_TRAINED,
    Example,
    example_of,
    no_example,
    shape_text,
)
from sevensteps.render.text import count_text, number_text
from sevensteps.steps.repeat import full_batch
from sevensteps.steps.step import Schedule

FLAT, LEAST_EPOCHS = 0.01, 4  # change of the loss in an epoch of a plateau, and its length
FITS, APART = 0.5, 0.05  # score of a network that fits; by how much others are answered worse


@example_of("mini-batch")
def _mini_batch(run: RunNumbers) -> Example:
    repeat, samples = run.subject.recipe.repeat, len(run.subject.data.train)
    if isinstance(repeat, full_batch):
        return no_example(f"each step takes all {samples:,} samples at once, full_batch()")
    if not run.subject.summary.steps:
        return no_example(NOTHING_TRAINED)
    count = repeat.count(samples)
    return Example(
        f"{repeat!r}: {count_text(run.batch_size, 'sample')} a step, so that the {samples:,} "
        "training "
        f"samples make {count_text(count, 'step')}",
        {"size": run.batch_size, "batches": count, "samples": samples},
    )


@example_of("forward pass")
def _forward_pass(run: RunNumbers) -> Example:
    layers = [f"{layer.name} {shape_text(layer.output.shape[1:])}" for layer in run.layer_passes]
    if len(layers) > 6:
        layers = [*layers[:5], "…", layers[-1]]
    values = [float(value) for value in run.sample_output[:3]]
    more = ", …" if len(run.sample_output) > 3 else ""
    return Example(
        f"validation sample 0: {shape_text(run.sample_input.shape[1:])} → {' → '.join(layers)}, "
        f"which is {', '.join(map(number_text, values))}{more}",
        {"output": values},
    )


@example_of("backward pass")
def _backward_pass(run: RunNumbers) -> Example:
    if run.first_step is None:
        return no_example(NOTHING_TRAINED)
    lengths = {layer.name: layer.gradient for layer in reversed(run.first_step.layers)}
    few = [f"{number_text(length)} in {name}" for name, length in list(lengths.items())[:5]]
    return Example(
        f"at the first step the gradient has the length {', then '.join(few)}",
        {"lengths": lengths},
    )


@example_of("loss")
def _loss(run: RunNumbers) -> Example:
    recipe, end = run.subject.recipe, run.subject.summary.metrics["valid"]["loss"]
    first = run.first_step.loss if run.first_step else None
    start = f" of the first batch was {number_text(first)}, that" if first is not None else ""
    return Example(
        f"{recipe.loss!r}{start} of the validation data at the end is {number_text(end)}",
        {"first": first, "last": end},
    )


@example_of("metric")
def _metric(run: RunNumbers) -> Example:
    if run.metric == "accuracy":
        count = len(run.subject.data.valid)
        return Example(
            f"accuracy, {run.score:.4f} on the {count:,} validation samples",
            {"accuracy": run.score},
        )
    return Example(
        f"{run.metric}, {number_text(run.score)} on the validation data", {run.metric: run.score}
    )


@example_of("gradient")
def _gradient(run: RunNumbers) -> Example:
    if run.first_step is None:
        return no_example(NOTHING_TRAINED)
    weight = run.first_step.weight
    change = "falls" if weight.gradient > 0 else "rises"
    return Example(
        f"at the first step that of {weight.name} was {number_text(weight.gradient)}: the loss "
        f"{change} "
        f"by about {number_text(abs(weight.gradient) / 1000)} if this weight is lowered by .001",
        {"weight": weight.name, "gradient": weight.gradient},
    )


@example_of("gradient descent")
def _gradient_descent(run: RunNumbers) -> Example:
    if run.first_step is None:
        return no_example(NOTHING_TRAINED)
    before, after = run.first_step.losses
    return Example(
        f"the first step brought the loss of its samples from {number_text(before)} to "
        f"{number_text(after)}; "
        f"{count_text(run.first_step.count, 'step')} were taken",
        {"before": before, "after": after, "steps": run.first_step.count},
    )


@example_of("SGD")
def _sgd(run: RunNumbers) -> Example:
    if run.first_step is None:
        return no_example(NOTHING_TRAINED)
    size, samples = run.first_step.size, len(run.subject.data.train)
    if size >= samples:
        return no_example(
            f"each step takes all {samples:,} samples, which is gradient descent without chance"
        )
    return Example(
        f"the first step took the gradient of {size:,} of the {samples:,} training samples, "
        f"{run.first_step.order}, and moved by {run.subject.recipe.step!r}",
        {"size": size, "samples": samples},
    )


@example_of("learning rate")
def _learning_rate(run: RunNumbers) -> Example:
    step = run.first_step
    if step is None:
        return no_example(NOTHING_TRAINED)
    weight, lr = step.weight, run.subject.recipe.step.lr
    rate = f"{lr!r}, {step.lr:g} at the first step" if isinstance(lr, Schedule) else f"{lr:g}"
    return Example(
        f"{rate}; the first step moved {weight.name} from {number_text(weight.old, 6)} to "
        f"{number_text(weight.new, 6)}",
        {"lr": step.lr, "weight": weight.name, "old": weight.old, "new": weight.new},
    )


@example_of("epoch")
def _epoch(run: RunNumbers) -> Example:
    summary, samples = run.subject.summary, len(run.subject.data.train)
    epochs, steps = summary.epochs, summary.steps
    if not epochs:
        return no_example("it has not gone once over its samples")
    return Example(
        f"{count_text(epochs, 'epoch')} of {count_text(samples, 'sample')}, in "
        f"{count_text(steps, 'step')}",
        {"epochs": epochs, "steps": steps, "samples": samples},
    )


@example_of("overfitting")
def _overfitting(run: RunNumbers) -> Example:
    metrics, best = run.subject.summary.metrics, run.subject.summary.best
    train, valid = metrics["train"]["loss"], metrics["valid"]["loss"]
    losses = [row["valid"]["loss"] for row in run.subject.history]
    lowest = min((loss for loss in losses if loss is not None), default=math.nan)
    return Example(
        f"at the end the loss is {number_text(train)} on the training samples and "
        f"{number_text(valid)} on "
        f"the validation samples, where its lowest was {number_text(lowest)}; the best epoch was "
        f"{best.epoch} of {run.subject.summary.epochs}",
        {"train": train, "valid": valid, "lowest": lowest, "best_epoch": best.epoch},
    )


@example_of("plateau")
def _plateau(run: RunNumbers) -> Example:
    """The longest stretch of epochs in each of which the training loss hardly changed."""
    rows = [(row["epoch"], row["train"]["loss"]) for row in run.subject.history]
    longest: list[tuple[int, float]] = []
    stretch: list[tuple[int, float]] = []
    for epoch, loss in rows:
        flat = (
            bool(stretch)
            and loss is not None
            and abs(loss - stretch[-1][1]) < FLAT * stretch[-1][1]
        )
        stretch = [*stretch, (epoch, loss)] if flat else [] if loss is None else [(epoch, loss)]
        longest = max(longest, stretch, key=len)
    if len(longest) < LEAST_EPOCHS:
        return no_example("its training loss changed by 1 % or more in nearly every epoch")
    (first, before), (last, after) = longest[0], longest[-1]
    return Example(
        f"from epoch {first} to {last} the training loss only went from {number_text(before)} to "
        f"{number_text(after)}, by less than 1 % in each epoch",
        {"first": first, "last": last, "before": before, "after": after},
    )


@example_of("memorisation")
def _memorisation(run: RunNumbers) -> Example:
    """How much better the training samples are answered than others."""
    metrics, name = run.subject.summary.metrics, run.metric
    train, valid = (metrics[part].get(name) for part in ("train", "valid"))
    if train is None or valid is None or name == "loss":
        return no_example("it has no score on its training and its validation samples")
    numbers = {"train": train, "valid": valid}
    scores = (
        f"{name} is {number_text(train)} on the training samples and {number_text(valid)} on the "
        "validation samples"
    )
    if train < FITS:
        return Example(f"{scores}: it does not fit its training samples either", numbers)
    if train - valid < APART:
        return Example(f"{scores}: what it learned holds for samples it has not seen", numbers)
    return Example(f"{scores}: the difference is what it knows of the first by heart", numbers)
