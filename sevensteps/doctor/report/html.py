"""A diagnosis as HTML, for notebooks."""

from __future__ import annotations

import html as markup
from collections.abc import Sequence

from sevensteps.doctor.finding import Finding, Remedy
from sevensteps.doctor.report.text import (
    combined_trials,
    confidence_text,
    measured_text,
    proposal,
    symptom_text,
    verdicts,
)
from sevensteps.doctor.trials.trial import change_notation
from sevensteps.render.text import count_text


def html(
    findings: Sequence[Finding],
    ruled_out: Sequence[tuple[str, str]],
    basis: str,
    not_judged: Sequence[tuple[str, str]] = (),
) -> str:
    """The findings as HTML, each with its evidence and what to change, most likely cause first.

    `basis` says what they rest on; `not_judged` what could not be asked. Colours and fonts are
    those of the page around it.
    """
    e = markup.escape
    parts = [
        f"<p>{count_text(len(findings), 'finding')}, most likely cause first. {e(basis)}</p>"
        if findings
        else f"<p>{e(basis)}</p>"
    ]
    for f in findings:
        rows = [
            (m.measure, measured_text(m.observed), measured_text(m.expected), m.source)
            for m in f.evidence
        ]
        table = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{e(cell)}</td>" for cell in row)
            + "</tr>"
            for row in [("measured", "observed", "expected", "source"), *rows]
        )
        remedies = "".join(
            f"<li>{'<br>'.join([_remedy(remedy), *map(e, verdicts(f, remedy))])}</li>"
            for remedy in f.remedies
        )
        remedies += "".join(
            f"<li><code>{e(change_notation(trial.change))}</code>: {e(trial.verdict)}</li>"
            for trial in combined_trials(f)
        )
        since = f" Since step {f.onset:,}." if f.onset else ""
        parts.append(
            f"<h4>{e(f.condition)} <small>step: {e(f.step)} · {e(f.severity)} · "
            f"{confidence_text(f)}</small></h4><p>{e(f.explanation)}{since}</p>"
            + (f"<table>{table}</table>" if rows else "")
            + (f"<ul>{remedies}</ul>" if remedies else "")
            + (
                f"<p>Explains: {e(', '.join(map(symptom_text, f.symptoms)))}</p>"
                if f.symptoms
                else ""
            )
        )
    for title, reasons in (
        ("Ruled out", ruled_out if findings else ()),
        ("Not judged", not_judged),
    ):
        if reasons:
            listed = "; ".join(f"{e(name)}: {e(why)}" for name, why in reasons)
            parts.append(f"<p>{title}: {listed}</p>")
    return "".join(parts)


def _remedy(remedy: Remedy) -> str:
    why, advice = markup.escape(remedy.why), markup.escape(remedy.advice)
    if remedy.change:
        return f"<code>{markup.escape(proposal(remedy))}</code>: {why}" + (
            f"; in a loop of yours: {advice}" if advice else ""
        )
    return f"{advice}: {why}" if advice else why
