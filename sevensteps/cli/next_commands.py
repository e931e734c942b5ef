"""The commands that make sense after a training, most useful first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sevensteps.render.text import shell_quote

if TYPE_CHECKING:
    from sevensteps.api.run import Run
    from sevensteps.doctor.finding import Finding


def warnings_and_errors(findings: list[Finding]) -> list[Finding]:
    """The findings that are more than remarks."""
    return [finding for finding in findings if finding.severity != "info"]


def next_commands(run: Run, simpler_is_better: bool = False) -> list[str]:
    """Commands that make sense after this run, as a shell reads them; where a simple model is
    better, that comes first.
    """
    newest, recipe = run_argument(run), shell_quote(f"{run.folder}/recipe.toml")
    commands: list[str] = []
    if run.outcome.stop.rule == "interrupt":
        commands.append(f"sevensteps resume {shell_quote(str(run.folder))}")
    repeatable = _can_be_repeated(run)
    if problems := warnings_and_errors(run.findings):
        trying = " --try" if repeatable and any(f.remedies for f in problems) else ""
        commands.append(f"sevensteps diagnose {newest}{trying}")
    if repeatable and (cure := cure_command(run)):
        commands.append(cure)
    commands += [f"sevensteps explain {newest} why", f"sevensteps explain {newest} steps"]
    if run.folder is not None:
        commands.append(f"sevensteps report {newest}")
    if repeatable and not problems:
        is_linear = repr(run.recipe.predict) in ("linear()", "neuron()")
        other = "mlp(30)" if is_linear else "linear()"
        command = f'sevensteps train --recipe {recipe} --predict "{other}"'
        commands.insert(0 if simpler_is_better and not is_linear else len(commands), command)
    return commands


def run_argument(run: Run) -> str:
    """How a command names this run: `last`, where it lies among the others."""
    from sevensteps.record.run_folder import RUNS, list_runs

    folders = list_runs(RUNS)
    return "last" if folders and folders[-1] == run.folder else shell_quote(str(run.folder))


def cure_command(run: Run) -> str:
    """The command that trains again with the first remedy of the first problem; "" where that has
    none that a command can give.
    """
    from sevensteps.doctor.trials.changes import rescale

    problems = warnings_and_errors(run.findings)
    change = problems[0].remedies[0].change if problems and problems[0].remedies else {}
    if not change or change.get("data") == "finite()":
        return ""
    words: list[str] = []
    for step, text in change.items():
        if step == "data":
            words.insert(0, shell_quote(str(rescale(run.recipe.source, text))))
        else:
            words.append(f"--{step} {shell_quote(text)}")
    recipe = shell_quote(f"{run.folder}/recipe.toml")
    return f"sevensteps train --recipe {recipe} {' '.join(words)}"


def _can_be_repeated(run: Run) -> bool:
    """Whether a command can train it again: a file holds its whole recipe, and it names no code."""
    from sevensteps.data import is_loadable
    from sevensteps.steps.predict import module

    recipe = run.recipe
    return (
        run.folder is not None
        and is_loadable(recipe.source)
        and not recipe.python_objects
        and not isinstance(recipe.predict, module)
    )
