"""Frozen parameters that should learn; and networks that learn with little of them trained."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import three_seeds

pytestmark = pytest.mark.draws


def tuned(model: nn.Sequential, trained: list[nn.Parameter], x: Tensor, y: Tensor) -> list[Finding]:
    for p in model.parameters():
        p.requires_grad_(False)
    for p in trained:
        p.requires_grad_(True)
    optimizer = torch.optim.Adam(trained, lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(10):
            for rows in torch.randperm(len(x)).split(32):
                loss = F.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).findings
    return [finding for finding in found if finding.condition == "parameters_not_updated"]


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))


@three_seeds
@pytest.mark.sampled(1)
def test_a_head_that_is_frozen_with_the_rest_is_named(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 8)
    y = (x[:, :2] > 0).long() @ torch.tensor([1, 2])
    model = network()
    (finding,) = tuned(model, [model[2].bias], x, y)  # type: ignore[list-item]
    assert finding.explanation.startswith("The last layer (layer 2) is frozen")
    assert "4 of 836 parameters are trained" in finding.explanation
    assert finding.where == {"parameters": ["2.weight"]}
    model = network()
    assert not tuned(model, [*model[2].parameters()], x, y)


def test_few_parameters_that_learn_before_a_frozen_head_are_enough() -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 8)
    model = network()
    y = model(x).argmax(1)  # the network as it is
    assert not tuned(model, [model[0].bias], x, y)  # type: ignore[list-item]


@pytest.mark.parametrize("loaded", [False, True])
def test_a_frozen_body_into_which_nothing_was_loaded_is_named(loaded: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 8)
    y = (x[:, :2] > 0).long() @ torch.tensor([1, 2])
    model = nn.Sequential(nn.Linear(8, 48), nn.Linear(48, 3), nn.Tanh(), nn.Linear(3, 4))
    with torch.no_grad():
        model[0].weight.mul_(0.01)  # type: ignore[operator]
        if loaded:
            model[0].weight.copy_(torch.eye(48, 8))  # type: ignore[operator]
            model[1].weight.copy_(3 * torch.eye(3, 48))  # type: ignore[operator]
    found = tuned(model, [*model[3].parameters()], x, y)
    assert bool(found) != loaded
    assert all("numbers are those of an initialization" in one.explanation for one in found)


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.long
def test_a_narrow_place_that_is_frozen_as_it_was_drawn(frozen: bool) -> None:
    """So few numbers tell nothing by themselves: a copy that trains them does."""
    torch.manual_seed(3)
    x = torch.randn(500, 4)
    y = (x[:, 0] > 0).long() + 2 * (x[:, 1] * x[:, 0] > 0).long()
    eye = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2), nn.Tanh())
    eye.requires_grad_(not frozen)
    network = nn.Sequential(eye, nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(15):
            for rows in torch.randperm(400).split(20):
                loss = F.cross_entropy(network(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(
        train=(x[:400], y[:400]), valid=(x[400:], y[400:]), loss_fn=F.cross_entropy
    )
    named = [finding.condition for finding in diagnosis.findings]
    assert ("parameters_not_updated" in named) == frozen


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_table_with_which_nothing_is_learned(frozen: bool) -> None:
    """Its numbers are those of nobody's drawing; a copy that trains them shows what they cost."""
    torch.manual_seed(1)
    words = torch.randint(32, (700, 30))
    y = (((words % 7) < 3).double().mean(1) > 0.45).long()
    table = torch.linspace(-2, 2, 64).reshape(2, 32).T.sin().contiguous()

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding.from_pretrained(table, freeze=frozen)
            self.head = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.head(self.words(x).mean(1))
            return answer

    network = Words()
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=3e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(10):
            for rows in torch.randperm(500).split(20):
                loss = F.cross_entropy(network(words[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(
        train=(words[:500], y[:500]), valid=(words[500:], y[500:]), loss_fn=F.cross_entropy
    )
    named = [finding.condition for finding in diagnosis.findings]
    assert named[:1] == (["parameters_not_updated"] if frozen else [])


@pytest.mark.parametrize("loaded", [True, False])
def test_a_frozen_table_into_which_nothing_was_loaded(loaded: bool) -> None:
    torch.manual_seed(0)
    words = torch.randint(1, 40, (400, 8))
    y = (words < 14).sum(1).clamp_max(4) // 2
    table = torch.randn(40, 32) if loaded else torch.zeros(40, 32)
    network = nn.Sequential(
        nn.EmbeddingBag.from_pretrained(table), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 3)
    )
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=5e-3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(12):
            for rows in torch.randperm(300).split(20):
                loss = F.cross_entropy(network(words[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(
        train=(words[:300], y[:300]), valid=(words[300:], y[300:]), loss_fn=F.cross_entropy
    )
    found = [f for f in diagnosis.findings if f.condition == "parameters_not_updated"]
    assert bool(found) != loaded
    assert all("all their numbers are 0" in f.explanation for f in found)
