"""Wrong labels show in what neighbours tell of the training and of the validation labels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions import label_noise
from tests.helpers.labelled import case, clouds
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws
COUNT = 600


def test_wrong_labels_among_the_training_samples() -> None:
    x, y = clouds(600)
    train, valid = (x[:400], y[:400]), (x[400:], y[400:])
    draw = torch.Generator().manual_seed(4)
    wrong = torch.rand(400, generator=draw) < 0.6
    noisy = torch.where(wrong, torch.randint(4, (400,), generator=draw), train[1])
    one = case((x[:400], noisy), valid, y[400:], 0.9)
    vars(one)["loss_is_error"] = True
    finding = label_noise.examine(one)
    assert finding is not None
    assert "of the training labels are" in finding.explanation
    clean = case(train, valid, y[400:], 0.9)
    vars(clean)["loss_is_error"] = True
    assert label_noise.examine(clean) is None


def slopes() -> tuple[Tensor, Tensor]:
    """Series that rise or fall."""
    y = torch.randint(2, (COUNT,))
    x = torch.linspace(-1, 1, 16) * (2 * y[:, None] - 1) * (0.5 + torch.rand(COUNT, 1))
    return x + 0.2 * torch.randn(COUNT, 16), y


def conditions(turned: bool, share: float) -> list[str]:
    """Turned in time, or with noise added."""
    x, y = slopes()
    model = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(200):
            rows = torch.randint(COUNT, (24,))
            changed = x[rows].flip(1) if turned else x[rows] + 0.5 * torch.randn(24, 16)
            fed = torch.where(torch.rand(24, 1) < share, changed, x[rows])
            loss = F.cross_entropy(model(fed), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    return [f.condition for f in watch.diagnose(train=(x, y)).findings]


@five_seeds
def test_inputs_that_are_of_another_class_when_changed(seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        assert conditions(True, 0.6)[0] == "label_noise"


@five_seeds
def test_inputs_that_stay_what_they_are(seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        assert "label_noise" not in conditions(False, 0.6)
        assert "label_noise" not in conditions(True, 0.0)
