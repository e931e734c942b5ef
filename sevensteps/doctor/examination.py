"""An examination: every condition, asked of one case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sevensteps.doctor.case import Case, failure_text
from sevensteps.doctor.conditions import condition, condition_names
from sevensteps.doctor.finding import Finding, Remedy
from sevensteps.doctor.perceptron import uses_perceptron_rule
from sevensteps.doctor.plain_training.finding import add_plain_training
from sevensteps.doctor.ranking import in_order, ranked
from sevensteps.doctor.usable_data import check_data
from sevensteps.record.run_folder import nan_to_null

# what cannot be asked either of a network that does not answer to its samples, or to few of them
FOLLOWERS = {
    "outputs": ("questions", "probe", "parameters made in forward"),
    "questions": ("parameters made in forward",),
}


@dataclass
class Examination:
    """The findings of one case, most likely cause first; empty where nothing is wrong."""

    findings: list[Finding]
    case: Case

    @property
    def ruled_out(self) -> list[tuple[str, str]]:
        """Conditions that looked likely but were ruled out: (condition, reason)."""
        present = {finding.condition for finding in self.findings}
        return [(name, why) for name, why in self.case.ruled_out if name not in present]

    @property
    def not_judged(self) -> list[tuple[str, str]]:
        """What could not be asked: (condition or argument, reason), each once."""
        reasons = dict.fromkeys(self.case.not_judged)
        for cause, followers in FOLLOWERS.items():
            if any(what == cause for what, _ in reasons):
                reasons = {r: None for r in reasons if r[0] not in followers}
        return list(reasons)

    def to_dict(self) -> dict[str, Any]:
        """The form of `run.json` and `--json`; numbers that are not finite become None."""
        plain: dict[str, Any] = nan_to_null(
            {
                "findings": [finding.to_dict() for finding in self.findings],
                "ruled_out": [{"condition": name, "because": why} for name, why in self.ruled_out],
                "not_judged": [{"what": what, "because": why} for what, why in self.not_judged],
            }
        )
        return plain


def examine(case: Case) -> Examination:
    """Ask every condition of `case`; the findings are ranked, most likely cause first.

    Of several networks each is a case of its own, and `where["network"]` of its findings says
    which. A condition that raises is noted as not judged, and the others are asked all the same:
    what networks and data of others may hold is not foreseen.
    """
    if case.names:
        return _examine_each(case)
    if (failure := case.observation.notes.get("failure")) is not None:
        case.not_judged.append(
            ("what happens inside the network", f"looking at it failed: {failure}")
        )
    if case.recipe is None:  # the data of a recipe are made for its network
        check_data(case)
    if "thinned" in case.observation.notes:
        case.not_judged.append(
            (
                "looks",
                "fewer steps were observed than planned, because observing took far longer than "
                "this network's size lets expect; another run may differ",
            )
        )
    findings = case.findings = []
    for name in condition_names():
        try:
            finding = condition(name).examine(case)
        except Exception as raised:
            case.not_judged.append((name, failure_text(raised)))
        else:
            findings += [finding] if finding is not None else []
    findings = case.findings = add_plain_training(case, findings)
    for finding in findings:
        finding.remedies = [
            _completed(case, r) for r in finding.remedies if not _is_in_place(case, r)
        ]
    return Examination(ranked(findings), case)


def _completed(case: Case, remedy: Remedy) -> Remedy:
    """A remedy with all that its change asks for. Loss, gradient and steps that were chosen for a
    perceptron suit no other network.
    """
    if "predict" not in remedy.change or not uses_perceptron_rule(case):
        return remedy
    if remedy.change["predict"].startswith("neuron("):
        return remedy
    anew = dict.fromkeys(("loss", "gradient", "step"), "auto()")
    return replace(remedy, change={**remedy.change, **anew, **remedy.change})


def _is_in_place(case: Case, remedy: Remedy) -> bool:
    """Whether a remedy would change nothing: the recipe has all of its values."""
    if case.recipe is None or not remedy.change:
        return False
    steps = case.recipe.steps
    return all(step in steps and repr(steps[step]) == text for step, text in remedy.change.items())


def _examine_each(case: Case) -> Examination:
    findings: list[Finding] = []
    refusals: dict[tuple[str, str], int] = {}  # of data, by the networks that do not take them
    for name in case.names:
        own = examine(case.of(name))
        for finding in own.findings:
            _name_network(finding, name)
        findings += own.findings
        for what, why in own.not_judged:
            if what in ("train", "valid", "loss_fn"):
                refusals[what, why] = refusals.get((what, why), 0) + 1
            else:
                case.not_judged.append((f"{name}: {what}", why))
        case.ruled_out += [(ruled, f"{name}: {why}") for ruled, why in own.ruled_out]
    for part in ("train", "valid", "loss_fn"):
        of_part = {why: count for (what, why), count in refusals.items() if what == part}
        if sum(of_part.values()) == len(case.names):  # not one of them takes it
            case.not_judged.append((part, next(iter(of_part))))
    case.findings = findings
    try:  # together, by the loss or the score that they have in common
        together = condition("does_not_learn").examine(case)
    except Exception as failure:
        case.not_judged.append(("does_not_learn", failure_text(failure)))
    else:
        findings += [together] if together is not None else []
    return Examination(in_order(findings), case)


def _name_network(finding: Finding, network: str) -> None:
    finding.where["network"] = network
    for symptom in finding.symptoms:
        _name_network(symptom, network)
