"""A loss that was given its arguments in the wrong order; the forms of outputs are in
`test_output_path.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws


def mismatch(loss_fn: Callable[[Tensor, Tensor], Tensor], y: Tensor, outputs: int) -> list[Finding]:
    x = torch.randn(len(y), 5)
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, outputs))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in torch.randperm(len(y)).split(20):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x, y)).findings
    return [finding for finding in found if finding.condition == "output_loss_mismatch"]


@pytest.mark.parametrize("seed", range(3))
def test_targets_given_for_outputs(seed: int) -> None:
    torch.manual_seed(seed)
    y = torch.randint(2, (400, 1)).float()
    (finding,) = mismatch(lambda o, t: F.binary_cross_entropy_with_logits(t, o), y, 1)
    assert "was given the targets first and the outputs second" in finding.explanation
    assert finding.remedies[0].advice == "binary_cross_entropy_with_logits(output, target): " + (
        "the output first"
    )
    assert not mismatch(F.binary_cross_entropy_with_logits, y, 1)


def test_a_teacher_that_is_not_detached_and_a_reversed_divergence_are_meant_so() -> None:
    torch.manual_seed(0)
    y = torch.randn(400, 3).softmax(1)
    assert not mismatch(lambda o, t: F.cross_entropy(o, (o * 0.9).softmax(1)), y, 3)
    reverse = mismatch(lambda o, t: F.kl_div(t.log(), o.softmax(1), reduction="batchmean"), y, 3)
    assert not any("first and the outputs second" in f.explanation for f in reverse)


def test_a_divergence_of_probabilities_from_outputs_has_its_arguments_exchanged() -> None:
    torch.manual_seed(0)
    y = torch.randn(400, 3).softmax(1)
    (finding,) = mismatch(lambda o, t: F.kl_div(t, o.softmax(1), reduction="batchmean"), y, 3)
    assert "the targets are no logarithms" in finding.explanation
    assert not mismatch(lambda o, t: F.kl_div(o.log_softmax(1), t, reduction="batchmean"), y, 3)
