"""A document as plain HTML: what e-mail, screen readers and browsers without scripts show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from sevensteps.doctor.report.text import measured_text

Document = Mapping[str, Any]
RUNS = 20  # of a race


def plain_page(document: Document) -> str:
    """Headline, verdict with evidence and remedies, figures, steps, and how to repeat it."""
    parts = [
        f"<h1>{_text(document.get('title'))}</h1>",
        _paragraph(document.get("subtitle")),
        *_verdict(document.get("verdict")),
        *_named("Ruled out", document.get("ruled_out")),
        *_named("Not judged", document.get("not_judged")),
        *_figures(document.get("figures")),
        *_race(document.get("race")),
        *_comparison(document.get("comparison")),
        *_curves(document.get("curves")),
        *_steps(document.get("steps")),
        *_repeat(document.get("repeat")),
    ]
    return "".join(parts)


def _text(value: Any) -> str:
    return escape("" if value is None else str(value))


def _paragraph(value: Any) -> str:
    return f"<p>{_text(value)}</p>" if value else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _verdict(verdict: Document | None) -> Iterable[str]:
    if not verdict:
        return
    yield f"<h2>{_text(verdict.get('sentence'))}</h2>"
    yield _paragraph(verdict.get("basis"))
    for finding in verdict.get("findings", ()):
        yield (
            f"<h3>{_text(finding['condition'])}</h3><p>step: {_text(finding['step'])} · "
            f"{_text(finding['severity'])} · {100 * (finding['confidence'] or 0):.0f} % sure</p>"
        )
        yield _paragraph(finding.get("explanation"))
        if finding.get("evidence"):
            yield _table(
                ("measured", "observed", "expected", "source"),
                (
                    (
                        m["measure"],
                        measured_text(m["observed"]),
                        measured_text(m["expected"]),
                        m["source"],
                    )
                    for m in finding["evidence"]
                ),
            )
        for remedy in finding.get("remedies", ()):
            change = ", ".join(f"{step} = {text}" for step, text in remedy["change"].items())
            words = ": ".join(filter(None, (change or remedy["advice"], remedy["why"])))
            yield _paragraph(f"→ {words}")
        for trial in finding.get("trials", ()):
            yield _paragraph(trial.get("note"))


def _named(title: str, entries: Sequence[Document] | None) -> Iterable[str]:
    if entries:
        yield f"<h2>{title}</h2><ul>"
        for entry in entries:
            yield f"<li>{_text(entry['name'])}: {_text(entry['why'])}</li>"
        yield "</ul>"


def _figures(figures: Sequence[Document] | None) -> Iterable[str]:
    if figures:
        rows = (
            (entry["name"], f"{measured_text(entry['value'])} {entry.get('unit', '')}".strip())
            for entry in figures
        )
        yield "<h2>Figures</h2>" + _table(("figure", "value"), rows)


def _race(race: Document | None) -> Iterable[str]:
    if race:
        rows = (
            (
                run["name"],
                measured_text(run["metrics"].get(race["metric"])),
                run.get("seeds", 1),
                run.get("note", ""),
            )
            for run in race["runs"][:RUNS]
        )
        yield "<h2>Race, best first</h2>" + _table(("recipe", race["metric"], "seeds", ""), rows)


def _comparison(comparison: Document | None) -> Iterable[str]:
    if comparison:
        names = comparison["runs"]
        differing = [row for row in comparison["recipe"] if not row["same"]]
        for title, rows in (("Recipe", differing), ("Results", comparison["results"])):
            if rows:
                yield f"<h2>{title}</h2>" + _table(
                    ("", *names),
                    ((row["name"], *map(measured_text, row["values"])) for row in rows),
                )


def _curves(curves: Sequence[Document] | None) -> Iterable[str]:
    rows = [
        (entry["name"], measured_text(known[0]), measured_text(known[-1]), f"{entry['behind']:,}")
        for entry in curves or ()
        if isinstance(entry["values"], list)
        and (known := [value for value in entry["values"] if value is not None])
    ]
    if rows:
        yield "<h2>Curves</h2>" + _table(("curve", "first", "last", "points"), rows)


def _steps(steps: Sequence[Document] | None) -> Iterable[str]:
    if steps:
        rows = (
            (number, panel["name"], panel["value"], panel["reason"])
            for number, panel in enumerate(steps, 1)
        )
        yield "<h2>The seven steps</h2>" + _table(("#", "step", "value", "why"), rows)


def _repeat(repeat: Document | None) -> Iterable[str]:
    if repeat:
        yield "<h2>How to repeat it</h2>"
        if repeat.get("command"):
            yield f"<pre>{_text(repeat['command'])}</pre>"
        if repeat.get("recipe"):
            yield f"<pre>{_text(repeat['recipe'])}</pre>"
        yield _table(("", ""), ((fact["name"], fact["value"]) for fact in repeat["facts"]))
