"""Which remedies of a diagnosis can be tried on the script itself, and how."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.measures import step_with_rate
from sevensteps.doctor.trials.changes import STANDARDIZE, Change
from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.fork_server import slow_imports
from sevensteps.doctor.trials.script.notation import change_of
from sevensteps.doctor.trials.script.of_batches import Shuffle
from sevensteps.doctor.trials.script.of_calls import (
    IgnoreClass,
    Insert,
    LossTimes,
    ReshapeTarget,
    TakeOff,
)
from sevensteps.doctor.trials.script.of_gradients import (
    ClipGradients,
    FlipSign,
    KeepGradients,
    NoClipping,
)
from sevensteps.doctor.trials.script.of_networks import (
    RULES,
    Initialize,
    SetModes,
    StandardizeInputs,
    SwapActivation,
)
from sevensteps.doctor.trials.script.of_settings import SetOption
from sevensteps.doctor.trials.script.of_steps import AddParameters, ClearGradients, LrTimes
from sevensteps.doctor.trials.script.patch import Source, patch_of, sources
from sevensteps.observe.call import Call
from sevensteps.observe.call_kinds import DIFFERENCES
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
        "ignored": next(iter(_paddings(findings)), None),
        "imports": slow_imports(),
        "threads": torch.get_num_threads(),
        "proposals": [asdict(p) for p in proposals(case, findings, optimizers)],
    }


def _paddings(findings: list[Finding]) -> list[int]:
    """The classes that are padding, by the findings that say so."""
    named = [f.where.get("classes", []) for f in findings if f.condition == "padding_in_loss"]
    return [int(index) for classes in named for index in classes]


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
    for look in case.looks:
        losses = [i for i, call in enumerate(look.calls) if call.kind == "loss"]
        if not losses:
            continue
        loss = look.calls[losses[-1]]
        for call in reversed(look.calls[: losses[-1]]):
            if call.kind in CLOSING and _shape(call) == _shape(loss) and call.where:
                yield TakeOff(call.name, call.where)
                return


def _initialize(case: Case, finding: Finding) -> Iterator[Intervention]:
    for remedy in finding.remedies:
        rule = remedy.change.get("initialize", "").partition("(")[0]
        if len(remedy.change) == 1 and rule in RULES:
            yield Initialize(rule)


def _dead(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield from _other_rates(case, finding)
    if any("LeakyReLU" in remedy.advice for remedy in finding.remedies):
        yield SwapActivation("leaky_relu")
    yield from _initialize(case, finding)


def _clip(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield ClipGradients(1.0)


def _no_clipping(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield NoClipping()


def _keep_gradients(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield KeepGradients()


def _shuffle(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield Shuffle()


def _modes(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield SetModes()


def _sign(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield FlipSign()


def _settings(case: Case, finding: Finding) -> Iterator[Intervention]:
    """The option of the optimizer that the finding names, at its usual value."""
    name = str(finding.where.get("setting", ""))
    group = case.facts.groups[0] if case.facts.groups else {}
    for remedy in finding.remedies:
        given, _, text = remedy.advice.partition("=")
        if given == name and name in group:
            before = group[name]
            value = ast.literal_eval(text)
            yield SetOption(name, value, tuple(before) if isinstance(value, tuple) else before)


def _weaker_decay(case: Case, finding: Finding) -> Iterator[Intervention]:
    before = float((case.facts.groups[0] if case.facts.groups else {}).get("weight_decay", 0) or 0)
    for remedy in finding.remedies:
        text = remedy.change.get("step")
        value = getattr(parse("step", text), "weight_decay", None) if text else None
        if isinstance(value, int | float) and value < before:
            yield SetOption("weight_decay", float(value), before)


def _constant_rate(case: Case, finding: Finding) -> Iterator[Intervention]:
    rates = [rate for _, rate in case.observation.rates]
    if rates and min(rates) < max(rates):
        yield SetOption("lr", max(rates), max(rates[-1], 1e-12))


def _reshape(case: Case, finding: Finding) -> Iterator[Intervention]:
    """The comparison of tensors of different shapes, in the loss or written out."""
    for look in case.looks:
        for call in look.calls:
            compared = call.shapes.get("target") or call.shapes.get("other")
            if (
                call.where
                and (call.broadcasts or call.name in DIFFERENCES)
                and compared is not None
                and compared != _shape(call)
                and math.prod(compared) == math.prod(_shape(call) or ())
            ):
                yield ReshapeTarget(call.name, call.where)
                return


def _ignore(case: Case, finding: Finding) -> Iterator[Intervention]:
    for index in _paddings([finding]):
        for call in _losses(case, "cross_entropy", "nll_loss"):
            yield IgnoreClass(call.name, call.where, index)
            break


def _closing_or_log(case: Case, finding: Finding) -> Iterator[Intervention]:
    if "nll_loss" not in finding.explanation:
        yield from _without_closing(case, finding)
        return
    for call in _losses(case, "nll_loss"):
        yield Insert(
            call.name, call.where, "log_softmax" if "raw" in finding.explanation else "log"
        )
        break


def _balance(case: Case, finding: Finding) -> Iterator[Intervention]:
    """The larger of two terms, divided by as much as it is larger."""
    large, ratio = finding.where["terms"][0], finding.evidence[0].observed
    for look in case.looks:
        terms = [t for t in look.loss_terms if t.name == large and t.call is not None]
        if len(terms) == 1 and terms[0].call is not None and terms[0].call < len(look.calls):
            call = look.calls[terms[0].call]
            if call.where:
                yield LossTimes(call.name, call.where, float(f"{1 / ratio:.2g}"))
                return


def _losses(case: Case, *names: str) -> list[Call]:
    """The calls of these losses, in the order of the looks."""
    return [c for look in case.looks for c in look.calls if c.name in names and c.where]


def _shape(call: Call) -> tuple[int, ...] | None:
    return call.shapes.get("input")


Find = Callable[[Case, Finding], Iterator[Intervention]]
FINDERS: dict[str, Find] = {
    "batch_too_small": _other_rates,
    "dead_units": _dead,
    "exploding_gradient": _clip,
    "gradient_clipped_away": _no_clipping,
    "gradient_discarded": _keep_gradients,
    "gradient_not_cleared": _clear_gradients,
    "ill_conditioned": _standardize,
    "inputs_unscaled": _standardize,
    "learning_rate_too_high": _other_rates,
    "learning_rate_too_low": _other_rates,
    "loss_sign": _sign,
    "loss_terms_unbalanced": _balance,
    "mode_mismatch": _modes,
    "not_finite": _other_rates,
    "not_shuffled": _shuffle,
    "optimizer_setting": _settings,
    "output_loss_mismatch": _closing_or_log,
    "output_overconfident": _initialize,
    "padding_in_loss": _ignore,
    "parameters_not_updated": _add_parameters,
    "schedule_collapsed": _constant_rate,
    "signal_explodes": _initialize,
    "signal_vanishes": _initialize,
    "symmetric_units": _initialize,
    "target_shape_mismatch": _reshape,
    "weight_decay_too_strong": _weaker_decay,
}
