"""A diagnosis for people and for machines: one screen of text, HTML for notebooks, SARIF for code review tools."""

from __future__ import annotations

import html as markup
import textwrap
from collections.abc import Sequence
from typing import Any

from sevensteps.doctor.conditions import BY_STEP, condition
from sevensteps.doctor.finding import Finding, Measure

WIDTH = 80
LEVELS = {"error": "error", "warning": "warning", "info": "note"}  # SARIF's words


def text(findings: Sequence[Finding], ruled_out: Sequence[tuple[str, str]], seen: str, width: int = WIDTH) -> str:
    """One screen: each finding with its evidence and what to change, most likely cause first."""
    if not findings:
        parts = ["Nothing is wrong that can be seen here.", seen]
    else:
        parts = [f"{_count(findings)}, most likely cause first. {seen}"]
        parts += ["\n".join(_finding(number, finding, width)) for number, finding in enumerate(findings, 1)]
    if ruled_out and findings:
        parts.append("\n".join(["Ruled out", *(line for name, why in ruled_out[:4] for line in _wrapped(f"{name}: {why}", width, "  "))]))
    return "\n\n".join(parts)


def _count(findings: Sequence[Finding]) -> str:
    return "1 finding" if len(findings) == 1 else f"{len(findings)} findings"


def _finding(number: int, finding: Finding, width: int) -> list[str]:
    head = f"{number}  {finding.condition}"
    tail = f"step: {finding.step} · {finding.severity} · {100 * finding.confidence:.0f} % sure"
    lines = [f"{head}{' ' * max(2, width - len(head) - len(tail))}{tail}", *_wrapped(finding.explanation, width, "   ")]
    if finding.onset:
        lines.append(f"   since step {finding.onset}")
    lines += ["", *_evidence(finding.evidence, width)]
    for remedy in finding.remedies[:3]:
        change = _change(remedy.change)
        lines += ["", *_wrapped(f"→ {change}" if change else "→ " + (remedy.advice or remedy.why), width, "   ", "     ")]
        lines += _wrapped(remedy.why, width, "     ") if change else []
        if change and remedy.advice:
            lines += _wrapped(f"in a loop of yours: {remedy.advice}", width, "     ")
    for trial in finding.trials:
        lines += _wrapped(f"tried: {trial}", width, "     ")
    if finding.symptoms:
        lines += ["", *_wrapped("explains: " + ", ".join(_symptom(symptom) for symptom in finding.symptoms), width, "   ")]
    return lines


def _change(change: dict[str, str]) -> str:
    return ", ".join(f"{step} = {value}" for step, value in change.items())


def _symptom(finding: Finding) -> str:
    return finding.condition + (f" ({', '.join(_symptom(s) for s in finding.symptoms)})" if finding.symptoms else "")


def _evidence(evidence: Sequence[Measure], width: int) -> list[str]:
    rows = [("measured", "observed", "expected"), *((m.measure, number(m.observed), number(m.expected)) for m in evidence)]
    seen, want = (min(max(len(row[column]) for row in rows), 24) for column in (1, 2))
    room = width - 3 - seen - want - 4
    lines = []
    for name, observed, expected in rows:
        cells = (_cell(name, room), _cell(observed, seen), _cell(expected, want))
        for index in range(max(map(len, cells))):
            left, middle, right = (cell[index] if index < len(cell) else "" for cell in cells)
            lines.append(f"   {left:<{room}}  {middle:>{seen}}  {right:>{want}}".rstrip())
    return lines


def _cell(value: str, width: int) -> list[str]:
    return textwrap.wrap(value, max(width, 8)) or [""]


def _wrapped(value: str, width: int, first: str, later: str | None = None) -> list[str]:
    return textwrap.wrap(" ".join(value.split()), width, initial_indent=first, subsequent_indent=first if later is None else later)


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
    head = f"{_count(findings)}, most likely cause first." if findings else "Nothing is wrong that can be seen here."
    parts = [f"<p>{e(head)} {e(seen)}</p>"]
    for f in findings:
        rows = [(m.measure, number(m.observed), number(m.expected), m.source) for m in f.evidence]
        table = "".join("<tr>" + "".join(f"<td style='text-align:left'>{e(cell)}</td>" for cell in row) + "</tr>"
                        for row in [("measured", "observed", "expected", "source"), *rows])
        remedies = "".join(f"<li><code>{e(_change(r.change) or r.advice)}</code> {e(r.why)}</li>" for r in f.remedies)
        explains = f"<p>Explains: {e(', '.join(map(_symptom, f.symptoms)))}</p>" if f.symptoms else ""
        parts.append(f"<h4>{e(f.condition)} <small>step: {e(f.step)} · {f.severity} · {100 * f.confidence:.0f} % sure</small></h4>"
                     f"<p>{e(f.explanation)}</p><table>{table}</table><ul>{remedies}</ul>{explains}")
    if ruled_out and findings:
        parts.append("<p>Ruled out: " + "; ".join(f"{e(name)}: {e(why)}" for name, why in ruled_out) + "</p>")
    return "".join(parts)


def sarif(findings: Sequence[Finding], version: str, subject: str) -> dict[str, Any]:
    """The findings in SARIF 2.1.0, symptoms after their cause; the seven steps and the layers are logical locations."""
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
        "runs": [{
            "tool": {"driver": {"name": "sevensteps", "version": version, "rules": [
                {"id": name, "shortDescription": {"text": mechanism(name)}, "properties": {"step": _step_of(name)}} for name in rules]}},
            "results": [{
                "ruleId": finding.condition, "ruleIndex": rules.index(finding.condition), "level": LEVELS[finding.severity],
                "rank": round(100 * finding.confidence, 1), "message": {"text": finding.explanation},
                "locations": [{"logicalLocations": [{"fullyQualifiedName": f"{subject}/{finding.step}", "kind": "module"}]}],
                "properties": {key: value for key, value in finding.to_dict().items() if key in ("where", "onset", "evidence", "remedies")},
            } for finding in flat],
        }],
    }


def mechanism(name: str) -> str:
    """The first sentence of a condition's page."""
    said = " ".join((condition(name).__doc__ or name).split("\n\n")[0].split())
    return said.partition(": ")[2] or said


def _step_of(name: str) -> str:
    return next(step for step, names in BY_STEP.items() if name in names)
