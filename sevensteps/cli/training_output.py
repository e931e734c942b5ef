"""What `train` and `resume` print: the plan before the first step, and the result at the end."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.cli.next_commands import next_commands, warnings_and_errors
from sevensteps.cli.output import console, print_commands, print_json, table
from sevensteps.cli.remarks import later_is_worse, memorised, simpler_is_better
from sevensteps.render.text import count_text, metric_text, wrap
from sevensteps.training.observer import Observer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from sevensteps.api.run import Run
    from sevensteps.data import Data
    from sevensteps.doctor.finding import Finding
    from sevensteps.doctor.observer import DoctorObserver
    from sevensteps.training.state import Training

FEW = 10  # validation samples
MATTERS = 0.05  # share of the validation samples, from which copies make the figures better
CURVE = 24  # characters of a curve
# conditions that cannot both be true of a training, but one may follow from the other
OPPOSITES = {"learning_rate_too_high": "learning_rate_too_low"}
COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


class JsonLines(Observer):
    """One JSON line per evaluation."""

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        print_json(row)


class PlanPrinter(Observer):
    """Prints the seven steps before the first one is taken, and the problems that the doctor sees
    by then.
    """

    def __init__(self, doctor: DoctorObserver | None = None) -> None:
        self.doctor = doctor

    def started(self, training: Training) -> None:
        from rich.text import Text

        from sevensteps.doctor.trials.trial import change_notation

        recipe, data = training.recipe, training.resolved.data
        screen = console()
        inputs, parameters = " × ".join(map(str, data.train.x.shape[1:])), training.engine.size
        screen.print(
            Text.assemble(
                (recipe.source, "bold"),
                f": {len(data.train):,} training and {len(data.valid):,} validation samples; "
                f"inputs {inputs}; {parameters:,} parameters; seed {recipe.seed}\n",
            )
        )
        healed = self.doctor.healed[-1]["change"] if self.doctor and self.doctor.healed else None
        screen.print(
            table(
                (
                    Text(f"{number} {step}", "bold"),
                    Text.assemble((repr(value), "cyan"), "\n", (recipe.reasons[step], "dim")),
                )
                for number, (step, value) in enumerate(recipe.steps.items(), 1)
            )
            if healed is None
            else f"Trained again with {change_notation(healed)}, all else as before."
        )
        screen.print()
        for note in data.notes:
            screen.print(Text.assemble(("Data: ", "bold"), note))
        if data.notes:
            screen.print()
        if warning := duplicates_warning(data) or few_samples_warning(data):
            screen.print(f"{warning}\n")
        if training.resumed:
            screen.print(
                f"Continuing after step {training.progress.step:,}, in epoch "
                f"{training.progress.epoch + 1}.\n",
                style="bold",
            )
        early = self.doctor.before.findings if self.doctor and self.doctor.before else []
        if problems := warnings_and_errors(early):
            screen.print("Problems before the first step:", style="bold")
            print_findings(screen, problems, remedies=True)
            screen.print()


def duplicates_warning(data: Data) -> str:
    """A sentence about validation samples that are training samples, too; empty where there are
    none.
    """
    count, total = data.duplicates, len(data.valid)
    if count is None:
        return (
            "There are too many samples to check whether some are both training and validation "
            "samples."
        )
    if count == total and data.task.kind == "regression" and not _same_targets(data):
        return (
            f"All {total:,} validation inputs are also training inputs, with other targets: the "
            "validation figures say nothing about new inputs."
        )
    if count == total:
        return (
            f"All {total:,} validation samples are also training samples, so the validation "
            "figures say nothing about new samples."
        )
    if not count:
        return ""
    verb = "is also a training sample" if count == 1 else "are also training samples"
    if count < MATTERS * total:
        return (
            f"{count:,} of {total:,} validation samples {verb}: too few to change the validation "
            "figures by much."
        )
    return (
        f"{count:,} of {total:,} validation samples {verb}, so the validation figures are better "
        "than they would be on new samples."
    )


def few_samples_warning(data: Data) -> str:
    """A sentence about so few validation samples that each decides; "" where there are enough."""
    count = len(data.valid)
    if count >= FEW:
        return ""
    samples = "is 1 validation sample" if count == 1 else f"are {count:,} validation samples"
    if data.task.kind == "regression":
        return f"There {samples} only: the validation figures hang on each of them."
    return (
        f"There {samples} only: one more or less that is answered right changes the accuracy by "
        f"{1 / count:.2g}."
    )


def _same_targets(data: Data) -> bool:
    """Whether the validation part has the targets of the training part."""
    import torch

    return torch.equal(data.train.y, data.valid.y)


def print_end(run: Run, as_json: bool, leads: bool) -> None:
    """Print the result of a training, unless another process of its group leads; where the training
    was interrupted, exit with 130.
    """
    if leads and as_json:
        print_json(run.summary)
    elif leads:
        print_result(run)
    if run.outcome.stop.rule == "interrupt":
        sys.exit(130)


def print_result(run: Run) -> None:
    """Print the metrics, why the training stopped, its folder, its findings, what to try next."""
    from rich.text import Text

    from sevensteps.metrics import LOWER_IS_BETTER

    screen, summary = console(), run.outcome
    for line in curve_lines(run):
        screen.print(line)
    names = [name for name in LOWER_IS_BETTER if name in run.metrics["valid"]]
    rows = [("last", summary.epochs, run.metrics), (("best", run.best.epoch, run.best.metrics))]
    columns = [(part, name) for part in ("train", "valid") for name in names]
    screen.print(
        table(
            (
                [
                    Text(f"{label}, epoch {epoch}", "bold"),
                    *(metric_text(name, metrics[part].get(name)) for part, name in columns),
                ]
                for label, epoch, metrics in rows
            ),
            header=["", *(f"{part} {name}" for part, name in columns)],
            right=range(1, 9),
        )
    )
    rate = f", {summary.samples_per_second:,.0f} samples/s" if summary.samples_per_second else ""
    threads = "1 thread" if summary.threads == 1 else f"{summary.threads} threads"
    threads += f" ({why})" if (why := summary.reasons.get("threads")) else ""
    screen.print(
        f"\nStopped by {summary.stop.rule}: {summary.stop.reason}. "
        f"{count_text(summary.steps, 'step')} in {summary.seconds:.2f} s{rate}, {threads}."
    )
    screen.print(Text.assemble("Saved in ", (str(run.folder), "bold"), "\n"))
    simpler = simpler_is_better(run)
    said = " ".join(filter(None, (memorised(run), simpler, later_is_worse(run))))
    remark = "\n".join(wrap(said, screen.width, "", ""))
    if run.findings:
        screen.print("Findings, most likely cause first:", style="bold")
        print_findings(screen, run.findings, remedies=True)
        screen.print(remark, end="\n" if remark else "")
    elif remark:
        screen.print(remark, style="yellow")
    else:
        screen.print("No problems found.", style="green")
    if run.healed:
        screen.print(healing(run), style="green")
    screen.print("\nTry next:", style="dim")
    print_commands(screen, next_commands(run, bool(simpler)))


def curve_lines(run: Run) -> list[Text]:
    """The loss and the metric on the validation samples as curves over the epochs, each in a line
    with its start and end; nothing before there are two epochs.
    """
    from rich.text import Text

    from sevensteps.metrics import LOWER_IS_BETTER, primary
    from sevensteps.render.blocks import sparkline

    rows = [row["valid"] for row in run.history]
    if len(rows) < 2:
        return []
    names = ["loss", name] if (name := primary(rows[-1])) != "loss" else ["loss"]
    lines = []
    for name in (name for name in LOWER_IS_BETTER if name in names):
        values = [math.nan if row.get(name) is None else row[name] for row in rows]
        finite = [value for value in values if math.isfinite(value)] or [1.0]
        low, high = min(0.0, min(finite)), max(finite)
        first, last = (metric_text(name, rows[at].get(name)) for at in (0, -1))
        lines.append(
            Text.assemble(
                f"valid {name:<9}",
                (sparkline(values, low, high, CURVE), "cyan"),
                f"  {first} → {last}",
            )
        )
    return [*lines, Text()]


def healing(run: Run) -> str:
    """What was changed until the training worked, and what that changed."""
    from sevensteps.doctor.trials.trial import change_notation
    from sevensteps.errors import Error
    from sevensteps.metrics import primary
    from sevensteps.record.summary import read_summary

    changes = "; ".join(change_notation(step["change"]) for step in run.healed)
    name = primary(run.metrics["valid"])
    text = f"Healed by {changes}"
    try:
        before = read_summary(Path(run.healed[0]["from"])).metrics["valid"].get(name)
    except (Error, TypeError):  # it was not recorded
        return f"{text}."
    after = metric_text(name, run.metrics["valid"][name])
    return f"{text}: validation {name} {metric_text(name, before)} → {after}."


def consequences(finding: Finding) -> str:
    """What a finding explains, gravest first; not what says the opposite: where steps are too long
    and units die of it, the steps that follow are too short.
    """
    from sevensteps.doctor.finding import SEVERITIES

    names: dict[str, None] = {}

    def add(symptoms: Iterable[Finding]) -> None:
        for symptom in sorted(symptoms, key=lambda f: -SEVERITIES.index(f.severity)):
            names[symptom.condition] = None
            add(symptom.symptoms)

    add(finding.symptoms)
    names.pop(OPPOSITES.get(finding.condition, ""), None)
    return f"It explains: {', '.join(names)}" if names else ""


def print_findings(screen: Console, findings: list[Finding], remedies: bool = False) -> None:
    """Print each finding in short: the condition, the step to blame, how severe and how sure; below
    it the reason, and with `remedies` what to change first.
    """
    from rich.text import Text

    from sevensteps.doctor.report.text import confidence_text, first_sentence, proposal, wrap_plain

    name, step, severity = (
        max(len(getattr(f, field)) for f in findings) for field in ("condition", "step", "severity")
    )
    for f in findings:
        screen.print(
            Text.assemble(
                "  ",
                (f"{f.condition:<{name}}", "bold"),
                f"  {f.step:<{step}}  ",
                (f"{f.severity:<{severity}}", COLOURS[f.severity]),
                f"  {confidence_text(f)}",
            )
        )
        for line in wrap_plain(first_sentence(f.explanation), screen.width, "    "):
            screen.print(Text(line, "dim"))
        for line in (
            wrap_plain(f"→ {proposal(f.remedies[0])}", screen.width, "    ", "      ")
            if remedies and f.remedies
            else []
        ):
            screen.print(Text(line, "cyan"))
        for line in wrap_plain(consequences(f), screen.width, "    ") if f.symptoms else []:
            screen.print(Text(line, "dim"))
