"""Options that people try first, as other tools have them: `--lr`, `--epochs`, `--optimizer` …

Each stands for a value of one of the seven steps. What it was read as is printed in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from sevensteps.aliases import rewrite
from sevensteps.steps import STEPS

# parameter -> the step it belongs to, and its options, which no help lists
OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "guess_lr": ("step", ("--lr", "--learning-rate")),
    "guess_optimizer": ("step", ("--optimizer", "--optimiser", "--optim", "--opt")),
    "guess_momentum": ("step", ("--momentum",)),
    "guess_weight_decay": ("step", ("--weight-decay", "--wd")),
    "guess_epochs": ("stop", ("--epochs", "--epoch", "--n-epochs")),
    "guess_patience": ("stop", ("--patience",)),
    "guess_steps": ("stop", ("--steps", "--max-steps", "--iterations")),
    "guess_batch_size": ("repeat", ("--batch-size", "--batch", "--bs")),
    "guess_hidden": ("predict", ("--hidden", "--hidden-size", "--units")),
    "guess_layers": ("predict", ("--layers", "--n-layers", "--num-layers")),
    "guess_activation": ("predict", ("--activation",)),
    "guess_model": ("predict", ("--model", "--net", "--network")),
    "guess_init": ("initialize", ("--init", "--initialise", "--initializer", "--initialiser")),
    "guess_loss": ("loss", ("--loss-fn", "--criterion")),
}
ADDED = {  # to the value of the step -> how its argument is written
    "guess_lr": "lr={}",
    "guess_momentum": "momentum={}",
    "guess_weight_decay": "weight_decay={}",
    "guess_activation": 'activation="{}"',
}
RULES = {
    "guess_epochs": "epochs({})",
    "guess_patience": "patience({})",
    "guess_steps": "max_steps({})",
}
WHOLE = {"guess_optimizer", "guess_model", "guess_init", "guess_loss"}  # the value itself
WIDTH = "30"  # of a hidden layer that is only counted
MOST_LAYERS = 12  # a larger number is the width of one
PLAIN = {"step": "sgd", "predict": f"mlp({WIDTH})"}  # what an argument is added to

Values = dict[str, Any]


def guess_options(*steps: str) -> list[Callable[[Any], Any]]:
    """The options of `steps`, or of all, as decorators; each can be repeated."""
    return [
        click.option(*options, name, multiple=True, hidden=True, metavar="VALUE")
        for name, (step, options) in OPTIONS.items()
        if step in (steps or STEPS)
    ]


def understand(values: Values, guesses: Mapping[str, Sequence[str]], many: bool) -> Values:
    """The values of the steps with what `guesses` add, all in the notation of this package.

    Prints a line for each step that was read otherwise than it was typed. Raises `UsageError` where
    a guess contradicts the value of its step.
    """
    values = dict(values)
    for step in STEPS:
        texts = values.get(step)
        typed = list(texts) if isinstance(texts, tuple) else [] if texts is None else [texts]
        added = {
            name: list(given)
            for name, given in guesses.items()
            if given and OPTIONS[name][0] == step
        }
        meant = _combine(step, [rewrite(step, text) for text in typed], added)
        if meant == typed:
            continue
        if not many and len(meant) > 1:
            raise click.UsageError(f"--{step} takes one value; to compare several: sevensteps race")
        _print_reading(step, typed, added, meant)
        values[step] = tuple(meant) if many else meant[0]
    return values


def _combine(step: str, texts: list[str], added: dict[str, list[str]]) -> list[str]:
    """The values of a step: those typed or named by the guesses, each with what they add."""
    for name in WHOLE & set(added):
        texts += [rewrite(step, text) for text in added[name]]
    if "guess_hidden" in added or "guess_layers" in added:
        widths = [text.strip("[]() ") for text in added.get("guess_hidden", ())]
        for layers in added.get("guess_layers", ()):
            widths = _with_layers(layers.strip("[]() "), widths)
        texts += [rewrite("predict", text) for text in widths]
    if "guess_batch_size" in added:
        texts += [rewrite("repeat", text) for text in added["guess_batch_size"]]
    for name, form in ADDED.items():
        if name in added:
            starts = texts or [PLAIN[step]]
            texts = [_with(text, form, value) for value in added[name] for text in starts]
    rules = [form.format(value) for name, form in RULES.items() for value in added.get(name, ())]
    return [" | ".join([*texts, *rules])] if rules else texts


def _with_layers(layers: str, widths: list[str]) -> list[str]:
    """The widths of the hidden layers where so many `layers` were asked for, or each was named."""
    if not layers.isdecimal() or int(layers) > MOST_LAYERS:
        return [*widths, layers]  # these are widths: --layers 64,32
    if layers == "0":
        raise click.UsageError('without a hidden layer the network is linear: --predict "linear()"')
    return [", ".join([width] * int(layers)) for width in widths or [WIDTH]]


def _with(text: str, form: str, value: str) -> str:
    """`sgd(momentum=0.9)` and `lr=0.1` as one call."""
    name, _, arguments = text.partition("(")
    arguments = arguments.rpartition(")")[0].strip()
    key = form.partition("=")[0]
    if f"{key}=" in arguments.replace(" ", ""):
        raise click.UsageError(f"{text} has a value of {key} already; leave --{key} out")
    return f"{name.strip()}({', '.join(filter(None, [arguments, form.format(value)]))})"


def _print_reading(
    step: str, typed: list[str], added: dict[str, list[str]], meant: list[str]
) -> None:
    from sevensteps.cli.output import print_error
    from sevensteps.render.text import shell_quote

    words = [f"--{step} {shell_quote(text)}" for text in typed]
    words += [
        f"{OPTIONS[name][1][0]} {shell_quote(value)}"
        for name, given in added.items()
        for value in given
    ]
    reading = " ".join(f"--{step} {shell_quote(text)}" for text in meant)
    print_error(f"{' '.join(words)} is read as {reading}", speaker="")
