"""The document of a run: its verdict, the seven steps, curves, looks, data and explanations."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sevensteps import __version__
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.errors import Error
from sevensteps.explain.questions import Explain
from sevensteps.explain.surface.answer import surface
from sevensteps.metrics import primary
from sevensteps.observe.observation import Observation
from sevensteps.record.database import read
from sevensteps.record.history import History
from sevensteps.record.run_folder import nan_to_null
from sevensteps.record.summary import RunSummary
from sevensteps.render.text import count_text
from sevensteps.training import threads
from sevensteps.training.recipe import Recipe
from sevensteps.view.document.curves import (
    history_curves,
    level,
    rate_curve,
    step_losses,
)
from sevensteps.view.document.data_part import data_document, stored_data_document
from sevensteps.view.document.explained import (
    chain_document,
    surface_document,
    words_document,
    worst_document,
)
from sevensteps.view.document.looks import looks_document, quantity_curves
from sevensteps.view.document.numbers import (
    SCHEMA,
    duration,
    figures,
    metric_title,
    readable,
    time_text,
)
from sevensteps.view.document.panels import Quantities, step_panels, what_steps_did
from sevensteps.view.document.repeat import repeat_document, shown_path
from sevensteps.view.document.replayed import (
    confusion_over_time,
    networks_at,
    weight_histograms,
    weights_over_time,
)
from sevensteps.view.document.verdict import UNKNOWN, Context, diagnosis_verdict, named

Document = dict[str, Any]


class Run(Protocol):
    """What of a `Run` a document shows."""

    recipe: Recipe
    history: History
    folder: Path | None

    @property
    def outcome(self) -> RunSummary: ...


def run_document(
    run: Run,
    explain: Explain,
    diagnosis: Diagnosis | None,
    why: str = "",
    report: Callable[[str], None] | None = None,
) -> Document:
    """The document of a run. Where there is no `diagnosis`, `why` says so; `report(text)` is called
    before each part that takes a while.
    """
    # a sample at a time, and small matrices: more threads would only wait for each other
    with threads.threads(1):
        return _run_document(run, explain, diagnosis, why, report or (lambda text: None))


def _run_document(
    run: Run,
    explain: Explain,
    diagnosis: Diagnosis | None,
    why: str,
    report: Callable[[str], None],
) -> Document:
    summary = run.outcome
    observation = explain.subject.observation
    content: Document = {
        "schema": SCHEMA,
        "kind": "run",
        "title": summary.run or run.recipe.source,
        "subtitle": f"{summary.recipe['data']} · {summary.recipe['predict']} · "
        f"{count_text(summary.steps, 'step')} in {time_text(summary.seconds)}",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "figures": run_figures(summary),
        "missing": {},
    }
    over_time = quantity_curves(observation.looks, observation.facts) if observation else {}
    content |= judged(summary, run, diagnosis, over_time, why)
    case = diagnosis.case if diagnosis is not None else None
    did = what_steps_did(observation, over_time, case)
    did.setdefault("stop", []).append(f"{summary.stop.reason}.".capitalize())
    content["steps"] = step_panels(summary.recipe, summary.reasons, did)
    content["curves"] = run_curves(
        run.history, observation, case.baseline_loss if case is not None else None
    )
    content["events"] = _events(summary, run.folder, observation)
    if observation is not None:
        looks = looks_document(observation.looks, observation.facts)
        if looks is not None:
            content["looks"] = looks
    else:
        content["missing"]["looks"] = "The training was not watched."
    explained(content, explain, summary, report)
    digest = ""
    if "data" in content and "samples" in content["data"]:
        digest = explain.subject.data.digest
    content["repeat"] = repeat_document(summary, run.recipe.to_toml(), run.folder, digest)
    plain: Document = readable(nan_to_null(content))
    return plain


def run_figures(summary: RunSummary) -> list[Document]:
    """The few numbers of a run that are shown large."""
    valid = summary.metrics["valid"]
    key = primary(valid)
    name = metric_title(key)
    rows: list[tuple[str, Any, str]] = [(f"validation {name}", valid[key], "")]
    if name != "loss":
        rows.append(("validation loss", valid["loss"], ""))
    best = summary.best
    rows += [
        (f"best {name}, epoch {best.epoch:,}", best.metrics["valid"].get(key), ""),
        ("parameters", summary.parameters, ""),
        ("training time", *duration(summary.seconds)),
    ]
    return figures(rows)


def judged(
    summary: RunSummary,
    run: Run,
    diagnosis: Diagnosis | None,
    over_time: Quantities,
    why: str = "",
) -> Document:
    """The verdict, and what was ruled out or could not be judged."""
    if diagnosis is None:
        unknown = {"state": "unknown", "sentence": UNKNOWN, "basis": why, "findings": []}
        return {"verdict": unknown}
    context = Context(
        summary.recipe, shown_path(run.folder / "recipe.toml") if run.folder else "", over_time
    )
    return {
        "verdict": diagnosis_verdict(diagnosis, context),
        "ruled_out": named(diagnosis.ruled_out),
        "not_judged": named(diagnosis.not_judged),
    }


def run_curves(
    history: History, observation: Observation | None, baseline: float | None
) -> list[Document]:
    """All curves of a run, the validation data first."""
    curves = history_curves(history)
    if observation is not None:
        each = step_losses(observation)
        curves += [each] if each is not None else []
        rates = rate_curve(observation.rates)
    else:
        rates = rate_curve([(row["step"], row["lr"]) for row in history if row.get("lr")])
        rates = rates if rates and len(set(map(str, rates["values"]))) > 1 else None
    curves += [rates] if rates is not None else []
    if baseline is not None and math.isfinite(baseline):
        for entry in curves:
            if entry["group"] == "loss":
                level(entry, baseline, "an answer that ignores the input")
                break
    return curves


def _events(
    summary: RunSummary, folder: Path | None, observation: Observation | None
) -> list[Document]:
    events: list[Document] = []
    if folder is not None:
        try:
            recorded = read(folder)["events"]
        except Error:  # a record that is damaged has no events; the rest of the run is shown
            recorded = []
        events += [
            {"step": row["step"], "kind": row["kind"], "text": row["detail"]}
            for row in recorded[-100:]
        ]
    if observation is not None:
        events += [
            {"step": warning.step, "kind": "warning", "text": warning.text}
            for warning in observation.warnings[:20]
        ]
        if (step := observation.notes.get("first_not_finite")) is not None:
            events.append(
                {"step": step, "kind": "not finite", "text": "The loss is not finite from here on."}
            )
    end = {"step": summary.steps, "kind": "end", "text": summary.stop.reason}
    events = [event for event in events if event["kind"] != "stop"] + [end]
    return sorted(events, key=lambda event: event["step"])


def explained(
    content: Document, explain: Explain, summary: RunSummary, report: Callable[[str], None]
) -> None:
    """Add the parts that ask the network and its data; `missing` says why one is not there."""
    missing = content["missing"]

    def add(part: str, compute: Callable[[], Any]) -> None:
        try:
            value = compute()
        except (Error, ValueError, AssertionError, RuntimeError, LookupError) as failure:
            missing[part] = f"{failure}".strip().split("\n")[0][:300]
            return
        if value:
            content[part] = value

    subject = explain.subject
    report("reading the data")
    add("data", lambda: data_document(subject.data, summary.data))
    if "data" not in content:
        content["data"] = stored_data_document(summary.data)
    report("explaining the worst samples")
    add("worst", lambda: worst_document(explain))
    if worst := content.get("worst"):
        samples = [entry["sample"]["index"] for entry in worst]
        add("chain", lambda: chain_document(explain, samples))
    report("computing the loss surface")
    rate = summary.recipe["step"]
    add("surface", lambda: surface_document(surface(subject, whole=False), rate))
    add("words", lambda: words_document(explain.words()))
    if "looks" in content:
        report("training again, for the weights at each look")
        _add_networks(content["looks"], explain, add)


def _add_networks(
    looks: Document, explain: Explain, add: Callable[[str, Callable[[], Any]], None]
) -> None:
    subject = explain.subject
    networks = networks_at(subject, looks["steps"])

    def fill() -> None:
        looks["histograms"] = weight_histograms(networks)
        shape = tuple(subject.data.train.x.shape[1:])
        if weights := weights_over_time(networks, shape):
            looks["weights"] = weights
        if confusion := confusion_over_time(subject, networks):
            looks["confusion"] = confusion

    add("networks", fill)
