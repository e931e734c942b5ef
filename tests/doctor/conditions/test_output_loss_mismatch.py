"""A loss that was given its arguments in the wrong order; the forms of outputs are in
`test_output_path.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import three_seeds

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


@three_seeds
@pytest.mark.sampled(1)
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


class Tagger(nn.Module):
    """A class for each of seven places; `inside` brings the classes to axis 1."""

    def __init__(self, inside: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.words, self.inside = nn.Embedding(12, 16), inside
        self.read, self.out = nn.GRU(16, 16, batch_first=True), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        output = self.out(self.read(self.words(x))[0])
        return output if self.inside is None else self.inside(output)


def viewed(model: nn.Module, loss_fn: Callable[[Tensor, Tensor], Tensor]) -> bool:
    x = torch.randint(12, (300, 7))
    y, optimizer = x.roll(1, 1) % 4, torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(6) for part in torch.randperm(300).split(30)):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x, y)).findings
    return any("of several places" in finding.explanation for finding in found)


@pytest.mark.long
def test_classes_brought_to_their_axis_by_a_view() -> None:
    torch.manual_seed(0)
    view, move = (lambda o: o.view(len(o), 4, 7)), (lambda o: o.transpose(1, 2))
    assert viewed(Tagger(), lambda o, t: F.cross_entropy(view(o), t))
    assert viewed(Tagger(view), F.cross_entropy)
    assert not viewed(Tagger(), lambda o, t: F.cross_entropy(move(o), t))
    assert not viewed(Tagger(move), F.cross_entropy)
    assert not viewed(Tagger(), lambda o, t: F.cross_entropy(o.view(-1, 4), t.view(-1)))


class Lines(nn.Module):
    """A class for each place of a line, by convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.out = nn.Conv1d(12, 8, 3, padding=1), nn.Conv1d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.read(F.one_hot(x, 12).float().transpose(1, 2))))


def test_channels_of_classes_are_no_last_axis() -> None:
    torch.manual_seed(0)
    assert viewed(Lines(), lambda o, t: F.cross_entropy(o.reshape(-1, 4), t.flatten()))
    assert not viewed(Lines(), F.cross_entropy)
    move = torch.movedim
    assert not viewed(
        Lines(), lambda o, t: F.cross_entropy(move(o, 1, 2).reshape(-1, 4), t.flatten())
    )


def test_two_softmaxes_name_their_lines() -> None:
    """The lines of this file that apply each: the network's own, and that of the loss."""

    class Sure(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return F.softmax(self.weights(x), -1)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, x = Sure(), torch.randn(90, 8)
    y = x[:, :3].argmax(1)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    with ss.watch(model, optimizer) as watch:
        for _ in range(40):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    text = watch.diagnose().findings[0].explanation
    assert re.search(r"softmax \(\S*test_output_loss_mismatch\.py:\d+\)", text)
    assert re.search(r"cross_entropy \(\S*test_output_loss_mismatch\.py:\d+\)", text)
