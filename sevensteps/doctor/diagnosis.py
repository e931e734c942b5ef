"""The answer: findings in order, as text, HTML, JSON and SARIF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sevensteps import __version__
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.report import text as report_text
from sevensteps.errors import ArgumentError
from sevensteps.record.run_folder import finite

if TYPE_CHECKING:
    from sevensteps.doctor.trials.changes import Change
    from sevensteps.doctor.trials.trial import Trial


ENOUGH = 10  # steps, before which a training that looks well may yet go wrong


@dataclass
class Diagnosis:
    """What was found, most likely cause first; empty where nothing is wrong. `print` it, or take `findings` and `ruled_out`."""

    findings: list[Finding]
    case: Case

    @property
    def ruled_out(self) -> list[tuple[str, str]]:
        """Conditions that looked likely and are not it, with the reason."""
        found = {finding.condition for finding in self.findings}
        return [(name, why) for name, why in self.case.ruled_out if name not in found]

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
        new ones, for `budget` seconds.

        A recipe is trained by us, side by side, on fewer samples where those show the fault as well
        and the time asks for it. For a loop of your own give `retrain(change, seed)`: train from
        the start with this change (`{}`: none; `{"step": "sgd(lr=0.01)"}`: that optimizer) and
        return a number that is larger the better, such as the validation accuracy; `nan` for one
        that came to nothing. Without a parameter `seed`, each call should draw new random numbers.
        The trials are returned, and added to their findings; `until_proven` ends with the first
        finding of which a remedy is proven. `report(text)` is told before each training or race.
        Raises `ArgumentError` where there is no recipe to train and no `retrain`."""
        from sevensteps.doctor.trials.laboratory import try_function
        from sevensteps.doctor.trials.retrain import planned_steps, try_recipe

        if retrain is not None:
            return try_function(
                retrain,
                self.findings,
                self._at_random,
                budget=budget,
                until_proven=until_proven,
                report=report,
            )
        if self.case.lacking:
            raise ArgumentError(self.case.lacking)
        if self.case.recipe is None:
            raise ArgumentError(
                "this training was a loop of yours, which only you can run again: give "
                "try_remedies(retrain), a function "
                "that trains with a change and returns the accuracy"
            )
        case = self.case
        seconds = case.history[-1]["seconds"] if case.history else case.observation.seconds
        if case.diverged is not None and (
            planned := planned_steps(case.recipe, len(case.train[0]) if case.train else None)
        ):
            seconds *= planned / max(case.steps, 1)  # it ended early, which its cure will not
        return try_recipe(
            case.recipe,
            self.findings,
            seconds,
            data_dir=data_dir,
            budget=budget,
            until_proven=until_proven,
            report=report,
        )

    def _at_random(self, change: Change, draw: torch.Generator) -> Change | None:
        from sevensteps.doctor.measures import rate_text
        from sevensteps.doctor.trials.changes import at_random
        from sevensteps.steps import parse

        held = (
            {"step": parse("step", rate_text(self.case, self.case.rate))} if self.case.rate else {}
        )
        return at_random(held, change, draw)

    @property
    def errors(self) -> list[Finding]:
        """The findings that keep the training from working."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def __str__(self) -> str:
        return report_text.text(
            self.findings, self.ruled_out, self._seen(), ours=self.case.recipe is not None
        )

    def __repr__(self) -> str:
        return f"<diagnosis: {', '.join(finding.condition for finding in self.findings) or 'nothing found'}>"

    def _repr_html_(self) -> str:
        return report_text.html(self.findings, self.ruled_out, self._seen())

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        held: dict[str, Any] = finite(
            {
                "findings": [finding.to_dict() for finding in self.findings],
                "ruled_out": [{"condition": name, "because": why} for name, why in self.ruled_out],
            }
        )
        return held

    def to_sarif(self) -> dict[str, Any]:
        """As SARIF 2.1.0."""
        held: dict[str, Any] = finite(
            report_text.sarif(self.findings, __version__, self.case.facts.network)
        )
        return held

    def _seen(self) -> str:
        case, observed = self.case, self.case.observation
        if case.early:
            return (
                "" if self.findings else "Nothing is wrong that can be seen here. "
            ) + "Seen: one batch, before the first step."
        steps = f"{observed.steps:,} {'step' if observed.steps == 1 else 'steps'}"
        share = 100 * observed.watching_seconds / observed.seconds if observed.seconds else 0.0
        seen = (
            f"Seen: {steps} of {observed.facts.network} in {observed.seconds:.2g} s, "
            f"{len(observed.looks)} of them closely "
            f"({share:.1f} % of the time)."
        )
        if self.findings:
            return seen
        if observed.steps < ENOUGH or not observed.looks:
            return f"Not enough evidence: {steps} were seen, and {len(observed.looks)} closely. Train for longer, and ask again."
        return f"Nothing is wrong that can be seen here. {seen}"
