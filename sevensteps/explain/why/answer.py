"""The questions that readers of this run are likely to ask, answered with its own numbers, each
with a command that proves it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from sevensteps.errors import RunError
from sevensteps.explain.base import Explanation
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.subject import Subject
from sevensteps.explain.why.book_questions import ASKED
from sevensteps.explain.why.published import CONDITIONS, POINTS
from sevensteps.explain.why.question import Question, command, line, runs_code, written
from sevensteps.metrics import baseline
from sevensteps.render.text import number_text, shell_quote
from sevensteps.training.threads import threads

MOST = 6
FOUND = 2  # findings that are asked about
FIXED = (
    "zeros",
    "ones",
    "constant",
    "class_means",
    "as_given",
    "pixel_frequency",
)  # rules that draw nothing for the weights
SHORT = 400  # characters of an explanation of the doctor's
RANKS = {"error": 100, "warning": 80, "info": 42}
LEVELS = {
    "good": ("ignorant", "simple"),
    "printed": ("printed", "low", "high"),
}  # what a question of this topic compares with
TOPICS = {"ill_conditioned": "converge", "symmetric_units": "zeros", "not_shuffled": "shuffle"}
WORDS = {
    "ill_conditioned": "Why does it not converge?",
    "learning_rate_too_low": "Why is it so slow?",
    "learning_rate_too_high": "Why does the loss jump?",
    "vanishing_gradient": "Why do the first layers not learn?",
    "symmetric_units": "Why do all units do the same?",
    "dead_units": "Why do units answer 0 to everything?",
    "overfitting": "Why is it worse on new samples than on its own?",
    "stopped_early": "Would it get better with more time?",
    "inputs_unscaled": "Why should the inputs be scaled?",
    "targets_unscaled": "Why should the targets be scaled?",
    "label_noise": "Are some labels wrong?",
    "saturated_units": "Why do units hardly react?",
    "underfitting": "Why does it not learn more?",
    "not_finite": "Why is there no number?",
    "not_shuffled": "Does the order of the samples matter?",
}


@dataclass(frozen=True)
class Why(Explanation):
    """The questions, most likely first, at most six.

    `history` is the run's `metric` on the validation samples by epoch, `levels` what it is compared
    with."""

    questions: tuple[Question, ...]
    metric: str
    history: tuple[tuple[int, float], ...]
    levels: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def why(subject: Subject) -> Why:
    """At most six questions, ranked, one of each topic."""
    run = RunNumbers(subject)
    with threads(subject.recipe.threads or torch.get_num_threads()):
        try:
            found = list(_findings(run))
        except (KeyError, TypeError, AttributeError, IndexError) as failure:
            raise RunError(
                f"the findings of {subject.folder} are damaged: {type(failure).__name__}: {failure}"
            ) from None
        asked = [
            *found,
            *(question for ask in ASKED for question in ask(run)),
            *_good(run),
            *_seed(run),
            *_best(run),
        ]
    chosen: dict[str, Question] = {}
    for question in sorted(asked, key=lambda question: -question.rank):
        chosen.setdefault(question.topic, question)
    history = tuple(
        (row["epoch"], row["valid"][run.metric])
        for row in subject.history
        if row["valid"].get(run.metric) is not None
    )
    levels = {
        name: value
        for topic, names in LEVELS.items()
        if topic in chosen
        for name in names
        if (value := chosen[topic].numbers.get(name)) is not None
    }
    return Why(tuple(chosen.values())[:MOST], run.metric, history, levels)


def _findings(run: RunNumbers) -> Iterator[Question]:
    """What the doctor found: condition, explanation, remedy."""
    subject = run.subject
    for place, found in enumerate(subject.summary["findings"][:FOUND]):
        name, step = found["condition"], found["step"]
        explanation = " ".join(found["explanation"].split())
        if len(explanation) > SHORT:
            explanation = explanation[:SHORT].rsplit(". ", 1)[0].rstrip(".") + "."
        remedies = [remedy for remedy in found["remedies"] if remedy["change"]]
        cure = ""
        if remedies:
            change = ", ".join(f"{key} = {text}" for key, text in remedies[0]["change"].items())
            cure = f" Change {change}: {remedies[0]['why']}."
        yield Question(
            WORDS.get(name, f"Why does it not do better? ({name})"),
            f"The doctor found {name}, step {step}: {explanation.rstrip('.')}.{cure}",
            _trying(subject),
            TOPICS.get(name, name),
            RANKS.get(found["severity"], 42) - place,
            {"condition": name, "confidence": found["confidence"]},
            str(POINTS[CONDITIONS[name]]) if name in CONDITIONS else "",
        )


def _trying(subject: Subject) -> str:
    if subject.folder is None or not written(subject):
        return "ss.diagnose(run).try_remedies()"
    place = [] if subject.data_dir is None else ["--data-dir", str(subject.data_dir)]
    code = ["--allow-code"] if runs_code(subject) else []
    return " ".join(
        ["sevensteps", "diagnose", *map(shell_quote, [str(subject.folder), "--try", *place, *code])]
    )


def _good(run: RunNumbers) -> Iterator[Question]:
    """Is it good?"""
    subject, task = run.subject, run.subject.output.task
    chance = baseline(task.kind, subject.data.valid.y)
    simple = _simple(run)
    if run.metric == "loss" or math.isnan(run.score):
        return
    said = (
        f"It came to {run.metric} {number_text(run.score)} on the validation samples. An answer "
        "that does not look at its input has "
        f"{number_text(chance)}"
    )
    if simple is not None:
        said += f", {simple[0]} {number_text(simple[1])}"
    better = [bar for bar in (chance, simple and simple[1]) if bar is not None and run.score > bar]
    verdict = (
        "no better than not looking"
        if not better
        else "better than that"
        if simple is None
        else "better than both"
        if len(better) == 2
        else "as good as the simple answer"
        if run.score == simple[1]
        else "worse than the simple answer, so there is more to get"
    )
    mine = repr(subject.recipe.predict)
    other = "mlp(30)" if mine == "linear()" else "linear()"
    proof = (
        command("race", subject, "--predict", mine, "--predict", other, "--seeds", "5")
        if subject.summary["steps"]
        else line("train", subject, subject.recipe.source, "--predict", "linear()")
    )
    yield Question(
        "Is it good?",
        f"{said}: it is {verdict}.",
        proof,
        "good",
        57,
        {run.metric: run.score, "ignorant": chance, "simple": simple and simple[1]},
    )


def _simple(run: RunNumbers) -> tuple[str, float] | None:
    """A baseline in closed form: the nearest class mean, or least squares; (what, its metric)."""
    subject = run.subject
    kind, x = subject.output.task.kind, run.train_inputs
    rest = subject.part("valid")[0]
    if not x.is_floating_point() or kind == "multilabel" or not isinstance(rest, torch.Tensor):
        return None
    x, new = x.double().flatten(1), rest.double().flatten(1)
    y, truth = subject.data.train.y[: len(x)].cpu(), subject.data.valid.y.cpu()
    if kind == "regression":
        if x.shape[1] > 1000:
            return None
        ones = [torch.ones(len(held), 1, dtype=torch.float64) for held in (x, new)]
        fitted = torch.linalg.lstsq(torch.cat([x, ones[0]], 1), y.double(), driver="gelsd").solution
        left = (truth.double() - torch.cat([new, ones[1]], 1) @ fitted).square().sum()
        spread = (truth.double() - truth.double().mean(0)).square().sum()
        return (
            ("a straight line by least squares", float(1 - left / spread)) if spread > 0 else None
        )
    labels = y.reshape(-1).long()
    means = torch.stack(
        [x[labels == number].mean(0) for number in range(len(subject.output.task.classes))]
    )
    answers = torch.cdist(new, means).argmin(1)
    return "the nearest class mean", float((answers == truth.reshape(-1).long()).double().mean())


def _seed(run: RunNumbers) -> Iterator[Question]:
    """Would another seed give the same?"""
    if not run.subject.summary["steps"] or math.isnan(run.score):
        return
    subject, count, drawn = run.subject, len(run.subject.data.valid), _drawn(run.subject)
    if not drawn:
        yield Question(
            "Would another seed give the same?",
            "Yes, to the bit: this recipe draws nothing at random.",
            command("race", subject, "--seeds", "2"),
            "seed",
            35,
            {run.metric: run.score},
        )
        return
    said = f"Not to the digit: seed {subject.recipe.seed} draws {' and '.join(drawn)}"
    numbers: dict[str, Any] = {run.metric: run.score, "samples": count}
    if run.metric == "accuracy":
        numbers["error"] = 1.96 * math.sqrt(run.score * (1 - run.score) / count)
        said += (
            f". And {run.score:.4f} of {count:,} validation samples is itself uncertain by "
            f"about ±{number_text(numbers['error'], 2)} "
            "(95 %), so that smaller differences say little"
        )
    yield Question(
        "Would another seed give the same?",
        f"{said}. The same seed gives the same bits again.",
        command("race", subject, "--seeds", "5"),
        "seed",
        56,
        numbers,
    )


def _drawn(subject: Subject) -> list[str]:
    """What the seed decides."""
    recipe = subject.recipe
    fixed = (
        type(recipe.initialize).__name__ in FIXED
        and getattr(recipe.initialize, "bias", "") != "normal"
    )
    left_out = any("Dropout" in type(module).__name__ for module in subject.network.modules())
    ordered = (
        type(recipe.repeat).__name__ == "full_batch"
        or getattr(recipe.repeat, "shuffle", True) is False
    )
    return [
        what
        for what, there in (
            ("where the parameters start", not fixed),
            ("the order of the samples", not ordered),
            ("what dropout leaves out", left_out),
        )
        if there
    ]


def _best(run: RunNumbers) -> Iterator[Question]:
    """Is the best epoch the last?"""
    summary = run.subject.summary
    best, last = summary["best"]["epoch"], summary["epochs"]
    value = summary["best"]["metrics"]["valid"][run.metric]
    if last < 2 or value is None or math.isnan(run.score):
        return
    first = run.subject.history[0]["valid"].get(run.metric)
    if best == last:
        said = (
            f"Yes: {run.metric} was {number_text(value)} in epoch {best}, the last"
            + (f", and {number_text(first)} in the first" if first is not None else "")
            + ". It may not have been at its end yet."
        )
    elif value == run.score:
        said = f"It makes no difference: {run.metric} is {number_text(value)} in epoch {best}, and in the last, {last}, too."
    else:
        said = (
            f"No: {run.metric} was {number_text(value)} in epoch {best} and {number_text(run.score)} in "
            f"the last, {last}. Both networks "
            "are kept; the best was picked by the validation samples, and flatters a little."
        )
    longer = command("train", run.subject, "--stop", f"epochs({2 * last}) | patience(10)")
    yield Question(
        "Is the best epoch the last?",
        said,
        longer,
        "best",
        54,
        {"best": best, "last": last, "value": value},
    )
