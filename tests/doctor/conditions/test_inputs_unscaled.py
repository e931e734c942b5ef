"""Columns of another size are told from those that hardly ever vary."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.inputs_unscaled import examine
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation


def accused(x: Tensor) -> bool:
    """Whether these inputs are, where the network has learned nothing of what they tell."""
    y = x[:, :1] / x[:, :1].std()
    case = Case(Observation(network_facts(nn.Identity())), None, train=(x, y))
    vars(case).update(task="regression", scores={"train": 0.0}, skill=0.0, loss_is_error=True)
    return examine(case) is not None


def test_a_column_that_hardly_ever_varies_is_no_other_scale() -> None:
    x = 1.5 * torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    assert not accused(x)
    margin = x.clone()
    margin[:, 7] = 0
    margin[5, 7] = 0.1  # a pixel that one sample touches
    assert not accused(margin)
    wide = x.clone()
    wide[:, 7] *= 1000
    assert accused(wide)
    assert accused(16 * x)


def test_what_batch_norm_makes_up_for_in_training_mode_is_not_blamed() -> None:
    """Its running statistics are those of other inputs; with those of the batch it is right."""
    x = 16 * torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    y = x / 16 + 0.05 * torch.randn(300, 4, generator=torch.Generator().manual_seed(1))
    norm = nn.BatchNorm1d(4)
    case = Case(Observation(network_facts(norm)), norm, train=(x, y))
    vars(case).update(task="regression", skill=0.0, loss_is_error=True)
    assert case.scores["train"] < 0
    assert examine(case) is None
    assert [name for name, _ in case.ruled_out] == ["inputs_unscaled"]
    assert accused(x)


@pytest.mark.draws
@pytest.mark.parametrize("mark", [-9999.0, 1e6, -1.0, float("-inf")])
@pytest.mark.sampled(1)
def test_a_number_that_stands_for_what_is_missing(mark: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(600, 5)
    y = (x[:, :1] - x[:, 1:2]) * 2
    x = torch.where(torch.rand_like(x) < 0.05, torch.tensor(mark), x)
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(5) for part in torch.randperm(600).split(30)):
            loss = (model(x[rows]) - y[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x, y)).findings
    everything = [*found, *(symptom for f in found for symptom in f.symptoms)]
    said = any("stands for what is missing" in f.explanation for f in everything)
    assert said is (mark in (-9999.0, 1e6))


@pytest.mark.draws
@pytest.mark.parametrize(("scale", "named"), [(1e-3, True), (1.0, False)])
def test_a_network_that_knows_nothing_of_a_rare_class(scale: float, named: bool) -> None:
    """By its accuracy no other model is better, of inputs that hardly tell the rare class."""
    torch.manual_seed(0)
    x = torch.randn(600, 6)
    y = (x[:, 0] + 1.5 * torch.randn(600) > 2.6).long()
    weight = torch.tensor([1.0, float((y == 0).sum() / y.sum())])
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(10) for part in torch.randperm(600).split(30)):
            loss = nn.functional.cross_entropy(model(scale * x[rows]), y[rows], weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    findings = watch.diagnose(train=(scale * x, y)).findings
    assert ("inputs_unscaled" in [f.condition for f in findings]) is named


@pytest.mark.draws
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_a_loss_that_fell_from_where_large_inputs_had_put_it_is_no_success(shift: float) -> None:
    """Two answers by name, for which there is no score of the whole."""
    torch.manual_seed(0)
    x = torch.randn(400, 8)
    kind, size = (x[:, 0] > 0).long(), x[:, 1] * x[:, 2]

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(8, 48), nn.ReLU())
            self.kind, self.size = nn.Linear(48, 2), nn.Linear(48, 1)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            code = self.body(x)
            return {"kind": self.kind(code), "size": self.size(code)[:, 0]}

    network = Both()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.03, momentum=0.9)
    with ss.watch(network, optimizer) as watch:
        for _ in range(25):
            for rows in torch.randperm(400).split(40):
                answer = network(x[rows] + shift)
                loss = nn.functional.cross_entropy(answer["kind"], kind[rows])
                loss = loss + nn.functional.mse_loss(answer["size"], size[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target={"kind": kind[rows], "size": size[rows]})
    diagnosis = watch.diagnose(train=(x + shift, {"kind": kind, "size": size}))
    named = [finding.condition for finding in diagnosis.findings]
    assert named[:1] == (["inputs_unscaled"] if shift else [])


@pytest.mark.draws
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_letters_without_places_from_large_inputs(shift: float) -> None:
    """A loss of which nothing is known but that it fell in its first steps alone."""
    torch.manual_seed(0)
    letters = torch.randint(1, 4, (200, 3))
    voices = torch.cat([torch.zeros(1, 6), 2 * torch.randn(3, 6)])
    which = letters.repeat_interleave(4, 1) * (torch.arange(12) % 4 < 3)
    x = voices[which] + 0.2 * torch.randn(200, 12, 6) + shift
    network = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    frames, lengths = torch.full((20,), 12), torch.full((20,), 3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(20):
            for rows in torch.randperm(200).split(20):
                chances = network(x[rows]).log_softmax(2).transpose(0, 1)
                loss = nn.functional.ctc_loss(chances, letters[rows], frames, lengths)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss)
    named = [finding.condition for finding in watch.diagnose().findings]
    assert [name for name in named if name == "inputs_unscaled"] == (
        ["inputs_unscaled"] if shift else []
    )
