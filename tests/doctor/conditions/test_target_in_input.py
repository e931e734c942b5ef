"""Targets that stand among the inputs are named; sequences and tables without them are not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.target_in_input import examine
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws

GENERATOR = torch.Generator().manual_seed(0)
WORDS = torch.randint(0, 8, (300, 9), generator=GENERATOR)
TABLE = torch.randn(400, 5, generator=GENERATOR)


class Words(nn.Module):
    """A word for each word, by a recurrent layer."""

    def __init__(self, both: bool = False, words: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(8, 8)
        self.gru = nn.GRU(8, 8, batch_first=True, bidirectional=both)
        self.out = nn.Linear(16 if both else 8, words)

    def forward(self, words: Tensor) -> Any:
        return self.out(self.gru(self.embed(words))[0])


def per_word(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.flatten(0, 1), target.flatten())


def trained(network: nn.Module, x: Any, y: Tensor, loss_fn: Any, epochs: int = 6) -> Any:
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(50):
                loss = loss_fn(network(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    assert watch.failure is None
    return watch.diagnose(train=(x, y), loss_fn=loss_fn).case


def words(network: nn.Module, x: Tensor, y: Tensor) -> Finding | None:
    return examine(trained(network, x, y, per_word))


def test_a_network_that_sees_the_next_word_is_named() -> None:
    finding = words(Words(both=True), WORDS[:, :-1], WORDS[:, 1:])
    assert finding is not None
    assert finding.severity == "error"
    assert "The output at position 4 changes with the inputs after it" in finding.explanation
    assert "mask the future" in finding.remedies[0].advice
    assert words(Words(), WORDS[:, :-1], WORDS[:, 1:]) is None


def test_labels_that_are_not_shifted_are_named() -> None:
    finding = words(Words(), WORDS, WORDS)
    assert finding is not None
    assert "The target at a position is the input at the same position" in finding.explanation
    assert "tokens[:, 1:]" in finding.remedies[0].advice


class Decoder(nn.Module):
    """Says a sentence from another one, after the words `before`."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.before = nn.Embedding(8, 8), nn.Embedding(8, 8)
        self.gru, self.out = nn.GRU(8, 16, batch_first=True), nn.Linear(16, 8)

    def forward(self, source: Tensor, before: Tensor) -> Any:
        start = self.source(source).flatten(1)[None, :, :16].contiguous()
        return self.out(self.gru(self.before(before), start)[0])


@pytest.mark.parametrize("length", [3, 6])
def test_a_decoder_that_reads_the_word_it_is_to_say_is_named(length: int) -> None:
    source = WORDS[:, :length].contiguous()
    target = 7 - source.flip(1)
    data: Any = (source, target), target
    finding = examine(paired(Decoder(), *data))
    assert finding is not None
    assert "The target at a position is the input at the same position" in finding.explanation
    assert examine(paired(Decoder(), (source, F.pad(target[:, :-1], (1, 0))), target)) is None


def paired(network: nn.Module, x: tuple[Tensor, Tensor], y: Tensor) -> Any:
    """The case of a training with two inputs."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(len(y)).repeat(4).split(50):
            loss = per_word(network(x[0][rows], x[1][rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    data: Any = x, y
    return watch.diagnose(train=data, loss_fn=per_word).case


def test_a_tagger_may_read_in_both_directions() -> None:
    tags = (WORDS > 3).long() + (WORDS.roll(-1, 1) > 3).long()
    assert words(Words(both=True, words=3), WORDS, tags) is None
    assert words(Words(both=True), WORDS, WORDS) is None  # an autoencoder


def table(x: Tensor, y: Tensor, epochs: int = 40) -> Finding | None:
    whole = not y.is_floating_point()
    network = nn.Sequential(nn.Linear(x.shape[1], 16), nn.ReLU(), nn.Linear(16, 3 if whole else 1))
    loss_fn = F.cross_entropy if whole else F.mse_loss
    return examine(trained(network, x, y, loss_fn, epochs))


CLASSES = (TABLE[:, :3] + 0.3 * TABLE[:, 2:]).argmax(1)
NUMBERS = (TABLE[:, :1] + TABLE[:, 1:2].sin()) / 1.3


def test_a_column_that_is_the_target_is_named() -> None:
    codes = torch.tensor([0.4, -1.2, 2.0])[CLASSES][:, None]
    finding = table(torch.cat([TABLE, codes], 1), CLASSES)
    assert finding is not None
    assert finding.where == {"columns": [5]}
    assert "Column 5 of the inputs is the target" in finding.explanation
    numbers = table(torch.cat([3 - 2 * NUMBERS, TABLE], 1), NUMBERS)
    assert numbers is not None
    assert numbers.where == {"columns": [0]}


@pytest.mark.long
def test_tables_without_their_targets_are_not_accused() -> None:
    assert table(TABLE, CLASSES) is None
    assert table(TABLE, NUMBERS) is None
    noisy = NUMBERS + 0.01 * TABLE[:, 4:]
    assert table(torch.cat([noisy, TABLE], 1), NUMBERS) is None
    line = TABLE[:, :1]
    assert table(line, 2 * line + 1) is None  # of one column a target may be computed


def test_a_column_that_is_filled_in_once_the_target_is_known_is_named() -> None:
    bent = TABLE[:, :1] * TABLE[:, 1:2] + TABLE[:, 2:3].sin()
    number = table(torch.cat([TABLE, 3 * bent + 0.01 * TABLE[:, 4:]], 1), bent)
    assert number is not None
    assert number.where == {"columns": [5]}
    yes = (bent[:, 0] > 0).long()
    sure = table(torch.cat([TABLE, yes[:, None] * (1 + 0.2 * TABLE[:, 3:4])], 1), yes)
    assert sure is not None
    assert sure.where == {"columns": [5]}
    assert "alone tells" in sure.explanation


@pytest.mark.long
def test_a_column_that_the_target_is_computed_from_is_not_accused() -> None:
    yes = (TABLE[:, 2] > 0.2).long()
    assert table(TABLE, yes) is None  # the others tell nothing
    assert table(TABLE, 2 * TABLE[:, :1] + 0.01 * TABLE[:, 4:]) is None
    grades = (TABLE[:, 0] > -0.5).long() + (TABLE[:, 0] > 0.5).long()
    assert table(torch.cat([TABLE, TABLE[:, :1] + TABLE[:, 1:2]], 1), grades) is None


class Labelled(nn.Module):
    def __init__(self, used: bool) -> None:
        super().__init__()
        self.out, self.code, self.used = nn.Linear(5, 3), nn.Embedding(3, 3), used

    def forward(self, x: Tensor, kind: Tensor) -> Any:
        return self.out(x) + (self.code(kind) if self.used else 0)


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("other", [False, True])
def test_the_class_among_the_inputs_is_named_where_it_is_used(used: bool, other: bool) -> None:
    network = Labelled(used)
    kind = (CLASSES + 1) % 3 if other else CLASSES  # the same by other names
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(400).repeat(3).split(50):
            loss = F.cross_entropy(network(TABLE[rows], kind=kind[rows]), CLASSES[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=CLASSES[rows])
    data: Any = ({"x": TABLE, "kind": kind}, CLASSES)
    finding = examine(watch.diagnose(train=data, loss_fn=F.cross_entropy).case)
    assert (finding is not None) == used
    if finding is not None:
        assert finding.where == {"inputs": ["kind"]}
        assert finding.explanation.startswith("The input kind is the target itself")


@pytest.mark.parametrize("picked", ["first", "mask", "index"])
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.sampled(2)
def test_marks_of_the_class_among_the_columns_of_some_nodes(picked: str, marked: bool) -> None:
    torch.manual_seed(0)
    kind = torch.randint(3, (240,))
    x = torch.randn(3, 6)[kind] + torch.randn(240, 6)
    places = {
        "first": torch.arange(120),
        "mask": torch.rand(240) < 0.5,
        "index": torch.randperm(240)[:120],
    }[picked]
    marks = torch.zeros(240, 3)
    marks[places] = F.one_hot(kind, 3).float()[places]
    x = torch.cat([x, marks if marked else torch.randn(240, 3)], 1)
    model = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), 2e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(120):
            output = model(x)
            few = output[:120] if picked == "first" else output[places]
            loss = F.cross_entropy(few, kind[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=kind[places])
    found = [f for f in watch.diagnose().findings if f.condition == "target_in_input"]
    assert [f.where for f in found] == ([{"columns": [6, 7, 8]}] if marked else [])


@pytest.mark.parametrize("own", [True, False])
def test_nodes_that_hear_their_own_class_among_others(own: bool) -> None:
    torch.manual_seed(0)
    kind = torch.randint(3, (240,))
    known = torch.arange(240) < 120
    edges = (torch.rand(240, 240) < torch.where(kind[:, None] == kind, 0.1, 0.01)).float()
    edges.fill_diagonal_(40.0 if own else 0.0)
    heard = edges @ (F.one_hot(kind, 3) * known[:, None]).float() / 10
    x = torch.cat([torch.randn(3, 6)[kind] + 0.5 * torch.randn(240, 6), heard], 1)
    model = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), 2e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(120):
            loss = F.cross_entropy(model(x)[:120], kind[:120])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=kind[:120])
    found = [f for f in watch.diagnose().findings if f.condition == "target_in_input"]
    assert [f.where for f in found] == ([{"columns": [6, 7, 8]}] if own else [])


@pytest.mark.long
def test_the_first_value_of_a_series_may_be_what_is_to_be_remembered() -> None:
    torch.manual_seed(0)

    class Memory(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.out = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.read(x[:, :, None])[1][-1])

    x = torch.randn(600, 5)
    said = []
    for model in (Memory(), nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        with ss.watch(model, optimizer) as watch:
            for rows in (part for _ in range(25) for part in torch.randperm(600).split(40)):
                loss = (model(x[rows]) - x[rows, :1]).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=x[rows, :1])
        found = watch.diagnose(train=(x, x[:, :1])).findings
        said.append(any(f.condition == "target_in_input" for f in found))
    assert said == [False, True]
