"""What copies that were trained anew say of a training, as a finding, or as more words of one."""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import condition
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import significant, step_with_rate
from sevensteps.doctor.plain_training.blame import Blame, blame

LAST_RESORTS = ("does_not_learn", "underfitting")  # that name no cause
# what a copy that learns with the same network, loss and targets speaks against
REFUTED = ("too_small", "targets_unscaled", "loss_unsuited")
DOUBTED = 0.4  # confidence of these then
MOST_NAMES = 32
NAMED, OF_STEP = 0.6, 0.45  # confidence where a condition, or only a step is known
# what has to be plain for a copy to learn, in words
AS_IT_WAS = {
    "initialize": "the weights as large as they were at the start",
    "gradient": "only the parameters that an optimizer had",
    "inputs": "the inputs as they are",
    "step": "the optimizer as it was",
    "repeat": "the batches as they were fed",
    "loss": "the loss as it was",
    "targets": "the samples as they were fed",
}


def add_plain_training(case: Case, findings: list[Finding]) -> list[Finding]:
    """`findings`, and what trainings of copies add to them: asked where no cause was named, and the
    network fails, or falls short of what it could learn.
    """
    faults = [finding for finding in findings if finding.severity != "info"]
    if any(
        finding.condition not in (*LAST_RESORTS, *REFUTED)
        or "setting" in finding.where  # of a call, which the copy is trained without
        for finding in faults
    ):
        return findings
    unnamed = [finding for finding in faults if finding.condition in LAST_RESORTS]
    fails = bool(faults) and len(unnamed) == len(faults)
    if case.before_training or (not fails and case.recipe is not None):
        return findings
    result = blame(case, fails=fails)
    if result is None:
        return findings
    if result.condition:
        if not fails and faults and result.step == "step" and result.factor != 1:
            return findings  # with longer steps, much is learned in spite of other faults, too
        for finding in faults:
            finding.confidence = min(finding.confidence, DOUBTED)
        others = [finding for finding in findings if finding.condition not in LAST_RESORTS]
        return [*others, _finding(case, result)]
    if not fails:
        if faults and not result.step:
            return findings
        for finding in faults:
            finding.confidence = min(finding.confidence, DOUBTED)
        others = [finding for finding in findings if finding.condition not in LAST_RESORTS]
        return [*others, _falls_short(result)]
    for finding in unnamed:
        finding.explanation += f" {_said(result)}"
        finding.evidence += _evidence(result)
        if result.step:
            finding.step, finding.confidence = result.step, OF_STEP
    return findings


def _finding(case: Case, result: Blame) -> Finding:
    return Finding(
        result.condition,
        condition(result.condition).STEP,
        "warning",
        NAMED,
        f"{_said(result)} {_cause(result)}",
        _evidence(result),
        _remedies(case, result),
        {"parameters": list(result.names)[:MOST_NAMES]} if result.step == "initialize" else {},
        None,
    )


def _falls_short(result: Blame) -> Finding:
    """Of a training that looks well by itself, and learned far less than a copy."""
    return Finding(
        "underfitting",
        result.step or condition("underfitting").STEP,
        "warning",
        OF_STEP,
        f"{_said(result)} The network, the data and the loss allow for far more than was learned.",
        _evidence(result),
        [
            Remedy(
                {"step": f"adam(lr={result.plan.rate:g})"},
                "a copy that was trained so learned far more",
                f"begin with torch.optim.Adam(model.parameters(), lr={result.plan.rate:g}) and "
                "shuffled batches, and add one thing of your loop after the other",
            )
        ],
        {},
        None,
    )


def _said(result: Blame) -> str:
    experiment, plan = result.experiment, result.plan
    score = "scores" if experiment.measured.name == "score" else "has a loss of"
    loss = "the same loss" if plan.loss == "own" else "the loss that is usual for these targets"
    inputs = ", inputs standardised" if plan.standardised else ""
    text = (
        f"A copy of the network was trained anew in a plain way (all weights drawn anew, "
        f"adam(lr={plan.rate:g}), {plan.steps:,} steps on batches in any order{inputs}, {loss}): "
        f"on {experiment.data.of} it {score} {result.plain:.3g}, and the network itself "
        f"{experiment.measured.value:.3g}."
    )
    if not result.plain_learns:
        return text + (
            " So it is hardly the start, the optimizer or the order of the batches: look at what "
            "the network does with its inputs, at the loss and at the data."
        )
    if result.tried:
        parts = [f"with {AS_IT_WAS[one.what]} {one.value:.3g}" for one in result.tried]
        text += f" Plain but for one step: {', '.join(parts)}."
    if result.step in ("gradient", "loss") and not result.condition:
        text += (
            " Each of these learns as well: what is left is what the loop does between the "
            "network's answer and the optimizer's step"
            + (": how it computes its loss, first." if result.step == "loss" else ".")
        )
    return text


def _evidence(result: Blame) -> list[Measure]:
    experiment = result.experiment
    bound = "above" if experiment.measured.name == "score" else "below"
    if not result.plain_learns:
        return [
            Measure(
                f"{experiment.measured.name} of a copy trained anew in a plain way",
                significant(result.plain),
                f"{bound} {significant(experiment.measured.value)}",
                experiment.data.of,
            )
        ]
    measures = [
        Measure(
            f"{experiment.measured.name} of the network, on {experiment.data.of}",
            significant(experiment.measured.value),
            f"about {significant(result.plain)}",
            "a copy trained anew in a plain way",
        )
    ]
    measures += [
        Measure(
            f"{experiment.measured.name} of a copy with {AS_IT_WAS[one.what]}",
            significant(one.value),
            f"about {significant(result.plain)}",
            "trained as plainly otherwise",
        )
        for one in result.tried
    ]
    return measures


CAUSES = {
    "symmetric_units": "Weights that begin as one number get one gradient: the start is to blame.",
    "signal_vanishes": "The weights began too small: the start is to blame.",
    "signal_explodes": "The weights began too large: the start is to blame.",
    "dead_units": "The biases began so far from 0 that no input moves the units: the start is to "
    "blame.",
    "parameters_not_updated": "Parameters that no optimizer has are to blame.",
    "inputs_unscaled": "The scale of the inputs is to blame.",
    "same_batch_again": "The few samples that were fed again and again are to blame.",
    "not_shuffled": "The order of the batches is to blame.",
    "batch_too_small": "The few samples of a batch are to blame.",
    "weight_decay_too_strong": "Without weight decay the same optimizer learns: it is to blame.",
    "schedule_collapsed": "At a constant rate the same optimizer learns: the schedule is to blame.",
    "loss_unsuited": "The loss is to blame.",
    "output_loss_mismatch": "The loss, as it is computed, is to blame.",
    "labels_unrelated": "The samples that were fed are not those that were handed over: what the "
    "loop makes of inputs and targets is to blame.",
}


def _cause(result: Blame) -> str:
    if result.condition in ("learning_rate_too_low", "learning_rate_too_high"):
        if result.factor == 1:
            return "At a constant rate the same optimizer learns: the schedule is to blame."
        return (
            f"At {result.factor:g} times its rate the same optimizer learns: the rate is to blame."
        )
    if result.condition == "optimizer_setting":
        return f"With the usual {result.setting} the same optimizer learns: it is to blame."
    return CAUSES[result.condition]


def _remedies(case: Case, result: Blame) -> list[Remedy]:
    """What made a copy learn, as a change and as the lines of a loop."""
    why = "a copy that was trained so learned it"
    advice: dict[str, tuple[dict[str, str], str]] = {
        "initialize": (
            {"initialize": "auto()"},
            "leave the weights as PyTorch draws them, or layer.reset_parameters() for each layer",
        ),
        "gradient": ({}, "torch.optim.Adam(model.parameters(), lr=0.003)"),
        "loss": (
            {"loss": "auto()"},
            "the loss that is usual for these targets, on the raw outputs",
        ),
        "stop": ({}, "train for longer"),
    }
    if result.condition == "inputs_unscaled":
        change = {"data": "standardize()"}, "inputs = (inputs - inputs.mean(0)) / inputs.std(0)"
    elif result.step == "repeat":
        change = {"repeat": "batches(32)"}, "DataLoader(data, batch_size=32, shuffle=True)"
        if result.condition == "labels_unrelated":
            change = {}, "compare a batch as it is fed with the data that it was taken from"
    elif result.step == "step":
        change = _change_of_step(case, result)
    else:
        change = advice[result.step]
    return [Remedy(change[0], why, change[1])]


def _change_of_step(case: Case, result: Blame) -> tuple[dict[str, str], str]:
    if result.factor != 1 and case.lr:
        rate = float(f"{case.lr * result.factor:.1g}")
        return {"step": step_with_rate(case, rate)}, f"lr={rate:g}"
    if result.condition == "weight_decay_too_strong":
        return {}, "weight_decay=0, or 0.01 at most"
    if result.condition == "optimizer_setting":
        return {}, f"leave {result.setting} at its default"
    return {"step": step_with_rate(case, case.lr)} if case.lr else {}, "no schedule, at first"
