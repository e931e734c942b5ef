"""The seven steps of a training, one file each.

Here is how their values are listed and read from text. Listing reads the source, so
`sevensteps steps` answers before PyTorch could even be imported.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from sevensteps.aliases import rewrite
from sevensteps.errors import NotationError, nearest
from sevensteps.notation import Entry, offered
from sevensteps.notation import parse as parse_notation

QUESTIONS = {
    "initialize": "where do the parameters start?",
    "predict": "what function turns inputs into outputs?",
    "loss": "how wrong is an output?",
    "gradient": "how does the loss change with each parameter?",
    "step": "how are the parameters changed?",
    "repeat": "on which samples, in which order?",
    "stop": "when is it enough?",
}
STEPS = tuple(QUESTIONS)
# the rest of a recipe, beside its data: what else the bits of a result depend on
SETTINGS = ("seed", "device", "threads", "precision")
EXAMPLES = {
    "initialize": "kaiming_normal()",
    "predict": "mlp(30)",
    "loss": "cross_entropy()",
    "gradient": "chain_rule()",
    "step": "sgd(lr=0.1)",
    "repeat": "batches(64)",
    "stop": "epochs(20)",
}
RENAMED = {"stop": {"steps": "max_steps"}}  # names of earlier versions, still read in recipes


ELSEWHERE = {  # words that people take for a step
    "data": "to list the data sets: sevensteps data",
    "optimizer": "the optimizers are in: sevensteps steps step",
    "learning_rate": "it belongs to the step: sevensteps steps step",
    "lr": "it belongs to the step: sevensteps steps step",
    "model": "the networks are in: sevensteps steps predict",
    "network": "the networks are in: sevensteps steps predict",
    "init": "the starts are in: sevensteps steps initialize",
    "batch_size": "it belongs to the batches: sevensteps steps repeat",
}


def catalog(step: str) -> tuple[Entry, ...]:
    """What `step` offers, in the order of its file.

    >>> [entry.name for entry in catalog("gradient")]
    ['auto', 'chain_rule', 'compiled', 'autograd', 'finite_differences', 'perceptron_rule']
    """
    return offered(__name__, f"{known(step)}.py")


def known(step: str) -> str:
    """`step` if it is one of the seven, else a `NotationError` with the nearest."""
    if step in ELSEWHERE:
        raise NotationError(f"'{step}' is no step; {ELSEWHERE[step]}")
    if step not in QUESTIONS:
        raise NotationError(f"there is no step '{step}'; {nearest(step, STEPS)}")
    return step


def module_of(step: str) -> ModuleType:
    """The module that holds the values of `step`."""
    return importlib.import_module(f"{__name__}.{known(step)}")


def parse(step: str, text: str) -> Any:
    """The value of `step` that `text` spells, such as `parse("step", "sgd(lr=0.1)")`.

    Raises `NotationError`, for a name that others use for one of these values with how it is
    written here.
    """
    try:
        return _parse(step, text)
    except NotationError as failure:
        meant = rewrite(step, str(text))
        try:
            _parse(step, meant)
        except NotationError:
            raise failure from failure.__cause__
        raise NotationError(f"{str(failure).rpartition('; ')[0]}; write: {meant}") from None


def _parse(step: str, text: str) -> Any:
    names = [entry.name for entry in catalog(step)]
    earlier = RENAMED.get(step, {})
    used = [name for name in earlier if f"{name}(" in text]  # accepted, not offered
    return parse_notation(
        text,
        lambda name: getattr(module_of(step), earlier.get(name, name)),
        what=step,
        known=[*names, *used],
        example=EXAMPLES[step],
    )
