"""A diagnosis as text, HTML, JSON and SARIF: what is printed for one list of findings, and for
hostile ones.
"""

from __future__ import annotations

import json
import math
import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from torch import nn

import sevensteps
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import BY_STEP, condition_names, summary
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.report.html import html
from sevensteps.doctor.report.text import first_sentence, measured_text, text
from sevensteps.doctor.trials.trial import Trial
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

SEEN = "Seen: 1,196 steps of Sequential, 21 of them closely (2.4 % of the time)."
FINDINGS = [
    Finding(
        "learning_rate_too_high",
        "step",
        "error",
        0.9,
        "With a learning rate of 10 the steps are too long. Step 1 changed output by 1 times its "
        "own length, and the loss went from "
        "3.07 up to 201.",
        [
            Measure("|Δw| / |w| of output in step 1", 1.0123, "below 0.1", "measured"),
            Measure("largest early loss against the first", 65.3, "below 1.5", "measured"),
        ],
        [
            Remedy(
                {"step": "sgd(lr=1.0)"},
                "shorter steps follow the slope",
                "a learning rate of about 1",
            ),
            Remedy(
                {"gradient": "auto(clip=1.0)", "step": "adam(lr=0.001)"},
                "no gradient is longer than 1 then",
            ),
        ],
        {"layers": ["output"]},
        1234,
        [
            Trial(
                "learning_rate_too_high",
                {"step": "sgd(lr=1.0)"},
                "accuracy",
                0.01,
                [0, 1, 2],
                [0.1, 0.12, 0.11],
                [0.95, 0.96, 0.97],
                [0.2],
                [{"step": "sgd(lr=90.0)"}],
            )
        ],
        symptoms=[
            Finding(
                "dead_units",
                "predict",
                "warning",
                0.8,
                "Units are dead.",
                [],
                where={"layers": ["0", "2"]},
                symptoms=[
                    Finding("vanishing_gradient", "gradient", "info", 0.5, "It vanishes.", [])
                ],
            ),
            Finding("underfitting", "stop", "warning", 0.7, "It does not fit.", []),
        ],
    ),
    Finding(
        "labels_unrelated",
        "repeat",
        "warning",
        0.625,
        "The labels have nothing to do with the inputs.",
        [Measure("score of a simple model", None, 0.1 + 0.2), Measure("samples", 12345, True)],
        [
            Remedy(
                {},
                "a pattern can only be learned where there is one",
                "check how inputs and targets are read",
            )
        ],
    ),
]
RULED_OUT = [
    ("not_shuffled", "the classes of one batch are mixed"),
    ("inputs_unscaled", "the inputs have a root mean square of 0.42, about as a network likes it"),
]
SCREEN = """\
2 findings, most likely cause first. Seen: 1,196 steps of Sequential, 21 of them
closely (2.4 % of the time).

1  learning_rate_too_high                         step: step · error · 90 % sure
   With a learning rate of 10 the steps are too long. Step 1 changed output by 1
   times its own length, and the loss went from 3.07 up to 201.
   since step 1,234

   measured                              observed  expected
   |Δw| / |w| of output in step 1            1.01  below 0.1
   largest early loss against the first      65.3  below 1.5

   → step = sgd(lr=1.0)
     shorter steps follow the slope
     proven: accuracy 0.11 → 0.96 (+0.85, 95 % interval +0.825 to +0.875, 3
     seeds); random changes of that size: 0.2

   → gradient = auto(clip=1.0), step = adam(lr=0.001)
     no gradient is longer than 1 then

   explains: dead_units (vanishing_gradient), underfitting

2  labels_unrelated                           step: repeat · warning · 62 % sure
   The labels have nothing to do with the inputs.

   measured                 observed  expected
   score of a simple model         –  0.3
   samples                    12,345  yes

   → check how inputs and targets are read
     a pattern can only be learned where there is one

Ruled out
  not_shuffled: the classes of one batch are mixed
  inputs_unscaled: the inputs have a root mean square of 0.42, about as a
  network likes it"""


def columns(line: str) -> int:
    """What a terminal needs for a line, by the tables of Unicode."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in line
    )


def hostile(word: str) -> list[Finding]:
    """A finding that says `word` wherever it can."""
    return [
        Finding(
            "dead_units",
            word,
            "error",
            0.9,
            f"{word} {word}. {word}",
            [Measure(word, word, word, word), Measure("a", word, 1.5)],
            [Remedy({word: word}, word, word), Remedy({}, word, word), Remedy({}, word)],
            {"layers": [word]},
            3,
            [Trial("dead_units", {word: word}, "accuracy", note=word)],
            [Finding("too_small", word, "info", 0.9, word, [])],
        )
    ]


# -- text ------------------------------------------------------------------------------------------


def test_what_is_printed() -> None:
    assert text(FINDINGS, RULED_OUT, SEEN) == SCREEN


def test_what_is_printed_of_the_healthy() -> None:
    assert text([], RULED_OUT, SEEN) == SEEN


def test_a_finding_without_evidence_or_remedy_has_no_empty_table() -> None:
    said = text([Finding("too_small", "predict", "info", 0.5, "It is small.", [])], [], "Seen.")
    assert said == (
        "1 finding, most likely cause first. Seen.\n\n"
        "1  too_small                                    step: predict · info · 50 % sure\n   It "
        "is small."
    )


@pytest.mark.parametrize(
    "word",
    [
        "w" * 300,
        "层" * 150,
        "encoder.layers.11." * 12,
        "a" + "層b" * 90,
        "🙂" * 100,
        "é" * 200,
        "a b " * 80,
        "x",
    ],
)
def test_no_line_is_wider_than_80_columns(word: str) -> None:
    said = text(hostile(word), [(word, word)], f"Seen: 3 steps of {word}.")
    assert max(map(columns, said.splitlines())) <= 80
    held = "".join(said.split())
    assert held.count(word.replace(" ", "")[:8]) >= 1  # cut, not left out
    assert columns(text([], [], word).splitlines()[-1]) <= 80


@pytest.mark.parametrize("width", [40, 60, 120])
def test_nor_than_another_width(width: int) -> None:
    assert max(map(columns, text(FINDINGS, RULED_OUT, SEEN, width).splitlines())) <= width


def test_no_layer_name_moves_the_cursor() -> None:
    said = text(
        hostile("\x1b[2J\rname\x07\x9b1A\u202eeman"), [("\x1b]0;title\x07", "\x1b")], "\x1b[31m"
    )
    assert [c for c in said if not c.isprintable() and c != "\n"] == []
    assert "name" in said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.123"),
        (1234567, "1,234,567"),
        (True, "yes"),
        (False, "no"),
        (None, "–"),
        ("3 of 7", "3 of 7"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2e-9, "2e-09"),
        (0.0, "0"),
    ],
)
def test_how_numbers_are_written(value: Any, text: str) -> None:
    assert measured_text(value) == text


@pytest.mark.parametrize(
    ("paragraph", "sentence"),
    [
        ("One. Two.", "One."),
        ("A rate of 0.1 is too high.", "A rate of 0.1 is too high."),
        ("No stop", "No stop"),
        ("", ""),
        ("It is, e.g. with Adam, so. Then", "It is, e.g. with Adam, so."),
        ("A\n  b. C", "A b."),
        ("So? Yes.", "So?"),
    ],
)
def test_the_first_sentence(paragraph: str, sentence: str) -> None:
    assert first_sentence(paragraph) == sentence


# -- HTML ------------------------------------------------------------------------------------------


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
    assert (
        page.text.count(word) == 20
    )  # seen 1, step 1, explanation 3, evidence 5, remedies 4 + 2 + 1, trial 1, ruled out 2


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


# -- JSON and SARIF --------------------------------------------------------------------------------


def diagnosis(findings: list[Finding]) -> Diagnosis:
    return Diagnosis(
        findings,
        Case(Observation(network_facts(nn.Sequential(nn.Flatten()))), ruled_out=list(RULED_OUT)),
    )


def strict(held: Any) -> Any:
    """Through JSON and back, refusing NaN and infinities."""
    return json.loads(json.dumps(held, allow_nan=False))


def flat(findings: list[Finding]) -> list[Finding]:
    return [f for finding in findings for f in (finding, *flat(finding.symptoms))]


def test_sarif_has_what_the_standard_requires() -> None:
    """SARIF 2.1.0, sections 3.13 (log), 3.18 and 3.19 (tool), 3.27 (result), 3.33 (logical
    location), 3.49 (rule).
    """
    held = strict(diagnosis(FINDINGS).to_sarif())
    assert set(held) == {"$schema", "version", "runs"}
    assert held["version"] == "2.1.0"
    assert held["$schema"].endswith("sarif-2.1.0.json")
    (run,) = held["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("sevensteps", sevensteps.__version__)
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].strip()
        assert rule["id"] in BY_STEP[rule["properties"]["step"]]
    assert [result["ruleId"] for result in run["results"]] == [
        "learning_rate_too_high",
        "dead_units",
        "vanishing_gradient",
        "underfitting",
        "labels_unrelated",
    ]
    for result, finding in zip(run["results"], flat(FINDINGS), strict=True):
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert (
            result["level"]
            == {"error": "error", "warning": "warning", "info": "note"}[finding.severity]
        )
        assert result["level"] in {"none", "note", "warning", "error"}
        assert 0 <= result["rank"] <= 100
        assert result["message"]["text"] == finding.explanation
        (location,) = result["locations"]
        names = [place["fullyQualifiedName"] for place in location["logicalLocations"]]
        assert names == [
            f"Sequential/{name}" for name in [finding.step, *finding.where.get("layers", [])]
        ]
        assert len(set(names)) == len(names)


def test_two_findings_of_one_condition_share_its_rule() -> None:
    (run,) = diagnosis([FINDINGS[1], FINDINGS[1]]).to_sarif()["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["labels_unrelated"]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 0]


def test_a_number_that_is_none_is_null_in_every_form() -> None:
    odd = Finding(
        "not_finite",
        "gradient",
        "error",
        math.nan,
        "The loss is NaN.",
        [Measure("loss", math.nan, -math.inf)],
        where={"losses": [math.inf, 1.0]},
    )
    said = diagnosis([odd])
    assert strict(said.to_dict())["findings"][0]["evidence"][0] == {
        "measure": "loss",
        "observed": None,
        "expected": None,
        "source": "",
    }
    assert strict(said.to_dict())["findings"][0]["where"] == {"losses": [None, 1.0]}
    assert (
        strict(said.to_sarif())["runs"][0]["results"][0]["properties"]["evidence"][0]["observed"]
        is None
    )


def test_every_condition_can_be_described() -> None:
    for name in condition_names():
        said = summary(name)
        assert len(said) > 30
        assert not said.startswith(name)
        assert "\n" not in said


def test_a_diagnosis_as_json() -> None:
    held = strict(diagnosis(FINDINGS).to_dict())
    assert [finding["condition"] for finding in held["findings"]] == [
        "learning_rate_too_high",
        "labels_unrelated",
    ]
    assert held["ruled_out"] == [{"condition": name, "because": why} for name, why in RULED_OUT]
    assert set(held["findings"][0]) >= {
        "condition",
        "step",
        "severity",
        "confidence",
        "where",
        "onset",
        "evidence",
        "explanation",
        "remedies",
        "trials",
    }
    assert held["findings"][0]["evidence"][0] == {
        "measure": "|Δw| / |w| of output in step 1",
        "observed": 1.0123,
        "expected": "below 0.1",
        "source": "measured",
    }


def test_what_was_found_is_not_ruled_out() -> None:
    both = diagnosis([Finding("not_shuffled", "repeat", "error", 0.9, "Sorted.", [])])
    assert [name for name, _ in both.ruled_out] == ["inputs_unscaled"]


@pytest.mark.parametrize("finding", flat(FINDINGS), ids=lambda finding: finding.condition)
def test_a_finding_survives_json(finding: Finding) -> None:
    assert Finding.from_dict(strict(finding.to_dict())) == finding


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({"evidence": None}, TypeError),
        ({"evidence": [{"measure": "x"}]}, TypeError),
        ({"unknown": 1}, TypeError),
        ({"symptoms": [{}]}, KeyError),
        ({"remedies": [{"what": 1}]}, TypeError),
    ],
)
def test_what_is_no_finding_is_refused(change: dict[str, Any], failure: type[Exception]) -> None:
    with pytest.raises(failure):
        Finding.from_dict({**FINDINGS[0].to_dict(), **change})
    held = FINDINGS[0].to_dict()
    del held["remedies"]
    with pytest.raises(KeyError):
        Finding.from_dict(held)
