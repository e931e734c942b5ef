"""A training that saw its data a few times only is named where it had more to learn."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.conditions.stopped_early import examine

pytestmark = pytest.mark.draws

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(960, 3, generator=GENERATOR)
BENT = (2 * X[:, :1]).sin() + X[:, 1:2] * X[:, 2:3]
NOISE = torch.randn(960, 1, generator=GENERATOR)


@pytest.mark.parametrize(
    ("target", "epochs", "named"),
    [(BENT, 2, True), (BENT, 30, False), (NOISE, 2, False), (X[:, :1], 3, False)],
    ids=["two epochs", "thirty epochs", "noise", "learned in three"],
)
@pytest.mark.sampled(1)
def test_few_passes_over_data_that_have_more_to_tell(
    target: torch.Tensor, epochs: int, named: bool
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 48), nn.Tanh(), nn.Linear(48, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(960).split(32):
                loss = F.mse_loss(network(X[rows]), target[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=target[rows])
    finding = examine(watch.diagnose(train=(X, target), loss_fn=F.mse_loss).case)
    assert (finding is not None) == named


@pytest.mark.parametrize(("steps", "named"), [(15, True), (300, False)])
def test_a_network_at_chance_that_had_no_time_yet(steps: int, named: bool) -> None:
    # classes of words at places, of which no simple model is asked
    generator = torch.Generator().manual_seed(2)
    words = torch.randint(0, 12, (400, 6), generator=generator)
    classes = words[:, :1].sum(1) % 4
    torch.manual_seed(0)
    network = nn.Sequential(nn.Embedding(12, 16), nn.Flatten(), nn.Linear(96, 32), nn.ReLU())
    network.append(nn.Linear(32, 4))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-4 if named else 5e-3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(steps):
            rows = torch.randperm(400, generator=generator)[:40]
            loss = F.cross_entropy(network(words[rows]), classes[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=classes[rows])
    diagnosis = watch.diagnose(train=(words, classes))
    assert ("stopped_early" in [f.condition for f in diagnosis.findings]) is named


@pytest.mark.parametrize("seed", [0, 1])
def test_a_loss_that_comes_down_from_a_peak_above_its_start_is_not_still_falling(seed: int) -> None:
    """Steps that are too long threw it up; more of them are no remedy."""
    run = ss.train(
        "digits",
        predict='mlp(30, activation="sigmoid")',
        step="sgd(lr=20)",
        stop="epochs(10)",
        seed=seed,
        out=False,
    )
    assert run.findings[0].condition == "learning_rate_too_high"
    named = [s.condition for f in run.findings for s in (f, *f.symptoms)]
    assert "stopped_early" not in named
