"""The judgement of trainings that learn, of those at chance, and of those that cannot be told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.learning import judge, nearest_suspects

pytestmark = pytest.mark.draws


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


@pytest.mark.parametrize(
    ("follows", "steps", "verdict", "had_time"),
    [
        (True, 200, "learns", True),
        (False, 200, "chance", True),
        (False, 15, "chance", False),
        (None, 200, "unknown", True),
    ],
)
@pytest.mark.sampled(1)
def test_each_verdict(follows: bool | None, steps: int, verdict: str, had_time: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(steps):
            x = torch.randn(60, 6)
            y = x[:, :3].argmax(1) if follows else torch.randint(3, (60,))
            output = model(x)
            loss = (output - output.mean(0)).abs().mean()
            if follows is not None:
                loss = F.cross_entropy(output, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=None if follows is None else y)
    case = watch.diagnose().case
    judgement = judge(case)
    assert judgement.verdict == verdict
    assert judgement.had_time is had_time
    assert judgement is judge(case)


def test_what_was_remarked_on_is_suspected_first_and_what_was_ruled_out_last() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    with ss.watch(model, torch.optim.SGD(model.parameters(), lr=1e-3)) as watch:
        for _ in range(3):
            loss = model(torch.randn(8, 3)).square().mean()
            loss.backward()
            watch.step(loss)
    case = watch.diagnose().case
    case.findings = [Finding("dead_units", "predict", "info", 0.5, "", [])]
    case.ruled_out = [("labels_unrelated", "they are related")]
    suspects = nearest_suspects(case)
    assert suspects[0] == "dead_units"
    assert "labels_unrelated" not in suspects[1:3]
