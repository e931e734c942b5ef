"""A question that readers of a run ask, its answer, and the command that proves it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sevensteps.data import is_loadable
from sevensteps.explain.subject import Subject
from sevensteps.render.text import shell_quote
from sevensteps.training.resolve import resolve


@dataclass(frozen=True)
class Question:
    """`answer` is one paragraph with the run's `numbers`; `command` proves it. Of a `topic` the question of the highest `rank` is asked."""

    question: str
    answer: str
    command: str
    topic: str
    rank: int
    numbers: dict[str, Any] = field(default_factory=dict)
    source: str = ""


def written(subject: Subject) -> bool:
    """Whether a file can hold the recipe: no Python object is in it."""
    return is_loadable(subject.recipe.source) and not subject.recipe.python_objects


def runs_code(subject: Subject) -> bool:
    """Whether the recipe names Python code."""
    return repr(subject.recipe.predict).startswith("module(")


def command(verb: str, subject: Subject, *words: str) -> str:
    """`sevensteps verb …` of this run's recipe with `words` behind it, or its Python for one that
    no file can hold.
    """
    if not written(subject):
        return _python(verb, subject, words)
    if subject.folder is not None:
        recipe = ["--recipe", str(subject.folder / "recipe.toml")]
    else:
        given = _chosen(subject) | {step for step in subject.recipe.steps if f"--{step}" in words}
        recipe = [subject.recipe.source]
        for step, held in subject.recipe.steps.items():
            recipe += [] if step in given else [f"--{step}", repr(held)]
        recipe += ["--seed", str(subject.recipe.seed)] if subject.recipe.seed else []
    return line(verb, subject, *recipe, *words, *(["--allow-code"] if runs_code(subject) else []))


def _chosen(subject: Subject) -> set[str]:
    """The steps that were left out and chosen, where leaving them out comes to the same recipe
    again.
    """
    chosen = {
        step for step, why in subject.recipe.reasons.items() if not why.startswith("as asked")
    }
    nothing: dict[str, Any] = dict.fromkeys(chosen)
    again = resolve(replace(subject.recipe, **nothing), subject.data_dir, subject.data).recipe
    return chosen if again == subject.recipe else set()  # it was auto(lr=0.5), or the like


def line(verb: str, subject: Subject, *words: str) -> str:
    """`sevensteps verb words`, with the folder of MNIST where one was named."""
    place = (
        [] if subject.data_dir is None or verb == "steps" else ["--data-dir", str(subject.data_dir)]
    )
    return " ".join(["sevensteps", verb, *map(shell_quote, [*words, *place])])


def again(subject: Subject, question: str, *words: str) -> str:
    """`sevensteps explain RUN question words`, or the same in Python for a run without a folder."""
    if subject.folder is None:
        return f"run.explain.{question}({', '.join(map(repr, words))})"
    place = [] if subject.data_dir is None else ["--data-dir", str(subject.data_dir)]
    code = ["--allow-code"] if runs_code(subject) else []
    return " ".join(
        [
            "sevensteps",
            "explain",
            *map(shell_quote, [str(subject.folder), question, *words, *place, *code]),
        ]
    )


def _python(verb: str, subject: Subject, words: tuple[str, ...]) -> str:
    """The same in Python, of a recipe that holds Python's own objects: those are named where they
    are.
    """
    steps: dict[str, list[str]] = {}
    for option, text in zip(words[::2], words[1::2], strict=True):
        name = option.removeprefix("--")
        own = name in subject.recipe.python_objects and text == repr(subject.recipe.steps[name])
        steps.setdefault(name, []).append(
            f"run.recipe.{name}" if own else text if name == "seeds" else repr(text)
        )
    given = "".join(
        f", {name}={held[0] if len(held) == 1 else '[' + ', '.join(held) + ']'}"
        for name, held in steps.items()
    )
    return (
        f"ss.race(ss.grid(run.recipe{given}), out=False)"
        if verb == "race"
        else f"ss.train(run.recipe{given})"
    )
