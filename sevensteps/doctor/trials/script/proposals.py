"""Which remedies of a diagnosis can be tried on the script itself, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.measures import step_with_rate
from sevensteps.doctor.trials.changes import STANDARDIZE, Change
from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.notation import change_of
from sevensteps.doctor.trials.script.of_calls import TakeOff
from sevensteps.doctor.trials.script.of_networks import StandardizeInputs
from sevensteps.doctor.trials.script.of_steps import AddParameters, ClearGradients, LrTimes
from sevensteps.doctor.trials.script.patch import Source, patch_of, sources
from sevensteps.observe.call import Call
from sevensteps.steps import parse

MOST = 2  # remedies of one finding that are tried
CLOSING = ("softmax", "sigmoid", "activation")  # kinds of calls that end a network
UNREGISTERED = ("no optimizer group", "a gradient, but no module and no optimizer")


@dataclass(frozen=True)
class Proposal:
    """A remedy that can be tried: of the finding with this number, as a change of the script, and
    as what the user is to change.
    """

    finding: int
    condition: str
    change: Change
    patch: str


def proposals(
    case: Case,
    findings: list[Finding],
    optimizers: tuple[str, ...],
    files: list[Source] | None = None,
) -> list[Proposal]:
    """The remedies of `findings` that can be tried, first findings first, no change twice."""
    files = list(sources()) if files is None else files
    result: list[Proposal] = []
    for number, finding in enumerate(findings):
        if finding.severity == "info":
            continue
        find = FINDERS.get(finding.condition)
        for intervention in list(find(case, finding))[:MOST] if find is not None else []:
            change = change_of([intervention])
            if all(change != earlier.change for earlier in result):
                patch = patch_of(intervention, files, optimizers)
                result.append(Proposal(number, finding.condition, change, patch))
    return result


def plan_of(
    case: Case, findings: list[Finding], optimizers: tuple[str, ...], number: int
) -> dict[str, Any]:
    """What can be tried of the training with this number, and how long it was, as JSON holds it."""
    observation = case.observation
    onsets = [finding.onset or 0 for finding in findings[:1]]
    return {
        "training": number,
        "steps": observation.steps,
        "evaluations": [step for step, _, _ in observation.evaluations],
        "onset": max(onsets, default=0),
        "proposals": [asdict(p) for p in proposals(case, findings, optimizers)],
    }


def _other_rates(case: Case, finding: Finding) -> Iterator[Intervention]:
    """The remedies that are the same optimizer with another learning rate."""
    for remedy in finding.remedies:
        text = remedy.change.get("step")
        if text is None or len(remedy.change) > 1 or not case.lr:
            continue
        lr = getattr(parse("step", text), "lr", None)
        if isinstance(lr, int | float) and text == step_with_rate(case, lr) and lr != case.lr:
            yield LrTimes(float(f"{lr / case.lr:.3g}"))


def _clear_gradients(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield ClearGradients()


def _standardize(case: Case, finding: Finding) -> Iterator[Intervention]:
    if any(remedy.change == {"data": STANDARDIZE} for remedy in finding.remedies):
        yield StandardizeInputs()


def _add_parameters(case: Case, finding: Finding) -> Iterator[Intervention]:
    if any(
        measure.expected == 0 and measure.source in UNREGISTERED for measure in finding.evidence
    ):
        yield AddParameters()


def _without_closing(case: Case, finding: Finding) -> Iterator[Intervention]:
    """The last function before the loss, where the loss takes what comes before it."""
    if "nll_loss" in finding.explanation:
        return
    for look in case.looks:
        losses = [i for i, call in enumerate(look.calls) if call.kind == "loss"]
        if not losses:
            continue
        loss = look.calls[losses[-1]]
        for call in reversed(look.calls[: losses[-1]]):
            if call.kind in CLOSING and _shape(call) == _shape(loss) and call.where:
                yield TakeOff(call.name, call.where)
                return


def _shape(call: Call) -> tuple[int, ...] | None:
    return call.shapes.get("input")


Find = Callable[[Case, Finding], Iterator[Intervention]]
FINDERS: dict[str, Find] = {
    "batch_too_small": _other_rates,
    "gradient_not_cleared": _clear_gradients,
    "ill_conditioned": _standardize,
    "inputs_unscaled": _standardize,
    "learning_rate_too_high": _other_rates,
    "learning_rate_too_low": _other_rates,
    "not_finite": _other_rates,
    "output_loss_mismatch": _without_closing,
    "parameters_not_updated": _add_parameters,
}
