"""Why a number is not the one that the book prints: a result, a mean over batches, an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch

from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.why.published import BOOK, FIGURES, POINTS, Published
from sevensteps.explain.why.question import Question, command_line, explain_command, recipe_command

BOOK_BATCH = 256  # samples of a validation batch of the book


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
