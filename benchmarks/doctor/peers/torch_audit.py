"""torch-audit: rules on parameters, gradients, activations, batches and the optimizer's settings.

Used by `autopatch`, its way for a loop that stays as it is. By default it audits every 1000th step,
which in trainings as short as these is the first alone; its documentation says 1 for every step.
Both take part, and a setting between them.

Left out are the rules on speed, in its category Performance (`TA2…`), and `TA400`, a bias that
wastes memory: they claim no fault of the training, and one or another of them is said of nearly
every network here. `TA000` is its own word for a rule that crashed."""

from __future__ import annotations

from typing import Any

from benchmarks.doctor.loop import Setup
from benchmarks.doctor.peers import PeerFinding, Watching, first

PACKAGE = "torch-audit"
SETTINGS: dict[str, dict[str, Any]] = {
    f"every {n} steps" if n > 1 else "every step": {"every_n_steps": n} for n in (1, 10, 1000)
}
SPEED = {"TA200", "TA201", "TA202", "TA203", "TA400"}
CRASHED = "TA000"

MEANS: dict[str, tuple[str, ...]] = {  # what a rule's title, description and remediation name
    "TA100": (
        "not_finite",
        "learning_rate_too_high",
        "exploding_gradient",
        "signal_explodes",
        "inputs_not_finite",
    ),  # NaN or Inf
    "TA102": (
        "exploding_gradient",
        "learning_rate_too_high",
        "signal_explodes",
        "loss_scale",
    ),  # gradient explosion
    "TA103": (
        "dead_units",
        "signal_vanishes",
        "symmetric_units",
        "vanishing_gradient",
        "parameters_not_updated",
    ),  # zero gradients
    "TA104": ("parameters_not_updated",),  # no gradients
    "TA105": (
        "dead_units",
        "learning_rate_too_high",
        "signal_vanishes",
    ),  # activations nearly all 0
    "TA301": ("inputs_unscaled", "train_valid_mismatch"),  # inputs above 50
    "TA304": ("batch_too_small",),
    "TA401": ("weight_decay_too_strong", "optimizer_setting"),
    "TA402": ("weight_decay_too_strong", "optimizer_setting"),
    "TA403": ("weight_decay_too_strong", "optimizer_setting"),  # weight decay where it is not usual
    "TA405": ("dead_units", "symmetric_units"),  # filters of zeros
    "TA500": ("parameters_not_updated",),  # a layer that is never called
    "TA501": ("mode_mismatch",),  # batch norm called twice
}


class Watch(Watching):
    def __init__(self, setup: Setup, every_n_steps: int) -> None:
        from torch_audit import autopatch

        # from here on in the places of `forward` and `optimizer.step`
        self.auditor = autopatch(
            setup.model, optimizer=first(setup.optimizer), every_n_steps=every_n_steps
        )

    def diagnose(self, **data: Any) -> list[PeerFinding]:
        result = self.auditor.finish()
        self.auditor.unpatch()
        serious = sorted(result.findings, key=lambda finding: finding.severity, reverse=True)
        self.crashed = next(
            (finding.message for finding in serious if finding.rule_id == CRASHED), ""
        )
        loud = {finding.rule_id: finding.severity.value != "INFO" for finding in reversed(serious)}
        names = dict.fromkeys(
            finding.rule_id for finding in serious if finding.rule_id not in {CRASHED, *SPEED}
        )
        return [
            PeerFinding(f"{name} {result.rules[name].title}", loud[name], MEANS.get(name, ()))
            for name in names
        ]
