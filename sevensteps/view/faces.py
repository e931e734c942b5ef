"""How a diagnosis and an explanation become a page, registered for their classes: they stand below
the view, and know no pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.explain.base import Explanation
from sevensteps.render.figures import draw_figure
from sevensteps.render.page import notebook_bundle, write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@draw_figure.register(Diagnosis)
def _(subject: Diagnosis, figure: Figure) -> None:
    from sevensteps.view.diagnosis_figure import draw_diagnosis

    draw_diagnosis(subject, figure)


@write_page.register
def _(subject: Diagnosis, path: Path | str) -> Path:
    from sevensteps.view.document.watched import watched_document
    from sevensteps.view.report import require_html, write_report

    require_html(Path(path))
    return write_report(watched_document(subject), path)


@notebook_bundle.register
def _(subject: Diagnosis) -> dict[str, Any]:
    from sevensteps.view.document.watched import watched_document
    from sevensteps.view.notebook import remembered, show_document

    def show() -> dict[str, Any]:
        return show_document(lambda: watched_document(subject), str(subject), subject.plot)

    return remembered.show(subject, lambda: str(subject), show)  # trials change what it says


@write_page.register
def _(subject: Explanation, path: Path | str) -> Path:
    from sevensteps.errors import ArgumentError
    from sevensteps.view.document.explanation import explanation_document
    from sevensteps.view.report import require_html, write_report

    require_html(Path(path))
    document = explanation_document(subject)
    if document is None:
        raise ArgumentError(
            f"there is no page of {type(subject).__name__} alone: print(answer), "
            "answer.plot('answer.png'), or the report of the run: run.report('run.html')"
        )
    return write_report(document, path)


@notebook_bundle.register
def _(subject: Explanation) -> dict[str, Any]:
    from sevensteps.view.document.explanation import explanation_document
    from sevensteps.view.notebook import bundle, frame, png, preformatted, remembered

    def show() -> dict[str, Any]:
        document, picture = explanation_document(subject), png(subject.plot)
        html = preformatted(str(subject)) if document is None else frame(document, picture)
        return bundle(str(subject), html, picture)

    return remembered.show(subject, lambda: None, show)
