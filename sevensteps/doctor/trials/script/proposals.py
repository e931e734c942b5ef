"""Which remedies of a diagnosis can be tried on the script itself, and how."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.measures import step_with_rate
from sevensteps.doctor.trials.changes import STANDARDIZE, Change
from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.fork_server import slow_imports
from sevensteps.doctor.trials.script.notation import change_of
from sevensteps.doctor.trials.script.of_batches import SameOrder, Shuffle
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
    StandardizeTargets,
    SwapActivation,
)
from sevensteps.doctor.trials.script.of_sequences import StopAtPadding
from sevensteps.doctor.trials.script.of_settings import SetOption
from sevensteps.doctor.trials.script.of_steps import (
    AddParameters,
    ClearGradients,
    LrTimes,
    Unfreeze,
)
from sevensteps.doctor.trials.script.patch import patch_of
from sevensteps.doctor.trials.script.rewrites import REWRITES
from sevensteps.doctor.trials.script.rewrites_of_layers import padding_index
from sevensteps.doctor.trials.script.source import Source, sources
from sevensteps.observe.call import Call
from sevensteps.observe.call_kinds import DIFFERENCES
from sevensteps.steps import parse

MOST = 3  # remedies of one finding that are tried
CLOSING = ("softmax", "sigmoid", "activation")  # kinds of calls that end a network
CLAMPS = ("clamp", "clamp_min")  # others by name
# where the change from outside is the same as that of a line, or has nothing to alter beside it
LINES_ALONE = ("gradient_clipped_away", "not_shuffled")
TRIED_THOUGH_REMARKS = ("loss_sign",)  # where a remark is worth a trial: only that can tell
FROZEN = "requires_grad is False"
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
        if finding.severity == "info" and finding.condition not in TRIED_THOUGH_REMARKS:
            continue
        for intervention in list(_interventions(case, finding, files))[:MOST]:
            change = change_of([intervention])
            if all(change != earlier.change for earlier in result):
                patch = patch_of(intervention, files, optimizers)
                result.append(Proposal(number, finding.condition, change, patch))
    return result


def _interventions(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """What may cure a finding: other words on a line of the user's, then changes from outside."""
    written = False
    for rewrites in REWRITES.get(finding.condition, ()):
        for intervention in rewrites(case, finding, files):
            written = True
            yield intervention
    if written and finding.condition in LINES_ALONE:
        return
    if (find := FINDERS.get(finding.condition)) is not None:
        yield from find(case, finding)


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
        "compared": _compared(case, findings),
        "ignored": next(iter(_paddings(findings)), None),
        "imports": slow_imports(),
        "threads": torch.get_num_threads(),
        "proposals": [asdict(p) for p in proposals(case, findings, optimizers)],
    }


def _compared(case: Case, findings: list[Finding]) -> list[str] | None:
    """The function and the line that compare tensors of different shapes."""
    for finding in findings:
        if finding.condition == "target_shape_mismatch":
            for reshape in _reshape(case, finding):
                return [reshape.function, reshape.place]
    return None


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
    if any(measure.source == FROZEN for measure in finding.evidence):
        yield Unfreeze(tuple(finding.where.get("parameters", ())))


def _without_closing(case: Case, finding: Finding) -> Iterator[Intervention]:
    """The last function before the loss, where the loss takes what comes before it."""
    for look in case.looks:
        losses = [i for i, call in enumerate(look.calls) if call.kind == "loss"]
        if not losses:
            continue
        loss = look.calls[losses[-1]]
        for call in reversed(look.calls[: losses[-1]]):
            closes = call.kind in CLOSING or call.name in CLAMPS
            if closes and _shape(call) == _shape(loss) and call.where:
                yield TakeOff(call.name, call.where)
                return


def _initialize(case: Case, finding: Finding) -> Iterator[Intervention]:
    for remedy in finding.remedies:
        rule = remedy.change.get("initialize", "").partition("(")[0]
        if len(remedy.change) == 1 and rule in RULES:
            yield Initialize(rule)


def _initialize_smaller(case: Case, finding: Finding) -> Iterator[Intervention]:
    """As usual for embeddings, where the last layer has the weights of one."""
    layers = dict(case.network.named_modules()) if case.network is not None else {}
    tables = [layer for layer in layers.values() if isinstance(layer, nn.Embedding)]
    for name in finding.where.get("layers", ()):
        weight = getattr(layers.get(name), "weight", None)
        if any(table.weight is weight for table in tables):
            yield Initialize("normal")
    yield from _initialize(case, finding)


def _standardize_targets(case: Case, finding: Finding) -> Iterator[Intervention]:
    target, loss = case.target, case.identified_loss
    if target is None or loss is None or not target.is_floating_point():
        return
    power = {"mse_loss": 2, "l1_loss": 1, "smooth_l1_loss": 1, "huber_loss": 1}.get(
        loss.loss.function
    )
    spread = float(target.double().std())
    if power is not None and 0 < spread < math.inf:
        mean = float(target.double().mean())
        yield StandardizeTargets(float(f"{mean:.4g}"), float(f"{spread:.4g}"), power)


def _same_order(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield SameOrder()


def _slower(case: Case, finding: Finding) -> Iterator[Intervention]:
    yield LrTimes(0.1)
    yield LrTimes(0.01)


def _stop_at_padding(case: Case, finding: Finding) -> Iterator[Intervention]:
    padding = padding_index(case)
    if padding is not None:
        yield StopAtPadding(padding)


def _bounded(case: Case, finding: Finding) -> Iterator[Intervention]:
    """Where numbers grew until they overflowed: a lower rate, or shorter gradients."""
    yield from _other_rates(case, finding)
    if finding.where.get("cause") is None:
        yield ClipGradients(1.0)


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


def _reshape(case: Case, finding: Finding) -> Iterator[ReshapeTarget]:
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
    taken = next((n for n in ("nll_loss", "kl_div") if n in finding.explanation), "")
    if not taken or (taken == "kl_div" and "takes logarithms" not in finding.explanation):
        yield from _without_closing(case, finding)
        return
    by = "log_softmax" if "raw" in finding.explanation else "log"
    for call in _losses(case, taken):
        yield Insert(call.name, call.where, by)
        break


def _balance(case: Case, finding: Finding) -> Iterator[Intervention]:
    """The larger of two terms, divided by as much as it is larger."""
    large, ratio = finding.where["terms"][0], finding.evidence[0].observed
    for look in case.looks:
        parts = [part for one in look.part_gradients[:1] for part in one.parts]
        numbers = {part.call for part in parts if part.name == large and part.call is not None}
        for number in [number for number in numbers if number < len(look.calls)]:
            call = look.calls[number]
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
    "labels_unrelated": _same_order,
    "learning_rate_too_high": _other_rates,
    "learning_rate_too_low": _other_rates,
    "loss_sign": _sign,
    "loss_terms_unbalanced": _balance,
    "mode_mismatch": _modes,
    "not_finite": _bounded,
    "not_shuffled": _shuffle,
    "optimizer_setting": _settings,
    "output_loss_mismatch": _closing_or_log,
    "output_overconfident": _initialize_smaller,
    "padding_in_loss": _ignore,
    "padding_read": _stop_at_padding,
    "parameters_not_updated": _add_parameters,
    "representation_collapsed": _slower,
    "schedule_collapsed": _constant_rate,
    "signal_explodes": _initialize,
    "signal_vanishes": _initialize,
    "symmetric_units": _initialize,
    "target_out_of_range": _without_closing,
    "target_shape_mismatch": _reshape,
    "targets_unscaled": _standardize_targets,
    "weight_decay_too_strong": _weaker_decay,
}
