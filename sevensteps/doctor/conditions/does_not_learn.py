"""does_not_learn: the network is no better than one that ignores its inputs, or fails otherwise.

No condition says why.

Asked after all others, and only where none of them found a fault. Measured: the score against that
of the most common class, or of the mean; the loss against the least that one answer for all inputs
reaches; of several heads each; of codes, how often the nearest belong together, against the inputs
themselves; of a loss that says nothing by itself, the score that the loop reports, against its
start. One of them beyond chance is enough to be silent, unless another contradicts it: a loss below
what its function can give, one that runs away, or is above that of an ignorant answer; one answer
for all under a small loss; a head at chance beside others; a score that stays while the loss falls;
a loss that is what it was in the first steps; validation data of which nothing is known. Closed
form: the entropy of the classes, the variance of the targets; of any other loss one answer is
fitted. Then a copy is trained anew, plainly, and where it learns, with one step at a time as it
was: the step with which it does not is to blame, and named, with its condition where that is known.

Remedies: the nearest suspects first; fit 32 samples, which any sound training learns by heart; hand
over what could not be asked for. Silent on: short trainings, a loss that still falls and
has not fallen far, losses that are no error and
without a score, and networks with other findings. A remark where simple models do no better on
these data and the network is a little beyond chance.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.failures import Failure
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.learning import judge, nearest_suspects
from sevensteps.doctor.measures import (
    first_loss,
    path_of_steps,
    significant,
    weight_layers,
)
from sevensteps.doctor.other_scores import ChanceComparison
from sevensteps.doctor.probes import TELLS, strongest_relation
from sevensteps.doctor.simple_models import simple_model_score

STEP = "stop"
EXPLAINS: tuple[str, ...] = ()
PATTERN = 0.05  # of the way from chance to perfect that a simple model reaches, of a pattern
EXACT = 0.01  # of the score or the loss
UNNAMED = 0.3  # that nothing but this is to be named: the cause is another one, mostly
NAMED = 5  # conditions that are ruled out or not judged, by name


def examine(case: Case) -> Finding | None:
    if any(finding.severity != "info" for finding in case.findings):
        return None
    judgement = judge(case)
    if judgement.failure is not None:
        return _finding(case, judgement.failure)
    if judgement.verdict != "chance" or not judgement.had_time:
        return None
    comparisons, early, pattern = list(judgement.comparisons), judgement.early, _pattern(case)
    measures = [
        Measure(
            f"{one.measure} of {one.of}",
            significant(one.reached),
            f"{'below' if one.measure == 'loss' else 'above'} {one.ignorant:.3g}",
            "the best answer that ignores the inputs",
        )
        for one in comparisons
    ]
    sentences = [
        f"After {case.steps:,} steps the network answers no better than one that ignores its "
        f"inputs ({'; '.join(map(str, comparisons))}), and no other condition says why.",
        *([f"It may yet come: {early}."] if early else []),
        _about_pattern(pattern),
    ]
    finding = _finding(case, Failure(" ".join(sentences), measures[0], ()))
    finding.severity = "info" if pattern is False and not _exactly(comparisons) else "warning"
    finding.evidence[:1] = measures
    return finding


def _finding(case: Case, sign: Failure) -> Finding:
    """What was measured, what it is not, what could not be asked, and what comes nearest."""
    moved, evidence = _evidence(case)
    suspects = nearest_suspects(case)
    nearest = f"Nearest suspects: {', '.join(suspects)}." if suspects else ""
    sentences = [sign.sentence, moved, nearest, *_open_questions(case)]
    return Finding(
        "does_not_learn",
        STEP,
        "warning",
        UNNAMED,
        " ".join(filter(None, sentences)),
        [sign.measure, *evidence],
        [
            Remedy(
                {},
                "what cannot be learned by heart is not kept from it by the data: then look at "
                "how the loss is computed and what the network does to its inputs; if it can, look "
                "at the data",
                "train on 32 samples alone until the loss is near its floor",
            ),
            *_requests(case),
        ],
        {"suspects": list(suspects)} if suspects else {},
    )


def _pattern(case: Case) -> bool | None:
    """Whether a simple model finds a pattern in the data; None where none can be asked."""
    simple, least = simple_model_score(case), case.baseline_score
    known = simple is not None and least is not None and least < 1
    if known and simple - least > PATTERN * (1 - least):  # type: ignore[operator]
        return True
    relation = strongest_relation(case)
    return relation > TELLS if relation is not None else False if known else None


def _exactly(comparisons: list[ChanceComparison]) -> bool:
    """Whether the network is at chance to the last per cent; weak patterns are a little beyond."""
    return all(
        one.reached >= (1 - EXACT) * one.ignorant
        if one.measure == "loss"
        else one.reached - one.ignorant <= EXACT
        for one in comparisons
    )


def _about_pattern(pattern: bool | None) -> str:
    if pattern is None:
        return "Whether these data have a pattern could not be tested by a simpler model."
    if pattern:
        return "A simple model tells more of the same samples: there is something to be learned."
    return (
        "Neither does any of several simple models do better on these samples: "
        "there may be little in the inputs that tells of the targets, or it takes more data."
    )


def _evidence(case: Case) -> tuple[str, list[Measure]]:
    """What was measured of the training itself, and what it rules out in words."""
    evidence, parts = [], []
    start = first_loss(case)
    if math.isfinite(start):
        evidence.append(Measure("loss of the first step", significant(start), "", ""))
    path = path_of_steps(case)
    if path > 0:
        evidence.append(
            Measure(
                "all steps together, in norms of the weights",
                significant(path),
                "above 0.1",
                "median |Δw| / |w| times steps",
            )
        )
        parts.append("the weights move")
    matrices = [name for _, name in weight_layers(case)]
    reached = [
        name
        for name in matrices
        if any(
            (change := look.changes.get(name)) is not None
            and change.gradient is not None
            and bool(change.gradient.any())
            for look in case.looks
        )
    ]
    if matrices:
        evidence.append(
            Measure("weight matrices with a gradient", len(reached), len(matrices), "looks")
        )
        if len(reached) == len(matrices):
            parts.append("a gradient reaches every layer")
    if case.identified_loss is not None:
        parts.append(f"the loss is {case.identified_loss.name}")
    ruled_out = [name for name, _ in case.ruled_out][:NAMED]
    said = f"Seen: {', '.join(parts)}." if parts else ""
    if ruled_out:
        said += f" Ruled out: {', '.join(dict.fromkeys(ruled_out))}."
    return said.strip(), evidence


def _open_questions(case: Case) -> list[str]:
    names = list(dict.fromkeys(name for name, _ in case.not_judged))[:NAMED]
    return [f"Could not be checked: {', '.join(names)}."] if names else []


def _requests(case: Case) -> list[Remedy]:
    """What would let more conditions be asked."""
    missing = [
        name
        for name, absent in (
            ("train=(inputs, targets)", case.part("train") is None),
            ("valid=(inputs, targets)", case.part("valid") is None),
            ("loss_fn=", case.loss is None),
        )
        if absent and case.recipe is None
    ]
    if not missing:
        return []
    if case.observation.notes.get("script"):
        return [
            Remedy(
                {},
                "conditions that need them could not be checked",
                "evaluate samples that it was not trained on in the script, after model.eval() and "
                "under torch.no_grad(): its losses and right answers are read there",
            )
        ]
    advice = f"pass them in: watch.diagnose({', '.join(missing)})"
    if case.target is None:
        advice += ", and watch.step(loss, target=…)"
    return [Remedy({}, "conditions that need them could not be checked", advice)]
