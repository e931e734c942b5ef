"""The document of one explanation: a sample, a gradient, a surface, or words."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from sevensteps import __version__
from sevensteps.doctor.report.text import first_sentence
from sevensteps.explain.base import Explanation
from sevensteps.explain.gradient.answer import Gradient
from sevensteps.explain.sample.answer import Sample
from sevensteps.explain.surface.answer import Surface
from sevensteps.explain.words.answer import Words
from sevensteps.record.run_folder import nan_to_null
from sevensteps.view.document.explained import (
    gradient_document,
    sample_explained,
    surface_document,
    words_document,
)
from sevensteps.view.document.numbers import SCHEMA, readable

Document = dict[str, Any]
TITLE = 90  # letters of a title


def explanation_document(answer: Explanation) -> Document | None:
    """The document of an answer; None where a page has nothing to draw of it."""
    parts = explanation_parts(answer)
    if parts is None:
        return None
    line = first_sentence(answer.text().strip().split("\n\n")[0])[:300]
    short = line if len(line) <= TITLE else type(answer).__name__
    title = getattr(answer, "title", "") or short or type(answer).__name__
    content = {
        "schema": SCHEMA,
        "kind": "explanation",
        "title": title,
        **({"subtitle": line} if line and line != title else {}),
        "version": __version__,
        **parts,
    }
    plain: Document = readable(nan_to_null(content))
    return plain


@singledispatch
def explanation_parts(answer: Explanation) -> Document | None:
    """The parts of a document that show an answer. One function a class."""
    return None


@explanation_parts.register
def _(answer: Sample) -> Document | None:
    return {"worst": [sample_explained(answer)]}


@explanation_parts.register
def _(answer: Gradient) -> Document | None:
    return {"chain": gradient_document(answer)} if answer.paths else None


@explanation_parts.register
def _(answer: Surface) -> Document | None:
    return {"surface": surface_document(answer)} if answer.plane is not None else None


@explanation_parts.register
def _(answer: Words) -> Document | None:
    return {"words": words_document(answer)}
