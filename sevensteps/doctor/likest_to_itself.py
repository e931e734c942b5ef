"""Whether codes are to be told among all by their likeness, each of them itself among these."""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy


def likest_to_itself(case: Case) -> Finding | None:
    """`target_in_input`, where the scores of a contrastive loss are those of codes with themselves,
    and the right answer of each row is its own column.
    """
    calls = [
        look.calls[term.call]
        for look in case.looks
        for term in look.loss_terms
        if term.target == "positions" and term.call is not None and term.call < len(look.calls)
    ]
    calls = [call for call in calls if "input.low" in call.content]  # of which numbers were read
    if not calls or not all(call.content.get("input.own") for call in calls):
        return None
    shape, where = list(calls[0].shapes["input"]), calls[0].where
    return Finding(
        "target_in_input",
        "repeat",
        "error",
        0.93,
        f"The scores {shape} in {where} are those of codes with themselves, and the right answer "
        "of each row is its own column: a code is always most like itself, whatever the network "
        "makes of the inputs, so that nothing has to be learned of what belongs together.",
        [Measure("rows whose right answer is the code itself", shape[0], 0, "one batch")],
        [
            Remedy(
                {},
                "the answer is then another code, which only a pattern leads to",
                "fill the diagonal with -inf, and let the target be the other view: "
                "(i + B) % (2 * B)",
            )
        ],
        {},
        0,
    )
