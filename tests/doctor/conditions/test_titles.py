"""The title of a finding says which of its condition's cases it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import BY_STEP, summary, title
from sevensteps.doctor.conditions.inputs_unscaled import examine
from sevensteps.doctor.finding import Finding
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation
from tests.helpers.seeds import five_seeds


def unscaled(x: Tensor) -> Finding:
    y = x[:, :1] / x[:, :1].std()
    case = Case(Observation(network_facts(nn.Identity())), None, train=(x, y))
    vars(case).update(task="regression", scores={"train": 0.0}, skill=0.0, loss_is_error=True)
    finding = examine(case)
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((50.0, 50.0, 50.0), "The inputs are so large that no usual learning rate suits"),
        ((0.001, 0.001, 0.001), "The inputs are so small that the first layer hardly learns"),
        ((1.0, 1.0, 900.0), "The columns are of such different size that no learning rate"),
    ],
)
def test_inputs_are_large_small_or_uneven(sizes: tuple[float, ...], expected: str) -> None:
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor(sizes)
    assert title(unscaled(x)).startswith(expected)


def test_targets_are_larger_or_smaller() -> None:
    (finding,) = (
        f
        for f in ss.train("speed", seed=0, threads=1, out=False).findings
        if f.condition == "targets_unscaled"
    )
    assert title(finding) == "The targets are far larger than what an untrained network gives"


@pytest.mark.draws
@five_seeds
def test_a_softmax_before_the_loss_is_called_applied_twice(seed: int) -> None:
    torch.manual_seed(seed)
    x, y = torch.randn(300, 10), torch.randint(3, (300,))
    model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(1))
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    with ss.watch(model, optimizer) as watch:
        for rows in torch.arange(300).repeat(8).split(50):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    (finding,) = (f for f in watch.diagnose().findings if f.condition == "output_loss_mismatch")
    assert title(finding) == "The softmax is applied twice, by the network and by the loss"


def test_every_condition_has_a_title() -> None:
    for name in (name for names in BY_STEP.values() for name in names):
        if name in ("inputs_unscaled", "targets_unscaled"):  # read off the evidence
            continue
        text = title(Finding(name, "step", "error", 0.9, "", []))
        assert text == summary(name).rstrip(".")
