"""Examples of words about how a training is run: batch size, rates over time, stop and seed."""

from __future__ import annotations

from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.words.examples import NOTHING_TRAINED, Example, example_of, no_example
from sevensteps.render.text import count_text, number_text
from sevensteps.steps.step import Schedule
from sevensteps.steps.stop import patience


@example_of("batch size")
def _batch_size(run: RunNumbers) -> Example:
    if not run.subject.summary.steps:
        return no_example(NOTHING_TRAINED)
    repeat, samples = run.subject.recipe.repeat, len(run.subject.data.train)
    return Example(
        f"{run.batch_size:,} of {count_text(samples, 'training sample')} in each step, as "
        f"{repeat!r} has it",
        {"size": run.batch_size, "samples": samples},
    )


@example_of("learning rate decay")
def _learning_rate_decay(run: RunNumbers) -> Example:
    lr, steps = getattr(run.subject.recipe.step, "lr", None), run.subject.summary.steps
    if not isinstance(lr, Schedule):
        return no_example(f"its rate stays the same, {run.subject.recipe.step!r}")
    if not steps:
        return no_example(NOTHING_TRAINED)
    rates = [lr(step, steps) for step in (0, steps // 2, steps - 1)]
    first, middle, last = map(number_text, rates)
    return Example(
        f"{lr!r}: {first} at the first step, {middle} halfway through the {steps:,} steps, {last} "
        "at the end",
        {"first": rates[0], "middle": rates[1], "last": rates[2]},
    )


@example_of("early stopping")
def _early_stopping(run: RunNumbers) -> Example:
    stop, reason = run.subject.recipe.stop, run.subject.summary.stop.reason
    waiting = next((rule for rule in stop.rules() if isinstance(rule, patience)), None)
    if waiting is None:
        return no_example(f'{stop!r} has none; "epochs(40) | patience(5)" has')
    return Example(f"{waiting!r}; it stopped as {reason}", {"patience": waiting.count})


@example_of("seed")
def _seed(run: RunNumbers) -> Example:
    seed = run.subject.recipe.seed
    return Example(f"seed {seed}", {"seed": seed})
