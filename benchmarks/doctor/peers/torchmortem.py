"""torchmortem: records activations, gradients, weights and ranks by hooks, and judges them after
the training.

Used as its README shows, with `autopsy.step(loss=loss.item())`, by `attach()` and `detach()`, so
that its judgement after the last step is not on the clock of the loop. "balanced" is its default,
"fast" its cheapest preset."""

from __future__ import annotations

import logging
from typing import Any

from torch import Tensor

from benchmarks.doctor.loop import Setup
from benchmarks.doctor.peers import PeerFinding, Watching, first

PACKAGE = "torchmortem"
SETTINGS: dict[str, dict[str, Any]] = {
    "balanced": {"sampling": "balanced"},
    "fast": {"sampling": "fast"},
}

MEANS: dict[
    str, tuple[str, ...]
] = {  # the title's beginning -> what its title, text and remediation name
    "Vanishing gradients": ("vanishing_gradient", "signal_vanishes", "saturated_units"),
    "Exploding gradients": (
        "exploding_gradient",
        "signal_explodes",
        "learning_rate_too_high",
        "not_finite",
        "output_overconfident",
    ),
    "Gradient stalling": (
        "vanishing_gradient",
        "dead_units",
        "saturated_units",
        "signal_vanishes",
        "symmetric_units",
        "parameters_not_updated",
    ),
    "Dead units": ("dead_units", "learning_rate_too_high", "signal_vanishes"),
    "Activation saturation": ("saturated_units", "learning_rate_too_high", "signal_explodes"),
    "Update ratio too low": (
        "learning_rate_too_low",
        "vanishing_gradient",
        "parameters_not_updated",
        "schedule_collapsed",
        "optimizer_setting",
    ),
    "Update ratio too high": ("learning_rate_too_high", "optimizer_setting"),
    "Training divergence": ("learning_rate_too_high", "not_finite", "exploding_gradient"),
    "Loss plateau": ("learning_rate_too_low", "schedule_collapsed", "optimizer_setting"),
    "Catapult phase": ("learning_rate_too_high",),
    "Rank collapse": ("weight_decay_too_strong", "learning_rate_too_high", "too_small"),
    "Weight norm explosion": ("learning_rate_too_high", "exploding_gradient"),
    "Stagnant weight norms": (
        "vanishing_gradient",
        "learning_rate_too_low",
        "parameters_not_updated",
    ),
    "Inter-layer weight norm imbalance": (
        "signal_vanishes",
        "signal_explodes",
        "ill_conditioned",
        "optimizer_setting",
    ),
    "High gradient noise": ("batch_too_small", "learning_rate_too_high", "optimizer_setting"),
}


class Heard(logging.Handler):
    """Keeps what the tool logs of detectors that failed: they do not end it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class Watch(Watching):
    def __init__(self, setup: Setup, sampling: str) -> None:
        from torchmortem import Autopsy

        self.autopsy = Autopsy(setup.model, optimizer=first(setup.optimizer), sampling=sampling)

    def __enter__(self) -> Watch:
        self.autopsy.attach()
        return self

    def step(self, loss: Tensor, target: Tensor) -> None:
        self.autopsy.step(loss=loss.item())

    def diagnose(self, **data: Any) -> list[PeerFinding]:
        log, heard = logging.getLogger("torchmortem"), Heard()
        log.addHandler(heard)
        log.propagate = False  # a traceback for each would fill the screen
        try:
            self.autopsy.detach()
        finally:
            log.removeHandler(heard)
        self.crashed = "; ".join(heard.messages)
        report = self.autopsy.get_report()
        findings: dict[str, PeerFinding] = {}
        for finding in report.findings if report else ():  # the most serious first
            name = next(
                (title for title in MEANS if finding.title.startswith(title)), finding.title
            )
            findings.setdefault(
                name, PeerFinding(name, finding.severity.name != "INFO", MEANS.get(name, ()))
            )
        return list(findings.values())
