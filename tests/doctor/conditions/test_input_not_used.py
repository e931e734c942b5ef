"""Inputs that are lost on their way are named; a network that learned to do without is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.input_not_used import examine
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import three_seeds

pytestmark = pytest.mark.draws

X = torch.randn(300, 10, 4, generator=torch.Generator().manual_seed(0))
Z = torch.randn(300, 4, generator=torch.Generator().manual_seed(1))
LAST, SIDE = (X[:, -1, 0] > 0).long(), (Z[:, 0] > 0).long()


class Net(nn.Module):
    def __init__(self, function: Any, *layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.function = nn.ModuleList(layers), function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*self.layers, *inputs)


def trained(network: nn.Module, inputs: Any, y: Tensor) -> Finding | None:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(8):
            for rows in torch.randperm(300).split(50):
                loss = F.cross_entropy(network(*(part[rows] for part in inputs)), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    assert watch.failure is None
    data = (inputs if len(inputs) > 1 else inputs[0], y)
    case: Any = watch.diagnose(train=data, loss_fn=F.cross_entropy).case
    return examine(case)


class Attention(nn.Module):
    """The answer of a first step that attends to all others, or to itself only."""

    def __init__(self, blocked: bool) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, 1, 4))
        self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
        self.out = nn.Linear(4, 2)
        self.register_buffer("mask", ~torch.eye(11, dtype=torch.bool) & blocked)

    def forward(self, x: Tensor) -> Any:
        steps = torch.cat([self.start.expand(len(x), 1, 4), x], 1)
        return self.out(self.attention(steps, steps, steps, attn_mask=self.mask)[0][:, 0])


def test_a_mask_that_lets_nothing_through_is_named() -> None:
    finding = trained(Attention(True), (X,), LAST)
    assert finding is not None
    assert finding.severity == "error"
    assert finding.explanation.startswith("Different inputs get the same answer")
    assert trained(Attention(False), (X,), LAST) is None


def read(step: int) -> nn.Module:
    layers = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 2)
    return Net(lambda gru, out, x: out(gru(x)[0][:, step]), *layers)


def test_a_step_that_has_seen_nothing_yet_is_named() -> None:
    finding = trained(read(0), (X,), LAST)
    assert finding is not None
    assert finding.where == {"steps": [1, 2]}
    assert "Of 10 steps of the input, 8 move no answer" in finding.explanation
    assert trained(read(-1), (X,), LAST) is None


def test_one_of_two_inputs_is_named_where_it_is_missed() -> None:
    layers = nn.Linear(40, 2), nn.Linear(4, 2)
    wrong = Net(lambda a, b, x, z: a(x.flatten(1)) + b(x[:, 0]), *layers)
    finding = trained(wrong, (X, Z), SIDE)
    assert finding is not None
    assert "do not depend on input 2" in finding.explanation
    right = Net(lambda a, b, x, z: a(x.flatten(1)) + b(z), *layers)
    assert trained(right, (X, Z), SIDE) is None


def test_what_a_network_does_without_is_no_fault() -> None:
    number = torch.arange(300)
    layer = nn.Linear(40, 2)
    assert trained(Net(lambda a, x, z: a(x.flatten(1)), layer), (X, Z), LAST) is None
    assert trained(Net(lambda a, x, i: a(x.flatten(1)), layer), (X, number), SIDE) is None


def test_a_dead_network_is_another_fault() -> None:
    dead = nn.Sequential(nn.Flatten(), nn.Linear(40, 9), nn.ReLU(), nn.Linear(9, 2))
    with torch.no_grad():
        dead[1].bias.fill_(-1e4)
    assert trained(dead, (X,), LAST) is None


@pytest.mark.parametrize("wrong", [False, True])
def test_columns_that_nothing_reads(wrong: bool) -> None:
    table = torch.randn(300, 16, generator=torch.Generator().manual_seed(2))
    y = (table[:, 8:].sum(1) > 0).long()

    def read(left: nn.Module, right: nn.Module, head: nn.Module, x: Tensor) -> Any:
        first, second = x.split(8, 1)
        return head(torch.cat([left(first), right(first if wrong else second)], 1).relu())

    net = Net(read, nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(24, 2))
    finding = trained(net, (table,), y)
    assert (finding is not None) == wrong
    if finding is not None:
        assert "Of 16 columns of the input, 8 move no answer" in finding.explanation
    # where they tell nothing, nothing is missed
    assert trained(net, (table,), (table[:, 0] > 0).long()) is None


@pytest.mark.parametrize("twice", [False, True])
def test_a_number_that_is_looked_up_in_both_tables(twice: bool) -> None:
    chosen = torch.Generator().manual_seed(3)
    pairs = torch.randint(20, (600, 2), generator=chosen)
    users, items = torch.randn(2, 20, 3, generator=chosen)
    liking = (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1) > 0

    def read(user: nn.Module, item: nn.Module, head: nn.Module, x: Tensor) -> Any:
        one, two = user(x[:, int(twice)]), item(x[:, 1])
        return head(torch.cat([one, two, one * two], 1))

    net = Net(read, nn.Embedding(20, 4), nn.Embedding(20, 4), nn.Linear(12, 2))
    finding = trained(net, (pairs,), liking.long())
    assert (finding is not None) == twice
    if finding is not None:
        assert "Of 2 columns of the input, 1 move no answer" in finding.explanation


class Asked(nn.Module):
    """Numbers, and which of two questions is put; `used`: it is heard."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.body, self.question = nn.Linear(4, 32), nn.Embedding(2, 32)
        self.out, self.used = nn.Linear(32, 2), used

    def forward(self, x: Tensor, question: Tensor) -> Tensor:
        code, asked = self.body(x).relu(), self.question(question)
        answer: Tensor = self.out(code * asked if self.used else code)
        return answer


@three_seeds
def test_an_input_that_would_tell_more_is_missed_by_a_network_that_learned_half(seed: int) -> None:
    torch.manual_seed(seed)
    question = torch.randint(2, (300,))
    side = (Z[:, 1] > 0).long()
    # three in four are told by the numbers alone
    y = torch.where((question == 0) | (Z[:, 2] > 0), side, 1 - side)
    finding = trained(Asked(False), (Z, question), y)
    assert finding is not None
    assert finding.where == {"inputs": ["1"]}
    # what tells nothing is not missed, nor what is heard
    assert trained(Asked(True), (Z, question), y) is None
    noise = torch.where(torch.rand(300) < 0.15, 1 - side, side)
    assert trained(Asked(False), (Z, question), noise) is None


@three_seeds
@pytest.mark.long
def test_rows_of_pixels_that_a_slice_leaves_out(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(300, 1, 8, 8)
    y = (x[:, 0, 2, 3] + 1.2 * x[:, 0, 7, 3] > 0).long()

    def sliced(out: nn.Module, x: Tensor) -> Tensor:
        answer: Tensor = out(x[:, :, :6].flatten(1))
        return answer

    finding = trained(Net(sliced, nn.Linear(48, 2)), (x,), y)
    assert finding is not None
    assert "it would tell more of the targets" in finding.explanation
    whole = Net(lambda out, x: out(x.flatten(1)), nn.Linear(64, 2))
    assert trained(whole, (x,), y) is None
    aside = (x[:, 0, 2, 3] + 0.3 * torch.randn(300) > 0).long()
    assert trained(Net(sliced, nn.Linear(48, 2)), (x,), aside) is None
