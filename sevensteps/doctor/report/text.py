"""A diagnosis as text, on one screen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.trials.trial import Trial, change_notation
from sevensteps.render.text import count_text, wrap

WIDTH = 80


def text(
    findings: Sequence[Finding],
    ruled_out: Sequence[tuple[str, str]],
    basis: str,
    width: int = WIDTH,
    ours: bool = True,
    not_judged: Sequence[tuple[str, str]] = (),
) -> str:
    """The findings in lines of at most `width` cells, each with its evidence and what to change.

    The most likely cause comes first. `basis` says what they rest on. `ours`: a training of
    `ss.train`, whose remedies are values of the seven steps; for any other, advice is shown.
    `not_judged`: (condition or argument, why it could not be asked).
    """
    if not findings:
        parts = ["\n".join(wrap_plain(basis, width))]
    else:
        parts = [
            "\n".join(
                wrap_plain(
                    f"{count_text(len(findings), 'finding')}, most likely cause first. {basis}",
                    width,
                )
            )
        ]
        parts += [
            "\n".join(_finding(number, finding, width, ours))
            for number, finding in enumerate(findings, 1)
        ]
    if ruled_out and findings:
        parts.append(_reasons("Ruled out", ruled_out[:4], width))
    if not_judged:
        parts.append(_reasons("Not judged", not_judged, width))
    return "\n\n".join(parts)


def _reasons(title: str, reasons: Sequence[tuple[str, str]], width: int) -> str:
    lines = [line for name, why in reasons for line in wrap_plain(f"{name}: {why}", width, "  ")]
    return "\n".join([title, *lines])


def _finding(number: int, finding: Finding, width: int, ours: bool) -> list[str]:
    network = finding.where.get("network")  # of several
    head, tail = (
        f"{number}  {finding.condition}{f' in {network}' if network else ''}",
        plain(f"step: {finding.step} · {finding.severity} · {confidence_text(finding)}"),
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
        for verdict in verdicts(finding, remedy):
            lines += wrap_plain(verdict, width, "     ")
    for trial in combined_trials(finding):
        lines += [
            "",
            *wrap_plain(f"→ together: {change_notation(trial.change)}", width, "   ", "     "),
            *wrap_plain(trial.verdict, width, "     "),
        ]
    if finding.symptoms:
        lines += [
            "",
            *wrap_plain(
                "explains: " + ", ".join(symptom_text(symptom) for symptom in finding.symptoms),
                width,
                "   ",
            ),
        ]
    return lines


def confidence_text(finding: Finding) -> str:
    """The confidence of a finding, in words: `90 % sure`, or that its remedies did not help."""
    if finding.refuted:
        return "tried: not the cause"
    return f"{100 * finding.confidence:.0f} % sure"


def verdicts(finding: Finding, remedy: Remedy) -> list[str]:
    """What the trials of a remedy came to, one sentence each."""
    return [trial.verdict for trial in finding.trials if trial.change == remedy.change]


def combined_trials(finding: Finding) -> list[Trial]:
    """The trials of several remedies together."""
    single = [remedy.change for remedy in finding.remedies]
    return [trial for trial in finding.trials if trial.change not in single]


def proposal(remedy: Remedy) -> str:
    """What to change, as notation where there is one: `step = sgd(lr=0.1)`."""
    return change_notation(remedy.change) or remedy.advice or remedy.why


def first_sentence(paragraph: str) -> str:
    """A paragraph up to the first full stop that is followed by a capital or by nothing.

    >>> first_sentence("The rate is 0.1 here, i.e. too high. Steps jump.")
    'The rate is 0.1 here, i.e. too high.'
    """
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(paragraph.split()), maxsplit=1)[0]


def symptom_text(finding: Finding) -> str:
    """A symptom's condition, and in brackets the symptoms under it."""
    return finding.condition + (
        f" ({', '.join(symptom_text(s) for s in finding.symptoms)})" if finding.symptoms else ""
    )


def _evidence(evidence: Sequence[Measure], width: int) -> list[str]:
    rows = [
        ("measured", "observed", "expected"),
        *((m.measure, measured_text(m.observed), measured_text(m.expected)) for m in evidence),
    ]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(3)]
    second, third = min(widths[1], 24), min(widths[2], 24)
    first = min(widths[0], width - 3 - second - third - 4)
    lines = []
    for name, observed, expected in rows:
        cells = (wrap_plain(name, first), wrap_plain(observed, second), wrap_plain(expected, third))
        for index in range(max(map(len, cells))):
            left, middle, right = (cell[index] if index < len(cell) else "" for cell in cells)
            lines.append(
                f"   {left}{' ' * (first - cell_len(left))}  "
                f"{' ' * (second - cell_len(middle))}{middle}  {right}".rstrip()
            )
    return lines


def wrap_plain(value: str, width: int, first: str = "", later: str | None = None) -> list[str]:
    """`value` as plain text in lines of at most `width` cells, each after `first`, or `later` from
    the second on; no line where it is empty.
    """
    words = " ".join(plain(value).split())
    return wrap(words, width, first, first if later is None else later) if words else []


def plain(value: str) -> str:
    """`value` with a space for each character that is not printable, and might move the cursor.

    Layer names may hold anything, and a folder may come from elsewhere.
    """
    return "".join(c if c.isprintable() else " " for c in value)


def measured_text(value: Any) -> str:
    """A measured value in as many digits as mean something; yes or no for a truth value."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
