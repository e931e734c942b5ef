"""A diagnosis: findings in order, as text, page, JSON and SARIF, and trials of their remedies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from sevensteps import __version__
from sevensteps.doctor.case import Case
from sevensteps.doctor.chance import why_too_early
from sevensteps.doctor.examination import Examination, examine
from sevensteps.doctor.finding import SEVERITIES, Finding
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import step_with_rate
from sevensteps.doctor.report.sarif import sarif
from sevensteps.doctor.report.text import text
from sevensteps.doctor.trials.changes import Change, random_change
from sevensteps.doctor.trials.trial import Trial
from sevensteps.doctor.trials.user_function import try_function
from sevensteps.errors import ArgumentError
from sevensteps.observe.torch_warnings import TrainingWarning
from sevensteps.record.run_folder import nan_to_null
from sevensteps.render.figures import plot
from sevensteps.render.page import notebook_bundle, write_page
from sevensteps.steps import parse

if TYPE_CHECKING:
    from matplotlib.figure import Figure

State = Literal["info", "warning", "error", "healthy", "unknown"]
ENOUGH_STEPS = 10  # before which a training that looks good may yet go wrong


class Diagnosis(Examination):
    """The findings of a training, most likely cause first; empty where nothing is wrong.

    `print` it, or take `findings`, `ruled_out` and `not_judged`.
    """

    def try_remedies(
        self,
        retrain: Callable[..., float] | None = None,
        *,
        budget: float = 60.0,
        until_proven: bool = False,
        data_dir: Path | str | None = None,
        report: Callable[[str], None] | None = None,
    ) -> list[Trial]:
        """Train again with each remedy, untouched, and changed at random, on the same seed and on
        new ones, for at most `budget` seconds. Returns the trials, and adds them to their findings;
        a finding whose remedies all failed comes below the others.

        A recipe is trained again as it stands, with many trainings side by side; on fewer samples
        where time is short and those show the fault as well. For a loop of your own give
        `retrain(change, seed)`: it trains from the start with this change (`{}`: none; `{"step":
        "sgd(lr=0.01)"}`: that optimizer) and returns a number that is larger the better, such as
        the validation accuracy, or `nan` where the training failed. If it has no parameter `seed`,
        each call should draw new random numbers. With `until_proven`, the trials end with the first
        finding of which a remedy is proven. `report(text)` is called before each training or race.
        Raises `ArgumentError` where there is neither a recipe to train nor `retrain`.
        """
        trials = self._try_remedies(retrain, budget, until_proven, data_dir, report)
        self.findings.sort(key=lambda finding: finding.refuted)  # what was tried in vain comes last
        return trials

    def _try_remedies(
        self,
        retrain: Callable[..., float] | None,
        budget: float,
        until_proven: bool,
        data_dir: Path | str | None,
        report: Callable[[str], None] | None,
    ) -> list[Trial]:
        if retrain is not None:
            return try_function(
                retrain,
                self.findings,
                self._random_change,
                budget=budget,
                until_proven=until_proven,
                report=report,
            )
        case = self.case
        if case.why_not_retrainable:
            raise ArgumentError(case.why_not_retrainable)
        if case.recipe is None:
            raise ArgumentError(
                "this training was a loop of yours, which only you can run again: give "
                "try_remedies(retrain), a function that trains with a change and returns the "
                "accuracy"
            )
        # Races and what they are made of: most diagnoses end without.
        from sevensteps.doctor.trials.retrain import planned_steps, try_recipe

        seconds = case.history[-1]["seconds"] if case.history else case.observation.seconds
        planned = planned_steps(case.recipe, len(case.train[0]) if case.train else None)
        if case.diverged_at is not None and planned:
            seconds *= planned / max(case.steps, 1)  # it ended early, but its cure will not
        return try_recipe(
            case.recipe,
            self.findings,
            seconds,
            data_dir=data_dir,
            budget=budget,
            until_proven=until_proven,
            report=report,
        )

    def _random_change(self, change: Change, draw: torch.Generator) -> Change | None:
        lr = self.case.lr
        values = {"step": parse("step", step_with_rate(self.case, lr))} if lr else {}
        return random_change(values, change, draw)

    @property
    def errors(self) -> list[Finding]:
        """The findings that keep the training from working."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def __str__(self) -> str:
        return text(
            self.findings,
            self.ruled_out,
            self.basis,
            ours=self.case.recipe is not None,
            not_judged=self.not_judged,
        )

    def __repr__(self) -> str:
        conditions = ", ".join(finding.condition for finding in self.findings)
        return f"<diagnosis: {conditions or 'nothing found'}>"

    def plot(self, path: Path | str | None = None) -> Figure:
        """Draw what is wrong, where it began and its evidence: a matplotlib figure, also saved to
        `path` (.png or .svg).

        Raises `ArgumentError` where matplotlib is not installed.
        """
        return plot(self, path)

    def report(self, path: Path | str) -> Path:
        """Write the diagnosis as one HTML file that opens anywhere, and return its path.

        Raises `ArgumentError` where `path` does not end in .html.
        """
        return write_page(self, path)

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return notebook_bundle(self)

    def to_sarif(self) -> dict[str, Any]:
        """The findings in SARIF 2.1.0."""
        log: dict[str, Any] = nan_to_null(
            sarif(self.findings, __version__, self.case.facts.network, self.not_judged)
        )
        return log

    @property
    def state(self) -> State:
        """The gravest severity among the findings; without any "healthy", or "unknown" where too
        little was seen to say so.
        """
        if self.findings:
            return max((finding.severity for finding in self.findings), key=SEVERITIES.index)
        observation = self.case.observation
        too_little = observation.steps < ENOUGH_STEPS or not observation.looks
        if self.case.before_training or too_little or judge(self.case).is_bad:
            return "unknown"
        return "healthy"

    @property
    def basis(self) -> str:
        """What the diagnosis rests on, in a sentence or two."""
        seconds = self.case.observation.seconds
        return self.basis_within(f" in {seconds:.2g} s")

    def basis_within(self, time: str = "") -> str:
        """The same with `time` after what was seen, or without, where another number says it."""
        observation = self.case.observation
        if self.case.before_training:
            nothing = "" if self.findings else "Nothing is wrong that can be seen here. "
            return nothing + "Seen: one batch, before the first step."
        steps = f"{observation.steps:,} {'step' if observation.steps == 1 else 'steps'}"
        looks = len(observation.looks)
        share = (
            100 * observation.watching_seconds / observation.seconds if observation.seconds else 0.0
        )
        basis = (
            f"Seen: {steps} of {observation.facts.network}{time}, "
            f"{looks} of them closely ({share:.1f} % of the time)."
        )
        if "thinned" in observation.notes:
            basis += (
                " Fewer steps were observed than planned, because observing took longer than is "
                "usual for a network of this size; another run may differ."
            )
        basis += _warnings_text(observation.warnings)
        if self.findings:
            return basis
        judgement = judge(self.case)
        if judgement.failure is not None:
            fails = judgement.failure.sentence
            return f"No fault was found, but this training fails. {fails} {basis}"
        if judgement.is_bad:
            measures = "; ".join(map(str, judgement.comparisons))
            return (
                "No fault was found, but the network answers no better than one that ignores its "
                f"inputs: {measures}. {_too_early(self.case)}{basis}"
            )
        if observation.steps < ENOUGH_STEPS or not looks:
            were = "was" if observation.steps == 1 else "were"
            advice = "" if observation.notes.get("failure") else " Train for longer, and ask again."
            return (
                f"Not enough evidence: {steps} {were} seen, and {looks or 'none'} closely.{advice}"
            )
        known = judgement.verdict != "unknown" or self.case.recipe is not None
        unsure = (
            "Whether it answers better than chance could not be told by its loss: go by the "
            "script's own score. "
            if observation.notes.get("script")
            else "Whether it answers better than chance could not be told: watch.step(loss, "
            "score=…) would say. "
        )
        return f"Nothing is wrong that can be seen here. {'' if known else unsure}{basis}"


def _too_early(case: Case) -> str:
    why = why_too_early(case)
    return f"That may come: {why}. Train for longer, and ask again. " if why else ""


def _warnings_text(warnings: Sequence[TrainingWarning]) -> str:
    """PyTorch's warnings, the first of them in its own words."""
    if not warnings:
        return ""
    first = warnings[0]
    said = first.text.split(". ")[0].rstrip(".")
    others = len(warnings) - 1
    rest = f" (and {others} more)" if others else ""
    return f" PyTorch warned in step {first.step}, {first.where}: “{said}.”{rest}"


def diagnose(case: Case) -> Diagnosis:
    """The diagnosis of `case`: every condition asked, the findings ranked."""
    return diagnosis_of(examine(case))


def diagnosis_of(examination: Examination) -> Diagnosis:
    """The diagnosis that an examination came to."""
    return Diagnosis(examination.findings, examination.case)
