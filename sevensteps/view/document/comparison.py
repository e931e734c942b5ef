"""The document of several runs: what differs in the recipe first, then their results and curves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sevensteps import __version__
from sevensteps.record.history import History
from sevensteps.record.run_folder import nan_to_null
from sevensteps.record.summary import RunSummary
from sevensteps.steps import SETTINGS
from sevensteps.view.document.curves import history_curves
from sevensteps.view.document.numbers import SCHEMA, finite, metric_title, readable

Document = dict[str, Any]
WHOLE = 4  # runs whose own documents are in it


def comparison_document(
    names: Sequence[str],
    summaries: Sequence[RunSummary],
    histories: Sequence[History],
    documents: Sequence[Document],
) -> Document:
    """The document of runs side by side; `documents` are their own, of which some are in it."""
    recipe = recipe_rows(summaries)
    differing = [row["name"] for row in recipe if not row["same"]]
    curves: list[Document] = []
    for name, history in zip(names, histories, strict=True):
        for entry in history_curves(history):
            if not entry["name"].startswith("training") or len(names) <= 2:
                entry["id"] = f"{entry['id']}-{len(curves)}"
                curves.append({**entry, "name": f"{name}: {entry['name']}", "run": name})
    content: Document = {
        "schema": SCHEMA,
        "kind": "comparison",
        "title": " and ".join(names) if len(names) == 2 else f"{len(names)} runs",
        "subtitle": f"They differ in {', '.join(differing)}." if differing else "The same recipe.",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "comparison": {
            "runs": list(names),
            "recipe": recipe,
            "results": result_rows(summaries),
            "documents": [
                {key: value for key, value in document.items() if key != "words"}
                for document in documents[:WHOLE]
            ],
        },
        "curves": curves,
        "words": documents[0].get("words", []) if documents else [],
    }
    if len(documents) > WHOLE:
        content["comparison"]["notes"] = [
            f"The first {WHOLE} runs are shown in full; a report of its own shows another: "
            "sevensteps report RUN"
        ]
    plain: Document = readable(nan_to_null(content))
    return plain


def recipe_rows(summaries: Sequence[RunSummary]) -> list[Document]:
    """The data, the steps and the settings of each run, those that differ first."""
    texts = [
        {**summary.recipe, **{key: str(getattr(summary, key)) for key in SETTINGS}}
        for summary in summaries
    ]
    rows = []
    for name in dict.fromkeys(key for text in texts for key in text):
        values = [text.get(name) for text in texts]
        rows.append({"name": name, "values": values, "same": len(set(values)) == 1})
    return sorted(rows, key=lambda row: bool(row["same"]))


def result_rows(summaries: Sequence[RunSummary]) -> list[Document]:
    """Metrics, epochs, steps and seconds of each run."""
    columns = [_measures(summary) for summary in summaries]
    names = dict.fromkeys(name for column in columns for name in column)
    return [{"name": name, "values": [column.get(name) for column in columns]} for name in names]


def _measures(summary: RunSummary) -> dict[str, Any]:
    parts = {
        "after the last step, training": summary.metrics["train"],
        "after the last step, validation": summary.metrics["valid"],
        "best validation": summary.best.metrics["valid"],
    }
    measures: dict[str, Any] = {
        f"{part} {metric_title(name)}": finite(value)
        for part, metrics in parts.items()
        for name, value in metrics.items()
        if name != "by_class"
    }
    findings = [str(finding["condition"]) for finding in summary.findings]
    return measures | {
        "epochs": summary.epochs,
        "steps": summary.steps,
        "training time, s": finite(summary.seconds, 3),
        "findings": ", ".join(findings).replace("_", " ") or "none",
    }
