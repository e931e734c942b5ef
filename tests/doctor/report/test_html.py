"""A diagnosis as HTML: what is in the page for one list of findings, and for hostile ones."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from sevensteps.doctor.finding import Finding
from sevensteps.doctor.report.html import html
from tests.doctor.report.findings import FINDINGS, RULED_OUT, SEEN, hostile


class Parts(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open += [tag] if tag != "br" else []  # which has no end
        self.attributes |= set(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "word",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror='alert(1)'>",
        "</td></table>\"'&amp;<b>",
        "&lt;i&gt;",
    ],
)
def test_html_holds_what_it_was_given_as_text(word: str) -> None:
    page = Parts(html(hostile(word), [(word, word)], word))
    assert set(page.tags) <= {"p", "h4", "small", "table", "tr", "td", "ul", "li", "code", "br"}
    assert page.attributes == {("style", "text-align:left")}
    assert page.open == []
    # seen 1, step 1, explanation 3, evidence 5, remedies 4 + 2 + 1, trial 1, ruled out 2
    assert page.text.count(word) == 20


def test_html_says_what_the_text_says() -> None:
    page = Parts(html(FINDINGS, RULED_OUT, SEEN))
    for said in (
        f"2 findings, most likely cause first. {SEEN}",
        FINDINGS[0].explanation,
        " Since step 1,234.",
        "step: step · error · 90 % sure",
        "|Δw| / |w| of output in step 11.01below 0.1measured",
        "samples12,345yes",
        "in a loop of yours: a learning rate of about 1",
        "step = sgd(lr=1.0): shorter steps follow the slope",
        "proven: accuracy 0.11 → 0.96",
        "gradient = auto(clip=1.0), step = adam(lr=0.001): no gradient",
        "check how inputs and targets are read: a pattern",
        "Explains: dead_units (vanishing_gradient), underfitting",
        f"Ruled out: not_shuffled: {RULED_OUT[0][1]}; inputs_unscaled: {RULED_OUT[1][1]}",
    ):
        assert said in page.text
    assert [page.tags.count(tag) for tag in ("h4", "table", "li", "code")] == [2, 2, 3, 2]


def test_html_of_nothing_has_no_empty_table_or_list() -> None:
    bare = Finding("too_small", "predict", "info", 0.5, "It is small.", [])
    assert Parts(html([bare], [], "Seen.")).tags == ["p", "h4", "small", "p"]
    assert Parts(html([], RULED_OUT, "Nothing is wrong.")).text == "Nothing is wrong."


def test_what_was_not_judged_is_on_the_page() -> None:
    page = Parts(html([], (), SEEN, [("train", "a <b> of another shape")]))
    assert "Not judged: train: a <b> of another shape" in page.text
    assert "Not judged" not in Parts(html(FINDINGS, RULED_OUT, SEEN)).text
