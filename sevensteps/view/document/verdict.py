"""The verdict: what is wrong with a training, its evidence as numbers to draw, what to change."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import condition_names, summary, title
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import final_loss, final_steps, significant
from sevensteps.doctor.other_scores import ChanceComparison
from sevensteps.doctor.report.text import first_sentence
from sevensteps.doctor.trials.trial import Trial
from sevensteps.record.run_folder import nan_to_null
from sevensteps.render.text import shell_quote
from sevensteps.view.document.consequences import consequence
from sevensteps.view.document.numbers import FINDINGS, finite, metric_title, prose

HEALTHY = "Nothing is wrong that can be seen here."
UNKNOWN = "Too little was seen to say whether anything is wrong."
# "below 0.1", "0.6 to 1.4", "about 1", "less than 0.05 apart", "above 2.3, by guessing"
NUMBER = r"-?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?"
BELOW = re.compile(rf"(?:well )?(?:below|less than|at most|no more than) ({NUMBER})(?![\d.]* ?%)")
ABOVE = re.compile(rf"(?:well )?(?:above|more than|at least) ({NUMBER})(?![\d.]* ?%)")
BETWEEN = re.compile(rf"({NUMBER}) to ({NUMBER})")
ABOUT = re.compile(rf"(?:about|near) ({NUMBER})(?![\d.]* ?%)")
FINAL_LOSS = "loss at the end"
NEAR = 2.0  # times as much, or as little, is about as much
SPAN = 30  # times as much is drawn on a logarithmic axis
OVER_TIME = {  # the quantity of the looks that shows a condition over the steps
    "signal_vanishes": "signal",
    "signal_explodes": "signal",
    "representation_collapsed": "signal",
    "dead_units": "dead",
    "saturated_units": "saturated",
    "vanishing_gradient": "gradient",
    "exploding_gradient": "gradient",
    "parameters_not_updated": "update",
    "learning_rate_too_high": "update",
    "learning_rate_too_low": "update",
    "updates_rounded_away": "update",
}


@dataclass(frozen=True)
class Context:
    """What a finding is shown with: the recipe, where a command can train it again, and the
    quantities over time by id and layer, as `looks.quantity_curves` gives them.
    """

    recipe: Mapping[str, str] = field(default_factory=dict)
    recipe_file: str = ""
    over_time: Mapping[str, Mapping[str, dict[str, Any]]] = field(default_factory=dict)
    final_loss: float = math.nan
    final_steps: int = 1  # over how many steps it is the mean


def diagnosis_verdict(diagnosis: Diagnosis, context: Context) -> dict[str, Any]:
    """The verdict of a diagnosis, most likely cause first; if it is healthy, on what that rests."""
    findings, state = diagnosis.findings, diagnosis.state
    case = diagnosis.case
    context = replace(context, final_loss=final_loss(case), final_steps=final_steps(case))
    if findings:
        sentence = first_sentence(findings[0].explanation)
    else:
        sentence = HEALTHY if state == "healthy" else UNKNOWN
    healthy = state == "healthy"
    basis = diagnosis.basis_within()  # the time stands among the figures
    if healthy:
        basis += f" {looked_for([name for name, _ in diagnosis.not_judged])}"
    content: dict[str, Any] = {
        "state": state,
        "sentence": sentence,
        "basis": basis,
        "findings": [_finding(finding, context) for finding in findings[:FINDINGS]],
    }
    if healthy:
        content["evidence"] = [_measure(one, context) for one in grounds(diagnosis.case, context)]
    return content


def looked_for(not_judged: Sequence[str]) -> str:
    """How many faults were looked for.

    >>> looked_for(["dead_units", "a question of another kind"]).endswith("1 could not be judged.")
    True
    """
    names = condition_names()
    unknown = len(set(names) & set(not_judged))
    rest = f"; {unknown} could not be judged" if unknown else ""
    return f"{len(names) - unknown} kinds of fault were looked for and not found{rest}."


def grounds(case: Case, context: Context) -> list[Measure]:
    """On what it rests that nothing is wrong: how much better the network is than an answer that
    ignores the input, and how its layers are beside what is healthy.
    """
    measures = [
        Measure(
            f"{metric_title(one.measure)} on {one.of}" if one.of else metric_title(one.measure),
            finite(one.reached, 4),
            f"{'above' if one.reached > one.ignorant else 'below'} {one.ignorant:.4g}, "
            f"of {'one answer' if one.by == ChanceComparison.by else one.by} for all",
            "",
        )
        for one in judge(case).comparisons
    ]
    for by_layer in context.over_time.values():
        middles = {
            layer: median(known)
            for layer, curve in by_layer.items()
            if "expected" in curve
            and (known := [value for value in curve["values"] if value is not None])
        }
        if middles:
            layer = max(middles, key=middles.__getitem__)
            name, (_, most) = by_layer[layer]["name"], by_layer[layer]["expected"]
            measures.append(
                Measure(
                    name,
                    finite(middles[layer], 3),
                    f"below {most:g}",
                    "the layer that has most, in the middle of all looks",
                )
            )
    return measures


def _finding(finding: Finding, context: Context) -> dict[str, Any]:
    content: dict[str, Any] = {
        "condition": finding.condition,
        "step": finding.step,
        "severity": finding.severity,
        "confidence": finite(finding.confidence, 3),
        "explanation": " ".join(finding.explanation.split()),
        "onset": finding.onset,
        "where": _where(finding.where),
        "evidence": [_measure(measure, context) for measure in finding.evidence],
        "remedies": [_remedy(remedy, context) for remedy in finding.remedies],
        "trials": [trial_document(trial) for trial in finding.trials],
        "symptoms": [_finding(symptom, context) for symptom in finding.symptoms[:FINDINGS]],
    }
    if finding.condition in condition_names():
        content["title"] = title(finding)
    if text := consequence(finding.condition):
        content["consequence"] = text
    drawn = _drawn(finding, context)
    if drawn is not None and content["evidence"]:
        first = content["evidence"][0]
        if drawn.get("expected") != first.get("bar", {}).get("expected"):
            drawn.pop("expected", None)  # a range of each step is none of all steps together
        first["drawn"] = drawn
    plain: dict[str, Any] = nan_to_null(content)
    return plain


def _where(where: Mapping[str, Any]) -> dict[str, Any]:
    """The layers, units and parameters that a finding names."""
    content: dict[str, Any] = {}
    for many, one in (("layers", "layer"), ("parameters", "parameter")):
        names = where.get(many, where.get(one, ()))
        names = [names] if isinstance(names, str) else [str(name) for name in names or ()]
        if names:
            content[many] = names
    units = where.get("units")
    if isinstance(units, Mapping):
        content["units"] = {
            str(layer): [int(unit) for unit in numbers] for layer, numbers in units.items()
        }
    return content


def _measure(measure: Measure, context: Context) -> dict[str, Any]:
    name = measure.measure
    if name == FINAL_LOSS and isinstance(measure.observed, float) and context.final_steps > 1:
        measure = replace(measure, observed=significant(measure.observed))
        if measure.observed == significant(context.final_loss):  # beside that of the last step
            name += f", mean over {context.final_steps:,} steps"
    content = {
        "measure": name,
        "observed": _plain(measure.observed),
        "expected": _plain(measure.expected),
        "source": measure.source,
    }
    if (bar := evidence_bar(measure.observed, measure.expected)) is not None:
        content["bar"] = bar
    return content


def _plain(value: Any) -> Any:
    if isinstance(value, str) and (number := _number(value)) is not None:
        return int(number) if number == int(number) else finite(number)
    return (
        value
        if isinstance(value, str | bool | int | None)
        else (finite(value) if isinstance(value, float) else str(value))
    )


def evidence_bar(observed: Any, expected: Any) -> dict[str, Any] | None:
    """Observed and expected on one axis; None where they are no numbers that can be compared.

    >>> evidence_bar(3.6, "below 0.1")
    {'observed': 3.6, 'expected': [None, 0.1], 'log': True}
    >>> evidence_bar("2 of 30", "few") is None
    True
    """
    number = _number(observed)
    limits = _limits(expected)
    if number is None or limits is None:
        return None
    content: dict[str, Any] = {"observed": finite(number), "expected": limits}
    sizes = [value for value in (number, *limits) if value is not None]
    if min(sizes) > 0 and max(sizes) / min(sizes) > SPAN:
        content["log"] = True
    return content


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    match = re.fullmatch(NUMBER, str(value).strip())
    return None if match is None else float(str(value).replace(",", ""))


def _limits(expected: Any) -> list[float | None] | None:
    """The range that is expected, as [low, high]; None on a side without limit."""
    if (number := _number(expected)) is not None:
        return [number, number]  # as it is: only what is "about" a number may be near it
    text = str(expected)
    if match := BETWEEN.match(text):
        return [_read(match[1]), _read(match[2])]
    if match := BELOW.match(text):
        return [None, _read(match[1])]
    if match := ABOVE.match(text):
        return [_read(match[1]), None]
    if (match := ABOUT.match(text)) and (middle := _read(match[1])) > 0:
        return [middle / NEAR, middle * NEAR]
    return None


def _read(digits: str) -> float:
    return float(digits.replace(",", ""))


def _drawn(finding: Finding, context: Context) -> dict[str, Any] | None:
    """The quantity that shows this condition over the steps, at the first layer that it names."""
    by_layer = context.over_time.get(OVER_TIME.get(finding.condition, ""), {})
    layers = _where(finding.where).get("layers", [])
    names = [name for name in layers if name in by_layer] or ([] if layers else list(by_layer))
    return dict(by_layer[names[0]]) if names else None


def _remedy(remedy: Remedy, context: Context) -> dict[str, Any]:
    content: dict[str, Any] = {
        "change": dict(remedy.change),
        "why": remedy.why,
        "advice": remedy.advice,
    }
    steps = {step: text for step, text in remedy.change.items() if step in context.recipe}
    if steps and len(steps) == len(remedy.change):
        content["code"] = [
            line
            for step, text in steps.items()
            if step != "data"  # data are not replaced by what prepares them
            for line in (
                {"kind": "remove", "text": f"{step} = {context.recipe[step]}"},
                {"kind": "add", "text": f"{step} = {text}"},
            )
        ]
        if context.recipe_file and "data" not in steps:
            words = " ".join(f"--{step} {shell_quote(text)}" for step, text in steps.items())
            recipe = shell_quote(context.recipe_file)
            content["command"] = f"sevensteps train --recipe {recipe} {words}"
    return content


def trial_document(trial: Trial) -> dict[str, Any]:
    """A trial of one remedy, its verdict as a note."""
    content = {
        "change": dict(trial.change),
        "measure": trial.measure,
        "seeds": list(trial.seeds),
        "untouched": [finite(value) for value in trial.untouched],
        "remedied": [finite(value) for value in trial.remedied],
        "random": [finite(value) for value in trial.random],
        "difference": finite(trial.difference),
        "interval": None if trial.interval is None else [finite(end) for end in trial.interval],
        "proven": trial.proven,
    }
    return content | {"note": prose(trial.verdict)}


def named(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Conditions or questions with the reason why they were ruled out or not judged."""
    known = condition_names()
    return [
        {"name": name, "why": why} | ({"title": summary(name).rstrip(".")} if name in known else {})
        for name, why in pairs[:100]
    ]
