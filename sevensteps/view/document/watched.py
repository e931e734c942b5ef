"""The document of a training that was watched: a loop of one's own, a script, or a saved case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sevensteps import __version__
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.measures import final_loss, final_steps, first_loss
from sevensteps.explain.words.answer import words
from sevensteps.observe.observation import Observation
from sevensteps.record.run_folder import nan_to_null
from sevensteps.render.text import count_text
from sevensteps.view.document.curves import (
    history_curves,
    level,
    rate_curve,
    reported_curves,
    step_losses,
)
from sevensteps.view.document.data_part import sample_document
from sevensteps.view.document.explained import words_document
from sevensteps.view.document.looks import looks_document, quantity_curves
from sevensteps.view.document.numbers import (
    SCHEMA,
    duration,
    facts,
    figures,
    finite,
    number_text,
    prose,
    readable,
    time_text,
)
from sevensteps.view.document.panels import step_panels, watched_recipe, what_steps_did
from sevensteps.view.document.repeat import versions_here
from sevensteps.view.document.verdict import Context, diagnosis_verdict, named

Document = dict[str, Any]
SHOWN = 12  # samples of the batches
NEEDS_A_RUN = (
    "Samples, gradients and the loss surface are explained of a training that sevensteps can "
    "repeat: sevensteps train, or ss.train."
)


def watched_document(diagnosis: Diagnosis, title: str = "", subtitle: str = "") -> Document:
    """The document of a diagnosis: what was seen of the training, and what that means."""
    case = diagnosis.case
    observation = case.observation
    recipe, reasons = watched_recipe(case), {}
    if case.recipe is not None:
        recipe = {step: repr(value) for step, value in case.recipe.steps.items()}
        reasons = dict(case.recipe.reasons)
    over_time = quantity_curves(observation.looks, observation.facts)
    context = Context(recipe if case.recipe is not None else {}, over_time=over_time)
    content: Document = {
        "schema": SCHEMA,
        "kind": "watched",
        "title": title or observation.facts.network,
        "subtitle": subtitle
        or count_text(observation.steps, "step")
        + (f" in {time_text(observation.seconds)}" if observation.seconds else ""),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "figures": _figures(diagnosis),
        "verdict": diagnosis_verdict(diagnosis, context),
        "ruled_out": named(diagnosis.ruled_out),
        "not_judged": named(diagnosis.not_judged),
        "steps": step_panels(recipe, reasons, what_steps_did(observation, over_time, case)),
        "curves": _curves(diagnosis),
        "events": events(observation),
        "repeat": {
            "facts": facts(versions_here()),
        },
        "missing": dict.fromkeys(("worst", "chain", "surface"), NEEDS_A_RUN),
    }
    if case.recipe is not None:
        content["repeat"]["recipe"] = case.recipe.to_toml().strip()
    looks = looks_document(observation.looks, observation.facts)
    if looks is not None:
        content["looks"] = looks
    else:
        content["missing"]["looks"] = "No step was looked at from inside, only the losses."
    content["words"] = words_document(words(None))
    if (data := _data(observation)) is not None:
        content["data"] = data
    plain: Document = readable(nan_to_null(content))
    return plain


def _figures(diagnosis: Diagnosis) -> list[Document]:
    case = diagnosis.case
    observation = case.observation
    rows: list[tuple[str, Any, str]] = [("steps", observation.steps, "")]
    if observation.losses:
        end = f"loss at the end, mean over {count_text(final_steps(case), 'step')}"
        rows += [("first loss", finite(first_loss(case), 3), "")]
        rows += [(end, finite(final_loss(case), 3), "")]
    if observation.scores:
        rows.append(("last score", observation.scores[-1][1], ""))
    if observation.seconds:
        rows.append(("training time", *duration(observation.seconds)))
    return figures(rows)


def _curves(diagnosis: Diagnosis) -> list[Document]:
    case = diagnosis.case
    observation = case.observation
    curves = [
        *history_curves(case.history),
        *filter(None, (step_losses(observation), rate_curve(observation.rates))),
        *reported_curves(observation),
    ]
    if curves and case.loss_is_error and case.baseline_loss is not None:
        level(curves[0], case.baseline_loss, "an answer that ignores the input")
    return curves


def events(observation: Observation) -> list[Document]:
    """What happened in a training that was watched: warnings, and where it stopped being finite."""
    rows: list[Document] = [
        {"step": warning.step, "kind": "warning", "text": warning.text}
        for warning in observation.warnings[:20]
    ]
    if (step := observation.notes.get("first_not_finite")) is not None:
        rows.append(
            {"step": step, "kind": "not finite", "text": "The loss is not finite from here on."}
        )
    rows.append({"step": observation.steps, "kind": "end", "text": "The end of what was seen."})
    return sorted(rows, key=lambda event: event["step"])


def _data(observation: Observation) -> Document | None:
    """Samples of the batches as they were fed; None where none were kept."""
    x = observation.x
    if x is None or not x.is_floating_point() or not len(x) or x.dim() < 2:
        return None
    shape = tuple(x.shape[1:]) if x.dim() in (2, 4) else (int(x[0].numel()),)
    known = x[x.isfinite()].double()
    rows = [("shape of a sample", " × ".join(map(str, x.shape[1:])))]
    if len(known):
        rows.append(
            (
                "inputs as they were fed",
                prose(f"from {known.min():.4g} to {known.max():.4g}, mean {known.mean():.4g}"),
            )
        )
    return {
        "source": "batches as they were fed",
        "parts": [{"name": "samples that were kept", "samples": len(x)}],
        "facts": facts(rows),
        "samples": [
            sample_document(
                index,
                "train",
                row.double().flatten().tolist(),
                shape,
                (),
                None,
                _label(observation, index),
            )
            for index, row in enumerate(x[:SHOWN])
        ],
    }


def _label(observation: Observation, index: int) -> str:
    y = observation.y
    if y is None or len(y) <= index or y[index].numel() != 1:
        return ""
    return f"target {number_text(float(y[index]))}"
