"""Other words on lines that make losses or call them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.of_source import (
    enclosed,
    replacement,
    rewrite,
    set_keyword,
)
from sevensteps.doctor.trials.script.source import Source, calls_at, name_of_call

WEIGHTED = (
    *("CrossEntropyLoss", "NLLLoss", "cross_entropy", "nll_loss"),
    *("BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
)


def class_weights(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """Class weights the other way round; where there are none, 1 over each class's share."""
    for file in files:
        edits = []
        for call in file.calls:
            if name_of_call(call) in WEIGHTED:
                given = [k.value for k in call.keywords if k.arg in ("weight", "pos_weight")]
                edits += [replacement(file, w, f"1 / {enclosed(file, w)}") for w in given]
        if edits:
            yield from rewrite(file, edits, changes_loss=True)
            return
    if case.labels is None or case.task != "multiclass":
        return
    counts = case.labels.clamp_min(0).bincount().double()
    weights = [round(float(w), 2) for w in len(case.labels) / counts.clamp_min(1) / len(counts)]
    for file in files:
        for call in file.calls:
            if name_of_call(call) in WEIGHTED[:4]:
                edit = set_keyword(file, call, "weight", f"torch.tensor({weights})")
                yield from rewrite(file, [edit] if edit else [], changes_loss=True)
                return


def mean_of_samples(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """Losses that are summed up are averaged."""
    for file in files:
        edits = [
            replacement(file, keyword.value, '"mean"')
            for call in file.calls
            for keyword in call.keywords
            if keyword.arg == "reduction" and ast.unparse(keyword.value) == "'sum'"
        ]
        yield from rewrite(file, edits, changes_loss=True)


def standardized_target(
    case: Case, finding: Finding, files: list[Source]
) -> Iterator[Intervention]:
    """The targets of the term that drowns the others get a size of 1."""
    term = next(iter(finding.where.get("terms", ())), "").partition(" ")[0]
    for look in case.looks:
        for call in look.calls:
            low, high = (call.content.get(f"target.{end}") for end in ("low", "high"))
            if call.name != term or not call.where or low is None or high is None:
                continue
            middle, size = (low + high) / 2, max((high - low) / 4, 1e-12)
            if max(abs(middle), size) < 5:
                return
            for file, node in calls_at(files, call.where):
                if len(node.args) >= 2 and _compares(node, term):
                    text = f"({enclosed(file, node.args[1])} - {middle:.3g}) / {size:.3g}"
                    edit = replacement(file, node.args[1], text)
                    yield from rewrite(file, [edit], changes_loss=True)
                    return


def _compares(call: ast.Call, function: str) -> bool:
    """Whether a call may be that of a loss with this name, as a function or a module."""
    name = name_of_call(call).lower()
    plain = function.replace("_", "").removesuffix("loss")
    return name.replace("_", "").removesuffix("loss") == plain or "loss" in name or "crit" in name
