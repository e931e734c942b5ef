"""A document as plain HTML: what e-mail, screen readers and browsers without scripts show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from sevensteps.doctor.report.text import measured_text
from sevensteps.view.document.numbers import number_text

Document = Mapping[str, Any]
RUNS = 20  # of a race


def plain_page(document: Document) -> str:
    """The parts in the order of the page: headline, figures, findings with evidence and remedies,
    what was ruled out, the seven steps, curves, and how to repeat it.
    """
    verdict = document.get("verdict")
    head = (
        (f"<h1>{_text(headline(document))}</h1>", _paragraph(_line(document)))
        if verdict
        else (f"<h1>{_text(document.get('title'))}</h1>", _paragraph(document.get("subtitle")))
    )
    parts = [
        *head,
        *_figures(document.get("figures")),
        *_verdict(verdict),
        *_named("Ruled out", document.get("ruled_out")),
        *_named("Not judged", document.get("not_judged")),
        *_comparison(document.get("comparison")),
        *_race(document.get("race")),
        *_steps(document.get("steps")),
        *_curves(document.get("curves")),
        *_repeat(document.get("repeat")),
    ]
    return "".join(parts)


def headline(document: Document) -> str:
    """The sentence of the whole document: what is wrong, or its title where nothing is judged."""
    verdict = document.get("verdict")
    if not verdict:
        return str(document.get("title", ""))
    findings = verdict.get("findings")
    title = str(findings[0].get("title") or "") if findings else ""
    return f"{title[0].upper()}{title[1:]}." if title else str(verdict.get("sentence", ""))


def _line(document: Document) -> str:
    return " · ".join(filter(None, (document.get("title"), document.get("subtitle"))))


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
    for number, finding in enumerate(verdict.get("findings", ()), 1):
        name = finding.get("title") or finding["condition"]
        yield f"<h2>{number}. {_text(name[:1].upper() + name[1:])}</h2>"
        yield _paragraph(
            f"{finding['condition']} · step: {finding['step']} · {finding['severity']} · "
            f"{100 * (finding['confidence'] or 0):.0f} % sure"
        )
        yield _paragraph(finding.get("explanation"))
        yield _paragraph(finding.get("consequence"))
        yield from _evidence(finding.get("evidence"))
        for remedy in finding.get("remedies", ()):
            change = ", ".join(f"{step} = {text}" for step, text in remedy["change"].items())
            words = ": ".join(filter(None, (change or remedy["advice"], remedy["why"])))
            yield _paragraph(f"→ {words}")
        for trial in finding.get("trials", ()):
            yield _paragraph(trial.get("note"))
    yield from _evidence(verdict.get("evidence"))
    yield _paragraph(verdict.get("basis"))


def _evidence(measures: Sequence[Document] | None) -> Iterable[str]:
    if measures:
        rows = (
            (m["measure"], _number(m["observed"]), _number(m["expected"]), m["source"])
            for m in measures
        )
        yield _table(("measured", "observed", "expected", "source"), rows)


def _number(value: Any) -> str:
    """A number as the page writes it; what is none as it is."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(value)
    return measured_text(value)


def _named(title: str, entries: Sequence[Document] | None) -> Iterable[str]:
    if entries:
        yield f"<h2>{title}</h2><ul>"
        for entry in entries:
            yield f"<li>{_text(entry['name'])}: {_text(entry['why'])}</li>"
        yield "</ul>"


def _figures(figures: Sequence[Document] | None) -> Iterable[str]:
    if figures:
        rows = (
            (entry["name"], f"{_number(entry['value'])} {entry.get('unit', '')}".strip())
            for entry in figures
        )
        yield _table(("figure", "value"), rows)


def _race(race: Document | None) -> Iterable[str]:
    if race:
        rows = (
            (
                run["name"],
                _number(run["metrics"].get(race["metric"])),
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
                    ((row["name"], *map(_number, row["values"])) for row in rows),
                )


def _curves(curves: Sequence[Document] | None) -> Iterable[str]:
    rows = [
        (entry["name"], _number(known[0]), _number(known[-1]), f"{entry['behind']:,}")
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
