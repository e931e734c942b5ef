"""A diagnosis for people and for machines: one screen of text, HTML for notebooks, SARIF for code
review tools.
"""

from __future__ import annotations

import html as markup
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from sevensteps.doctor.conditions import BY_STEP, condition
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.trials.trial import Trial
from sevensteps.render.text import wrap

WIDTH = 80
LEVELS = {"error": "error", "warning": "warning", "info": "note"}  # SARIF's words


def text(
    findings: Sequence[Finding],
    ruled_out: Sequence[tuple[str, str]],
    seen: str,
    width: int = WIDTH,
    ours: bool = True,
) -> str:
    """One screen, no line wider than `width`: each finding with its evidence and what to change,
    most likely cause first.

    `seen` says what that rests on. `ours`: a training of ours, whose remedies are values of the
    seven steps; else advice comes first."""
    if not findings:
        parts = ["\n".join(wrap_plain(seen, width))]
    else:
        parts = [
            "\n".join(wrap_plain(f"{_count(findings)}, most likely cause first. {seen}", width))
        ]
        parts += [
            "\n".join(_finding(number, finding, width, ours))
            for number, finding in enumerate(findings, 1)
        ]
    if ruled_out and findings:
        parts.append(
            "\n".join(
                [
                    "Ruled out",
                    *(
                        line
                        for name, why in ruled_out[:4]
                        for line in wrap_plain(f"{name}: {why}", width, "  ")
                    ),
                ]
            )
        )
    return "\n\n".join(parts)


def _count(findings: Sequence[Finding]) -> str:
    return "1 finding" if len(findings) == 1 else f"{len(findings)} findings"


def _finding(number: int, finding: Finding, width: int, ours: bool) -> list[str]:
    head, tail = (
        f"{number}  {finding.condition}",
        plain(f"step: {finding.step} · {finding.severity} · {sure(finding)}"),
    )
    gap = width - cell_len(head) - cell_len(tail)
    lines = (
        [f"{head}{' ' * gap}{tail}"]
        if gap >= 2
        else [*wrap_plain(head, width), *wrap_plain(tail, width, "   ")]
    )
    lines += wrap_plain(finding.explanation, width, "   ")
    if finding.onset:
        lines.append(f"   since step {finding.onset:,}")
    if finding.evidence:
        lines += ["", *_evidence(finding.evidence, width)]
    for remedy in finding.remedies[:3]:
        lines.append("")
        lines += wrap_plain(
            f"→ {proposal(remedy) if ours else remedy.advice or proposal(remedy)}",
            width,
            "   ",
            "     ",
        )
        lines += wrap_plain(remedy.why, width, "     ") if remedy.change or remedy.advice else []
        for trial in _tried(finding, remedy):
            lines += wrap_plain(trial.verdict, width, "     ")
    for trial in _together(finding):
        lines += [
            "",
            *wrap_plain(f"→ together: {notation(trial.change)}", width, "   ", "     "),
            *wrap_plain(trial.verdict, width, "     "),
        ]
    if finding.symptoms:
        lines += [
            "",
            *wrap_plain(
                "explains: " + ", ".join(_symptom(symptom) for symptom in finding.symptoms),
                width,
                "   ",
            ),
        ]
    return lines


def sure(finding: Finding) -> str:
    """How sure it is: `90 % sure`."""
    return f"{100 * finding.confidence:.0f} % sure"


def _tried(finding: Finding, remedy: Remedy) -> list[Trial]:
    return [trial for trial in finding.trials if trial.change == remedy.change]


def _together(finding: Finding) -> list[Trial]:
    """The trials of several remedies at once."""
    single = [remedy.change for remedy in finding.remedies]
    return [trial for trial in finding.trials if trial.change not in single]


def proposal(remedy: Remedy) -> str:
    """What to change, as notation where there is one: `step = sgd(lr=0.1)`."""
    return notation(remedy.change) or remedy.advice or remedy.why


def notation(change: Mapping[str, str]) -> str:
    """A change as notation: `step = sgd(lr=0.1)`."""
    return ", ".join(f"{step} = {value}" for step, value in change.items())


def first_sentence(paragraph: str) -> str:
    """A paragraph up to the first full stop that is followed by a capital or by nothing.

    >>> first_sentence("The rate is 0.1 here, i.e. too high. Steps jump.")
    'The rate is 0.1 here, i.e. too high.'
    """
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(paragraph.split()), maxsplit=1)[0]


def _symptom(finding: Finding) -> str:
    return finding.condition + (
        f" ({', '.join(_symptom(s) for s in finding.symptoms)})" if finding.symptoms else ""
    )


def _evidence(evidence: Sequence[Measure], width: int) -> list[str]:
    rows = [
        ("measured", "observed", "expected"),
        *((m.measure, number(m.observed), number(m.expected)) for m in evidence),
    ]
    seen, want = (min(max(cell_len(row[column]) for row in rows), 24) for column in (1, 2))
    room = min(max(cell_len(row[0]) for row in rows), width - 3 - seen - want - 4)
    lines = []
    for name, observed, expected in rows:
        cells = (wrap_plain(name, room), wrap_plain(observed, seen), wrap_plain(expected, want))
        for index in range(max(map(len, cells))):
            left, middle, right = (cell[index] if index < len(cell) else "" for cell in cells)
            lines.append(
                f"   {left}{' ' * (room - cell_len(left))}  "
                f"{' ' * (seen - cell_len(middle))}{middle}  {right}".rstrip()
            )
    return lines


def wrap_plain(value: str, width: int, first: str = "", later: str | None = None) -> list[str]:
    """`value` as plain text in lines of at most `width` cells, each after `first`, or `later` from
    the second on; no line where it is empty.
    """
    words = " ".join(plain(value).split())
    return wrap(words, width, first, first if later is None else later) if words else []


def plain(value: str) -> str:
    """`value` without what moves a cursor: layer names may hold anything, and a folder may come
    from elsewhere.
    """
    return "".join(c if c.isprintable() else " " for c in value)


def number(value: Any) -> str:
    """A measured value in as many digits as mean something."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def html(findings: Sequence[Finding], ruled_out: Sequence[tuple[str, str]], seen: str) -> str:
    """The same as HTML, for notebooks; it takes its colours and letters from the page around it."""
    e = markup.escape
    parts = [
        f"<p>{_count(findings)}, most likely cause first. {e(seen)}</p>"
        if findings
        else f"<p>{e(seen)}</p>"
    ]
    for f in findings:
        rows = [(m.measure, number(m.observed), number(m.expected), m.source) for m in f.evidence]
        table = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{e(cell)}</td>" for cell in row)
            + "</tr>"
            for row in [("measured", "observed", "expected", "source"), *rows]
        )
        remedies = "".join(
            f"<li>{'<br>'.join([_remedy(remedy), *(e(trial.verdict) for trial in _tried(f, remedy))])}</li>"
            for remedy in f.remedies
        )
        remedies += "".join(
            f"<li><code>{e(notation(trial.change))}</code>: {e(trial.verdict)}</li>"
            for trial in _together(f)
        )
        since = f" Since step {f.onset:,}." if f.onset else ""
        parts.append(
            f"<h4>{e(f.condition)} <small>step: {e(f.step)} · {e(f.severity)} · "
            f"{sure(f)}</small></h4><p>{e(f.explanation)}{since}</p>"
            + (f"<table>{table}</table>" if rows else "")
            + (f"<ul>{remedies}</ul>" if remedies else "")
            + (f"<p>Explains: {e(', '.join(map(_symptom, f.symptoms)))}</p>" if f.symptoms else "")
        )
    if ruled_out and findings:
        parts.append(
            "<p>Ruled out: " + "; ".join(f"{e(name)}: {e(why)}" for name, why in ruled_out) + "</p>"
        )
    return "".join(parts)


def _remedy(remedy: Remedy) -> str:
    why, advice = markup.escape(remedy.why), markup.escape(remedy.advice)
    if remedy.change:
        return f"<code>{markup.escape(proposal(remedy))}</code>: {why}" + (
            f"; in a loop of yours: {advice}" if advice else ""
        )
    return f"{advice}: {why}" if advice else why


def sarif(findings: Sequence[Finding], version: str, subject: str) -> dict[str, Any]:
    """The findings in SARIF 2.1.0, symptoms after their cause; the seven steps and the layers are
    logical locations.
    """
    flat: list[Finding] = []

    def add(finding: Finding) -> None:
        flat.append(finding)
        for symptom in finding.symptoms:
            add(symptom)

    for finding in findings:
        add(finding)
    rules = list(dict.fromkeys(finding.condition for finding in flat))
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "sevensteps",
                        "version": version,
                        "rules": [
                            {
                                "id": name,
                                "shortDescription": {"text": mechanism(name)},
                                "properties": {"step": _step_of(name)},
                            }
                            for name in rules
                        ],
                    }
                },
                "results": [
                    {
                        "ruleId": finding.condition,
                        "ruleIndex": rules.index(finding.condition),
                        "level": LEVELS[finding.severity],
                        "rank": round(100 * finding.confidence, 1),
                        "message": {"text": finding.explanation},
                        "locations": [
                            {
                                "logicalLocations": [
                                    {"fullyQualifiedName": f"{subject}/{name}", "kind": "module"}
                                    for name in dict.fromkeys(
                                        [finding.step, *map(str, finding.where.get("layers", []))]
                                    )
                                ]
                            }
                        ],
                        "properties": {
                            key: value
                            for key, value in finding.to_dict().items()
                            if key in ("where", "onset", "evidence", "remedies")
                        },
                    }
                    for finding in flat
                ],
            }
        ],
    }


def mechanism(name: str) -> str:
    """The first sentence of a condition's page."""
    said = " ".join((condition(name).__doc__ or name).split("\n\n")[0].split())
    return said.partition(": ")[2] or said


def _step_of(name: str) -> str:
    return next(step for step, names in BY_STEP.items() if name in names)
