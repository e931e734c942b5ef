"""The questions that readers of this run are likely to ask, answered with its own numbers, each
with a command that proves it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from sevensteps.doctor.trials.trial import change_notation
from sevensteps.engine.modules import Dropout
from sevensteps.errors import RunError
from sevensteps.explain.base import Explanation
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.subject import Subject
from sevensteps.explain.why.book_questions import BOOK_QUESTIONS
from sevensteps.explain.why.published import CONDITIONS, POINTS
from sevensteps.explain.why.question import (
    Question,
    command_line,
    command_on_run,
    fits_in_a_file,
    recipe_command,
)
from sevensteps.explain.why.simple_answer import share_interval, simple_answer
from sevensteps.metrics import baseline
from sevensteps.render.text import number_text
from sevensteps.steps import initialize as initializers
from sevensteps.steps.repeat import full_batch
from sevensteps.steps.stop import patience
from sevensteps.training.threads import threads

MAX_QUESTIONS = 6
MAX_FINDINGS = 2  # findings that are asked about
# rules that draw nothing for the weights
WITHOUT_CHANCE = (
    initializers.zeros,
    initializers.ones,
    initializers.constant,
    initializers.class_means,
    initializers.as_given,
    initializers.pixel_frequency,
)
MAX_EXPLANATION = 400  # characters of an explanation of the doctor's
SEVERITY_RANKS = {"error": 100, "warning": 80, "info": 42}
# what a question of this topic compares with
LEVELS = {
    "good": ("ignorant", "simple"),
    "printed": ("printed", "low", "high"),
}
TOPICS = {"ill_conditioned": "converge", "symmetric_units": "zeros", "not_shuffled": "shuffle"}
QUESTIONS = {
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
    with.
    """

    questions: tuple[Question, ...]
    metric: str
    history: tuple[tuple[int, float], ...]
    levels: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def why(subject: Subject) -> Why:
    """At most six questions about this run with their answers, ranked, one of each topic.

    Raises `RunError` if the findings in the run's folder are damaged.
    """
    run = RunNumbers(subject)
    with threads(subject.recipe.threads or torch.get_num_threads()):
        try:
            about_findings = list(_about_findings(run))
        except (KeyError, TypeError, AttributeError, IndexError) as failure:
            raise RunError(
                f"the findings of {subject.folder} are damaged: {type(failure).__name__}: {failure}"
            ) from None
        questions = [
            *about_findings,
            *(question for questions_of in BOOK_QUESTIONS for question in questions_of(run)),
            *_is_it_good(run),
            *_another_seed(run),
            *_best_epoch(run),
        ]
    by_topic: dict[str, Question] = {}
    for question in sorted(questions, key=lambda question: -question.rank):
        by_topic.setdefault(question.topic, question)
    history = tuple(
        (row["epoch"], row["valid"][run.metric])
        for row in subject.history
        if row["valid"].get(run.metric) is not None
    )
    levels = {
        name: value
        for topic, names in LEVELS.items()
        if topic in by_topic
        for name in names
        if (value := by_topic[topic].numbers.get(name)) is not None
    }
    return Why(tuple(by_topic.values())[:MAX_QUESTIONS], run.metric, history, levels)


def _about_findings(run: RunNumbers) -> Iterator[Question]:
    """What the doctor found: condition, explanation, remedy."""
    subject = run.subject
    for order, finding in enumerate(subject.summary.findings[:MAX_FINDINGS]):
        name, step = finding["condition"], finding["step"]
        explanation = " ".join(finding["explanation"].split())
        if len(explanation) > MAX_EXPLANATION:
            explanation = explanation[:MAX_EXPLANATION].rsplit(". ", 1)[0].rstrip(".") + "."
        remedies = [remedy for remedy in finding["remedies"] if remedy["change"]]
        advice = ""
        if remedies:
            advice = f" The remedy: {change_notation(remedies[0]['change'])}; {remedies[0]['why']}."
        yield Question(
            question=QUESTIONS.get(name, f"Why does it not do better? ({name})"),
            answer=f"The doctor found {name}, step {step}: {explanation.rstrip('.')}.{advice}",
            command=_command_to_try(subject),
            topic=TOPICS.get(name, name),
            rank=SEVERITY_RANKS.get(finding["severity"], 42) - order,
            numbers={"condition": name, "confidence": finding["confidence"]},
            source=str(POINTS[CONDITIONS[name]]) if name in CONDITIONS else "",
        )


def _command_to_try(subject: Subject) -> str:
    """The command that tries the doctor's remedies."""
    if subject.folder is None or not fits_in_a_file(subject):
        return "ss.diagnose(run).try_remedies()"
    return command_on_run("diagnose", subject, "--try")


def _is_it_good(run: RunNumbers) -> Iterator[Question]:
    """Is it good?"""
    subject, task = run.subject, run.subject.output.task
    chance = baseline(task.kind, subject.data.valid.y)
    simple = simple_answer(run)
    if run.metric == "loss" or math.isnan(run.score):
        return
    answer = (
        f"It reached {run.metric} {number_text(run.score)} on the validation samples. An answer "
        "that does not look at its input has "
        f"{number_text(chance)}"
    )
    if simple is not None:
        answer += f", {simple[0]} {number_text(simple[1])}"
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
        else "worse than the simple answer, so there is more to gain"
    )
    mine = repr(subject.recipe.predict)
    other = "mlp(30)" if mine == "linear()" else "linear()"
    proof = (
        recipe_command("race", subject, "--predict", mine, "--predict", other, "--seeds", "5")
        if subject.summary.steps
        else command_line("train", subject, subject.recipe.source, "--predict", "linear()")
    )
    yield Question(
        "Is it good?",
        f"{answer}: it is {verdict}.",
        proof,
        "good",
        57,
        {run.metric: run.score, "ignorant": chance, "simple": simple and simple[1]},
    )


def _another_seed(run: RunNumbers) -> Iterator[Question]:
    """Would another seed give the same?"""
    if not run.subject.summary.steps or math.isnan(run.score):
        return
    subject, count, drawn = run.subject, len(run.subject.data.valid), _random_parts(run.subject)
    if not drawn:
        yield Question(
            "Would another seed give the same?",
            "Yes, bit-identical: this recipe draws nothing at random.",
            recipe_command("race", subject, "--seeds", "2"),
            "seed",
            35,
            {run.metric: run.score},
        )
        return
    answer = f"Not to the digit: seed {subject.recipe.seed} draws {' and '.join(drawn)}"
    numbers: dict[str, Any] = {run.metric: run.score, "samples": count}
    if run.metric == "accuracy":
        low, high = share_interval(run.score, count)
        numbers |= {"low": low, "high": high}
        answer += (
            f". And {run.score:.4f} of {count:,} validation samples leaves open anything from "
            f"{low:.3f} to {high:.3f} (95 %), so that differences within that say little"
        )
    yield Question(
        "Would another seed give the same?",
        f"{answer}. The same seed gives a bit-identical result.",
        recipe_command("race", subject, "--seeds", "5"),
        "seed",
        56,
        numbers,
    )


def _random_parts(subject: Subject) -> list[str]:
    """What the seed decides."""
    initialize, repeat = subject.recipe.initialize, subject.recipe.repeat
    fixed = isinstance(initialize, WITHOUT_CHANCE) and getattr(initialize, "bias", "") != "normal"
    dropout = any(
        isinstance(module, Dropout | nn.modules.dropout._DropoutNd)
        for module in subject.network.modules()
    )
    ordered = isinstance(repeat, full_batch) or getattr(repeat, "shuffle", True) is False
    return [
        part
        for part, is_random in (
            ("where the parameters start", not fixed),
            ("the order of the samples", not ordered),
            ("what dropout leaves out", dropout),
        )
        if is_random
    ]


def _best_epoch(run: RunNumbers) -> Iterator[Question]:
    """Is the best epoch the last?"""
    summary = run.subject.summary
    best, last = summary.best.epoch, summary.epochs
    value = summary.best.metrics["valid"][run.metric]
    if last < 2 or value is None or math.isnan(run.score):
        return
    first = run.subject.history[0]["valid"].get(run.metric)
    shown = number_text(value)
    if first is not None and {number_text(first), number_text(run.score)} == {shown}:
        answer = (
            f"It makes no difference: {run.metric} was {shown} in epoch 1 and in the last, "
            f"{last}, too, so that more epochs alone will hardly change it."
        )
    elif best == last:
        answer = (
            f"Yes: {run.metric} was {shown} in epoch {best}, the last"
            + (f", and {number_text(first)} in the first" if first is not None else "")
            + ". With more epochs it may get better still."
        )
    elif shown == number_text(run.score):
        answer = (
            f"It makes no difference: {run.metric} is {shown} in epoch {best}, and "
            f"in the last, {last}, too."
        )
    else:
        answer = (
            f"No: {run.metric} was {shown} in epoch {best} and "
            f"{number_text(run.score)} in "
            f"the last, {last}. Both networks "
            "are kept; the best was chosen by the validation samples, which makes it look a "
            "little better than it is."
        )
    waits = [rule.count for rule in run.subject.recipe.stop.rules() if isinstance(rule, patience)]
    patience_count = max([10, *(2 * count for count in waits)])
    longer = recipe_command(
        "train", run.subject, "--stop", f"epochs({2 * last}) | patience({patience_count})"
    )
    yield Question(
        "Is the best epoch the last?",
        answer,
        longer,
        "best",
        54,
        {"best": best, "last": last, "value": value},
    )
