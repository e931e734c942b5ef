"""A model card: what a run is, on what data, how good, what is wrong with it, how to repeat it.

Source: Mitchell et al. 2019, Model Cards for Model Reporting; the front matter is what hubs of
models read.
"""

from __future__ import annotations

from sevensteps.record.history import number
from sevensteps.record.summary import RunSummary
from sevensteps.render.text import shell_quote
from sevensteps.steps import STEPS

QUESTION_OF_KIND = {
    "regression": "an amount",
    "binary": "one of two classes",
    "multiclass": "one of several classes",
    "multilabel": "several labels that can hold together",
}


def model_card(summary: RunSummary, recipe: str) -> str:
    """The card as Markdown. `recipe` is the text of the run's recipe, in TOML."""
    return (
        "\n\n".join(
            [
                _front_matter(summary),
                f"# {_title(summary)}",
                _about(summary),
                "## Data\n\n" + _data(summary),
                "## How well it does\n\n" + _results(summary),
                "## What is wrong with it\n\n" + _findings(summary),
                "## Limits\n\n" + _limits(summary),
                "## Recipe\n\n" + _steps(summary),
                "## Repeat it\n\n" + _repeat(summary, recipe),
            ]
        )
        + "\n"
    )


def _front_matter(summary: RunSummary) -> str:
    kind = summary.data.get("task", {}).get("kind", "")
    tags = ["sevensteps", "pytorch", *([kind] if kind else [])]
    lines = ["library_name: sevensteps", "tags:", *(f"- {tag}" for tag in tags)]
    return "\n".join(["---", *lines, "---"])


def _title(summary: RunSummary) -> str:
    return f"{summary.recipe['predict']} on {summary.recipe['data']}"


def _about(summary: RunSummary) -> str:
    task = summary.data.get("task", {})
    kind, classes = task.get("kind", ""), task.get("classes", [])
    answer = QUESTION_OF_KIND.get(kind, "an answer")
    names = f": {', '.join(map(str, classes[:20]))}" if classes else ""
    more = f" and {len(classes) - 20} more" if len(classes) > 20 else ""
    return (
        f"A neural network with {summary.parameters:,} parameters that predicts "
        f"{answer}{names}{more}. "
        f"It was trained with [sevensteps](https://github.com/sevensteps/sevensteps) "
        f"{summary.versions.get('sevensteps', '')} on {summary.finished[:10]}, in "
        f"{summary.epochs:,} epochs and {summary.steps:,} steps "
        f"({summary.stop.reason}), on {summary.device}."
    )


def _data(summary: RunSummary) -> str:
    data, inputs = summary.data, summary.data.get("inputs", {})
    shape = " × ".join(map(str, inputs.get("shape", [])))
    lines = [
        f"- source: `{summary.recipe['data']}`",
        f"- {data.get('train', 0):,} training and {data.get('valid', 0):,} validation samples",
        f"- an input: {inputs.get('kind', 'numbers')} of {shape} numbers, scaled by "
        f"`{inputs.get('scaling', {}).get('name', 'none')}` learned on the training samples",
    ]
    if features := inputs.get("features"):
        more = f" and {len(features) - 20} more" if len(features) > 20 else ""
        lines.append(f"- columns: {', '.join(features[:20])}{more}")
    if duplicates := data.get("duplicates"):
        lines.append(f"- {duplicates:,} validation samples also occur among the training samples")
    return "\n".join(lines)


def _results(summary: RunSummary) -> str:
    valid = summary.metrics["valid"]
    names = [name for name, value in valid.items() if not isinstance(value, dict)]
    rows = [
        ("training, at the end", summary.metrics["train"]),
        ("validation, at the end", valid),
        (f"validation, best epoch ({summary.best.epoch})", summary.best.metrics["valid"]),
    ]
    lines = [
        "| | " + " | ".join(names) + " |",
        "|---|" + "---|" * len(names),
        *(
            f"| {title} | " + " | ".join(number(metrics.get(name)) for name in names) + " |"
            for title, metrics in rows
        ),
    ]
    if by_class := valid.get("by_class"):
        lines += ["", "| class | accuracy on its validation samples |", "|---|---|"]
        worst = sorted(by_class.items(), key=lambda item: -1.0 if item[1] is None else item[1])
        lines += [f"| {name} | {number(value)} |" for name, value in worst[:20]]
    return "\n".join(lines)


def _findings(summary: RunSummary) -> str:
    if summary.watched is None:
        return "The training was not watched."
    if not summary.findings:
        return "The doctor of sevensteps watched the training and found nothing wrong."
    lines = []
    for finding in summary.findings:
        lines.append(
            f"- **{finding['condition']}** ({finding['severity']}, "
            f"{finding['confidence']:.0%} sure, step: {finding['step']}). {finding['explanation']}"
        )
    return "\n".join(lines)


def _limits(summary: RunSummary) -> str:
    train, valid = summary.metrics["train"], summary.metrics["valid"]
    lines = [
        f"- The figures hold for data like these {summary.data.get('valid', 0):,} validation "
        "samples; other sources, cameras, times or groups of people were not tried.",
        "- They come from one training with one seed: another seed gives others.",
    ]
    if "accuracy" in valid and None not in (train.get("accuracy"), valid.get("accuracy")):
        gap = train["accuracy"] - valid["accuracy"]
        if gap > 0.05:
            lines.append(
                f"- It does better on samples it was trained on, by {gap:.2f} of accuracy."
            )
    if by_class := {k: v for k, v in (valid.get("by_class") or {}).items() if v is not None}:
        worst = min(by_class, key=lambda name: by_class[name])
        lines.append(f"- Its weakest class is {worst}: {number(by_class[worst])}.")
    lines.append("- Probabilities were not calibrated.")
    return "\n".join(lines)


def _steps(summary: RunSummary) -> str:
    rows = [
        f"| {place} {step} | `{summary.recipe.get(step, '')}` | {summary.reasons.get(step, '')} |"
        for place, step in enumerate(STEPS, 1)
    ]
    return "\n".join(["| step | value | why |", "|---|---|---|", *rows])


def _repeat(summary: RunSummary, recipe: str) -> str:
    versions = ", ".join(f"{name} {text}" for name, text in summary.versions.items() if text)
    run = shell_quote(summary.run) if summary.run else "RUN"
    return (
        "Save this as `recipe.toml` and train again; on the same versions and kind of processor "
        "the result is bit-identical:\n\n"
        f"```toml\n{recipe.strip()}\n```\n\n"
        "```\npip install sevensteps\nsevensteps train --recipe recipe.toml\n"
        f"sevensteps predict {run} FILE\n```\n\n"
        f"Versions: {versions}."
    )
