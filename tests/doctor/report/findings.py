"""Findings to report: a few usual ones, and hostile ones."""

from __future__ import annotations

import json
from typing import Any

from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.finding import Finding, Measure, Remedy
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
