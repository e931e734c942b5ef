"""A question that readers of a run ask, its answer, and the command that proves it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sevensteps.data import is_loadable
from sevensteps.explain.subject import Subject
from sevensteps.render.text import shell_quote
from sevensteps.steps import STEPS
from sevensteps.steps.predict import module
from sevensteps.training.resolve import resolve


@dataclass(frozen=True)
class Question:
    """A question, its answer with the run's `numbers`, and the `command` that proves it.

    Of several questions with the same `topic` the one with the highest `rank` is asked.
    """

    question: str
    answer: str
    command: str
    topic: str
    rank: int
    numbers: dict[str, Any] = field(default_factory=dict)
    source: str = ""


def fits_in_a_file(subject: Subject) -> bool:
    """Whether a file can hold the recipe: no Python object is in it."""
    return is_loadable(subject.recipe.source) and not subject.recipe.python_objects


def names_code(subject: Subject) -> bool:
    """Whether the recipe names Python code, which runs only with `--allow-code`."""
    return isinstance(subject.recipe.predict, module)


def recipe_command(verb: str, subject: Subject, *words: str) -> str:
    """`sevensteps verb …` with this run's recipe and `words`; in Python if no file can hold it."""
    if not fits_in_a_file(subject):
        return _python_call(verb, subject, words)
    if subject.folder is not None:
        recipe = ["--recipe", str(subject.folder / "recipe.toml")]
    else:
        steps = subject.recipe.steps
        left_out = _chosen_steps(subject) | {step for step in steps if f"--{step}" in words}
        recipe = [subject.recipe.source]
        for step, value in steps.items():
            recipe += [] if step in left_out else [f"--{step}", repr(value)]
        recipe += ["--seed", str(subject.recipe.seed)] if subject.recipe.seed else []
    code = ["--allow-code"] if names_code(subject) else []
    return command_line(verb, subject, *recipe, *words, *code)


def _chosen_steps(subject: Subject) -> set[str]:
    """The steps that can be left out because they are chosen again as they were."""
    chosen = {
        step
        for step, why in subject.recipe.reasons.items()
        if step in STEPS and not why.startswith("as asked")
    }
    nothing: dict[str, Any] = dict.fromkeys(chosen)
    resolved = resolve(replace(subject.recipe, **nothing), subject.data_dir, subject.data).recipe
    return chosen if resolved == subject.recipe else set()  # it was auto(lr=0.5), or the like


def command_line(verb: str, subject: Subject, *words: str) -> str:
    """`sevensteps verb words`, with the folder of MNIST if one was named."""
    folder = [] if verb == "steps" else data_dir_option(subject)
    return " ".join(["sevensteps", verb, *map(shell_quote, [*words, *folder])])


def command_on_run(verb: str, subject: Subject, *words: str) -> str:
    """`sevensteps verb RUN words`, for a run with a folder."""
    code = ["--allow-code"] if names_code(subject) else []
    arguments = [str(subject.folder), *words, *data_dir_option(subject), *code]
    return " ".join(["sevensteps", verb, *map(shell_quote, arguments)])


def explain_command(subject: Subject, question: str, *words: str) -> str:
    """`sevensteps explain RUN question words`, or the same in Python for a run without a folder."""
    if subject.folder is None:
        return f"run.explain.{question}({', '.join(map(repr, words))})"
    return command_on_run("explain", subject, question, *words)


def data_dir_option(subject: Subject) -> list[str]:
    """The option that names the folder of MNIST, if one was named."""
    return [] if subject.data_dir is None else ["--data-dir", str(subject.data_dir)]


def _python_call(verb: str, subject: Subject, words: tuple[str, ...]) -> str:
    """The command as Python; Python objects are named where they are: `run.recipe.predict`."""
    recipe = subject.recipe
    values: dict[str, list[str]] = {}
    for option, text in zip(words[::2], words[1::2], strict=True):
        name = option.removeprefix("--")
        if name in recipe.python_objects and text == repr(recipe.steps[name]):
            value = f"run.recipe.{name}"
        else:
            value = text if name == "seeds" else repr(text)
        values.setdefault(name, []).append(value)
    keywords = "".join(
        f", {name}={texts[0] if len(texts) == 1 else '[' + ', '.join(texts) + ']'}"
        for name, texts in values.items()
    )
    if verb == "race":
        return f"ss.race(ss.grid(run.recipe{keywords}), out=False)"
    return f"ss.train(run.recipe{keywords})"
