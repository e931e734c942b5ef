"""What is said of a finished training that has no fault, and yet could be better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sevensteps.render.text import metric_text

if TYPE_CHECKING:
    from sevensteps.api.run import Run

LEARNED, GAP = 0.97, 0.15  # accuracy on training samples, and how much less on others
R2_APART = 0.05  # of r2, from which one is better than another
MOST_NUMBERS = 5_000_000  # of training inputs, for which a simple model takes no time


def memorised(run: Run) -> str:
    """A sentence about a network that knows its training samples, and not what they have in common
    with others; "" where it does not, or a finding says so.
    """
    if any(finding.condition == "overfitting" for finding in run.findings):
        return ""
    train, valid = (run.metrics[part].get("accuracy") for part in ("train", "valid"))
    if train is None or valid is None or train < LEARNED or train - valid < GAP:
        return ""
    return (
        f"It memorised its training samples: accuracy {train:.4f} on them, {valid:.4f} on the "
        "validation samples. More samples, fewer inputs, weight decay or an earlier stop may help."
    )


def simpler_is_better(run: Run) -> str:
    """A sentence about a simple model that does clearly better on the validation samples; "" where
    none does, or a finding says what is wrong.
    """
    from sevensteps.errors import Error
    from sevensteps.explain.run_numbers import RunNumbers
    from sevensteps.explain.why.simple_answer import simple_answer
    from sevensteps.metrics import primary

    name = primary(run.metrics["valid"])
    if run.findings or name not in ("accuracy", "r2") or not run.outcome.steps:
        return ""
    try:
        subject = run.explain.subject
        x = subject.data.train.x
        if x.shape.numel() > MOST_NUMBERS:
            return ""
        simple = simple_answer(RunNumbers(subject))
    except Error:  # data that are gone
        return ""
    last, best = run.metrics["valid"][name], run.best.metrics["valid"][name]
    count = len(subject.data.valid)
    if simple is None or not clearly_better(name, simple[1], max(last, best), count):
        return ""
    return (
        f"{simple[0][0].upper()}{simple[0][1:]} does better on the validation samples: {name} "
        f"{metric_text(name, simple[1])}, where this network has {metric_text(name, last)}."
    )


def later_is_worse(run: Run) -> str:
    """A sentence about a network that was clearly better in an earlier epoch; "" where it was not,
    or a finding says what is wrong.
    """
    from sevensteps.metrics import primary

    name = primary(run.metrics["valid"])
    if run.findings or name not in ("accuracy", "r2"):
        return ""
    last, best = run.metrics["valid"][name], run.best.metrics["valid"][name]
    if not clearly_better(name, best, last, run.outcome.data["valid"]):
        return ""
    return (
        f"It did better in epoch {run.best.epoch}: validation {name} {metric_text(name, best)}, "
        f"and {metric_text(name, last)} in the end; predict --best asks the network of that epoch."
    )


def clearly_better(name: str, score: float, than: float, count: int) -> bool:
    """Whether the difference is more than `count` validation samples leave open."""
    from sevensteps.explain.why.simple_answer import share_interval

    if name == "accuracy":
        return score > share_interval(than, count)[1]
    return score > than + R2_APART
