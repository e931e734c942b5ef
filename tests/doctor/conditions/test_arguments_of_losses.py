"""What the arguments of a loss function say by themselves: blanks among the targets, labels that
are smoothed away, variances behind a ReLU.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


def conditions(outputs: int, compute: Callable[[Tensor], Tensor], steps: int = 12) -> list[str]:
    """What is named after a few steps with the loss `compute(output)`, output [16, `outputs`]."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, outputs))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for _ in range(steps):
            loss = compute(model(torch.randn(16, 6)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return [f.condition for f in watch.diagnose().findings if f.severity != "info"]


def read_aloud(letters: list[int], lengths: list[int], blank: int) -> Callable[[Tensor], Tensor]:
    """Connectionist loss of two texts, over eight places with four numbers each."""
    targets = torch.tensor([letters, letters])
    return lambda o: F.ctc_loss(
        o.reshape(8, 2, 4).log_softmax(2),
        targets,
        torch.tensor([8, 8]),
        torch.tensor(lengths),
        blank=blank,
    )


def test_a_blank_is_no_letter() -> None:
    named = conditions(4, read_aloud([0, 2, 1], [3, 3], blank=0))
    assert "target_out_of_range" in named
    assert "target_out_of_range" not in conditions(4, read_aloud([0, 2, 1], [3, 3], blank=3))


def test_what_fills_a_text_up_is_no_blank_among_its_letters() -> None:
    assert "target_out_of_range" not in conditions(4, read_aloud([1, 2, 0], [2, 2], blank=0))


@pytest.mark.parametrize(("smoothing", "named"), [(0.99, True), (0.1, False)])
def test_labels_that_are_smoothed_away(smoothing: float, named: bool) -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    x, y = torch.randn(60, 4), torch.randint(3, (60,))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with ss.watch(model, optimizer) as watch:
        for _ in range(10):
            loss = F.cross_entropy(model(x), y, label_smoothing=smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    findings = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).findings
    # surely so, though a copy that is trained without it learns
    assert any(f.condition == "loss_unsuited" and f.confidence > 0.8 for f in findings) == named


@pytest.mark.parametrize(("above", "named"), [(F.relu, True), (F.softplus, False)])
def test_variances_behind_a_relu(above: Callable[[Tensor], Tensor], named: bool) -> None:
    def compute(o: Tensor) -> Tensor:
        return F.gaussian_nll_loss(o[:, 0], torch.linspace(-1, 1, 16), above(o[:, 1]))

    assert ("output_loss_mismatch" in conditions(2, compute)) == named
