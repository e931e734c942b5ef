"""A document as plain HTML: everything that matters is there, and no text is markup."""

from __future__ import annotations

from html import escape

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.view.document.watched import watched_document
from sevensteps.view.plain import headline, plain_page


def test_a_faulty_run(faulty_run: ss.Run) -> None:
    document = faulty_run.document()
    page = plain_page(document)
    finding = document["verdict"]["findings"][0]
    for text in (finding["condition"], finding["evidence"][0]["source"], "How to repeat it"):
        assert text in page
    assert "→ step = sgd(lr=" in page


def test_the_headline_is_first_and_the_same_as_on_the_page(
    faulty_run: ss.Run, healthy_run: ss.Run
) -> None:
    document = faulty_run.document()
    finding = document["verdict"]["findings"][0]
    first = finding["title"][0].upper() + finding["title"][1:] + "."
    assert headline(document) == first
    page = plain_page(document)
    assert page.startswith(f"<h1>{escape(first)}</h1>")
    order = (document["title"], finding["explanation"], finding["evidence"][0]["measure"])
    places = [page.index(escape(text)) for text in (*order, "The seven steps", "How to repeat it")]
    assert places == sorted(places)
    healthy = healthy_run.document()
    assert headline(healthy) in plain_page(healthy)
    assert headline({"title": "a race"}) == "a race"


def test_a_hostile_run(hostile_run: ss.Run) -> None:
    page = plain_page(hostile_run.document())
    assert "<img" not in page
    assert "<script" not in page


def test_a_race_and_a_diagnosis(race: ss.Race, watched_diagnosis: Diagnosis) -> None:
    assert race.table[0].label in plain_page(race.document())
    assert "output_loss_mismatch" in plain_page(watched_document(watched_diagnosis))


def test_a_document_of_nothing_much() -> None:
    assert plain_page({"schema": 1, "kind": "run", "title": "a < b"}) == "<h1>a &lt; b</h1>"
