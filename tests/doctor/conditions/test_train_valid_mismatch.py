"""Validation data in other units, of other words, or judged by another network."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.train_valid_mismatch import examine
from sevensteps.metrics import r2
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws


@pytest.mark.parametrize(
    ("factor", "offset", "accused"), [(1, 0, False), (5, 0, True), (1, 9, True)]
)
def test_numbers_in_other_units_are_an_error(factor: float, offset: float, accused: bool) -> None:
    x = torch.randn(300, 1, generator=torch.Generator().manual_seed(0))
    pairs = (x[:200], 2 * x[:200]), (x[200:], 2 * factor * x[200:] + offset)
    case = Case(Observation(network_facts(nn.Linear(1, 1))), None, train=pairs[0], valid=pairs[1])
    answers = 2 * x[200:]
    vars(case).update(
        task="regression",
        valid_outputs=answers,
        skill=1.0,
        loss_is_error=True,
        scores={"train": 1.0, "valid": r2(answers, pairs[1][1])},
    )
    finding = examine(case)
    assert (finding is not None and "not in the same units" in finding.explanation) is accused


def test_targets_that_drift_where_the_network_knows_no_better_are_no_other_units() -> None:
    x = torch.randn(300, 1, generator=torch.Generator().manual_seed(0))
    case = Case(
        Observation(network_facts(nn.Linear(1, 1))),
        None,
        train=(x[:200], x[:200]),
        valid=(x[200:], x[200:] + 9),
    )
    noise = torch.randn(100, 1, generator=torch.Generator().manual_seed(1))
    vars(case).update(
        task="regression",
        valid_outputs=noise,
        skill=1.0,
        loss_is_error=True,
        scores={"train": 1.0, "valid": r2(noise, x[200:] + 9)},
    )
    finding = examine(case)
    assert finding is None or "not in the same units" not in finding.explanation


@pytest.mark.parametrize("stale", [True, False])
def test_an_evaluation_of_another_network_is_named(stale: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 4)
    y = (x[:, 0] + x[:, 1] > 0).long()
    network = nn.Linear(4, 2)
    copy, optimizer = nn.Linear(4, 2), torch.optim.Adam(network.parameters(), lr=0.05)
    copy.load_state_dict({"weight": torch.zeros(2, 4), "bias": torch.tensor([0.0, 1.0])})
    with ss.watch(network, optimizer) as watch:
        for _ in range(6):
            for rows in torch.randperm(400).split(40):
                loss = F.cross_entropy(network(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
            with torch.no_grad():
                answer = (copy if stale else network)(x[400:])
            score = float((answer.argmax(1) == y[400:]).double().mean())
            watch.valid(loss=float(F.cross_entropy(answer, y[400:])), score=score)
    data = {"train": (x[:400], y[:400]), "valid": (x[400:], y[400:])}
    finding = examine(watch.diagnose(**data, loss_fn=F.cross_entropy).case)
    assert (finding is not None) == stale
    if finding is not None:
        assert "What the loop judges is another network" in finding.explanation


@pytest.mark.parametrize("anew", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_words_that_come_equally_often_numbered_anew_for_validation(seed: int, anew: bool) -> None:
    torch.manual_seed(seed)
    y = torch.randint(4, (900,))
    own = 10 * y[:, None] + torch.randint(10, (900, 12))
    words = torch.where(torch.rand(900, 12) < 0.5, own, torch.randint(40, (900, 12)))
    if anew:
        words[500:] = torch.randperm(40)[words[500:]]
    network = nn.Sequential(nn.EmbeddingBag(40, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(10):
            for rows in torch.randperm(500).split(25):
                loss = F.cross_entropy(network(words[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(
        train=(words[:500], y[:500]), valid=(words[500:], y[500:]), loss_fn=F.cross_entropy
    )
    finding = examine(diagnosis.case)
    assert (finding is not None) == anew
    assert finding is None or "or numbered, in another way" in finding.explanation
