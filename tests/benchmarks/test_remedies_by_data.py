"""Which remedies cure on how many data sets is counted, and a change is made of a plan as it is of
any other training.
"""

from __future__ import annotations

import pytest
import torch

from benchmarks.doctor.cases.step_faults import KEPT_BACK, PAIRS
from benchmarks.doctor.cases.step_faults.plan import PlannedPair
from benchmarks.doctor.remedies_by_data import kind_of, report, score, shown_pairs

pytestmark = [pytest.mark.draws, pytest.mark.filterwarnings("ignore::UserWarning")]


def tried(change: dict[str, str], cures: bool) -> dict[str, object]:
    return {"condition": "learning_rate_too_low", "change": change, "score": 0.9, "cures": cures}


def test_a_remedy_counts_once_for_each_data_set() -> None:
    adam, sgd = {"step": "adam(lr=0.01)"}, {"step": "sgd(lr=0.1)"}
    outcomes = [
        {"fault": "wine: slow", "tried": [tried(adam, True), tried(sgd, False)]},
        {"fault": "wine: slower", "tried": [tried({"step": "adam(lr=0.1)"}, True)]},
        {"fault": "iris: slow", "tried": [tried(adam, True)]},
        {"fault": "moons: slow", "tried": [tried(adam, True)]},
        {"fault": "digits: sorted", "tried": []},
    ]
    lines = report(outcomes)
    assert "| learning_rate_too_low | step=adam | 4 of 4 | iris, moons, wine |" in lines
    assert "| learning_rate_too_low | step=sgd | 0 of 1 | – |" in lines
    assert "1 of 2 remedies cure on 3 data sets or more" in lines[2]


def test_the_kind_of_a_change_has_no_numbers() -> None:
    assert kind_of({"step": "sgd(lr=0.1, momentum=0.9)"}) == "step=sgd"
    assert kind_of({"step": "sgd(lr=0.1)"}, "sgd") == "step=its own"
    assert kind_of({"stop": "epochs(9) | patience(3)"}) == "stop=epochs | patience"


def test_only_open_pairs_whose_fault_a_score_shows() -> None:
    pairs = list(shown_pairs())
    assert len(pairs) > 50
    assert all(pair.fails <= 1 and pair.fault not in KEPT_BACK for pair in pairs)


def test_a_change_of_a_plan_cures_it() -> None:
    pair = next(p for p in PAIRS if p.fault == "wine: maximized")
    assert isinstance(pair, PlannedPair)
    with torch.random.fork_rng():
        assert score(pair, {}, 1) <= pair.fails
        assert score(pair, {"step": "adam(lr=0.003)"}, 1) >= pair.learns
