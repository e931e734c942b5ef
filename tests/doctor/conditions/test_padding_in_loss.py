"""Padding that counts in a loss, however the loss is written; and what only looks like padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws
N, T, WORDS, CLASSES = 320, 24, 40, 6
Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


class Tagger(nn.Module):
    def __init__(self, first: bool = False) -> None:
        super().__init__()
        self.words, self.gru = nn.Embedding(WORDS, 12), nn.GRU(12, 16, batch_first=True)
        self.head = nn.Linear(16, CLASSES)
        self.first = first  # classes first: [B, C, T]

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.gru(self.words(tokens))[0])
        return logits.transpose(1, 2) if self.first else logits


class Attention(nn.Module):
    """One layer of attention over features [B, T, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits


def tokens(left: bool = False) -> tuple[Tensor, Tensor]:
    """Words of rows of 3 to 8, and a class from 1 to 5 for each; 0 is padding for both."""
    x = torch.randint(1, WORDS, (N, T))
    x = x * (torch.arange(T) < torch.randint(3, 9, (N, 1)))
    if left:
        x = x.flip(1)
    return x, torch.where(x > 0, 1 + 7 * x % 5, 0)


def features() -> tuple[Tensor, Tensor]:
    x, y = tokens()
    return F.one_hot(x % 8, 8).float() * (x > 0)[..., None], y


def findings(
    model: nn.Module, x: Tensor, y: Tensor, loss_fn: Loss, epochs: int = 3
) -> dict[str, Finding]:
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(N).split(32):
                loss = loss_fn(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    return {finding.condition: finding for finding in watch.diagnose(train=(x, y)).findings}


def flat(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.reshape(-1, CLASSES), target.reshape(-1))


def by_hand(output: Tensor, target: Tensor) -> Tensor:
    return -output.log_softmax(-1).gather(2, target[..., None]).mean()


def masked(output: Tensor, target: Tensor) -> Tensor:
    losses = F.cross_entropy(output.transpose(1, 2), target, reduction="none")
    return (losses * (target > 0)).sum() / (target > 0).sum()


def chosen(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output[target > 0], target[target > 0])


def weighted(output: Tensor, target: Tensor) -> Tensor:
    weight = torch.tensor([0.0, 1, 1, 1, 1, 1])
    return F.cross_entropy(output.reshape(-1, CLASSES), target.reshape(-1), weight=weight)


def ignored(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.reshape(-1, CLASSES), target.reshape(-1), ignore_index=0)


@five_seeds
@pytest.mark.parametrize(
    ("build", "draw", "loss_fn"),
    [
        (Tagger, tokens, flat),
        (Tagger, lambda: tokens(left=True), by_hand),
        (lambda: Tagger(first=True), tokens, F.cross_entropy),
        (Attention, features, flat),
    ],
    ids=["tokens", "on the left, by hand", "classes first", "features, attention"],
)
def test_padding_that_counts_is_named(
    build: Callable[[], nn.Module],
    draw: Callable[[], tuple[Tensor, Tensor]],
    loss_fn: Loss,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    x, y = draw()
    finding = findings(build(), x, y, loss_fn)["padding_in_loss"]
    share = float((y == 0).double().mean())
    assert finding.severity == ("error" if share >= 0.8 else "warning")
    assert finding.evidence[0].observed == pytest.approx(share, abs=0.002)
    assert finding.where == {"classes": [0]}


@five_seeds
@pytest.mark.parametrize("loss_fn", [ignored, masked, chosen, weighted])
@pytest.mark.long
def test_padding_that_is_left_out_is_not(loss_fn: Loss, seed: int) -> None:
    torch.manual_seed(seed)
    assert "padding_in_loss" not in findings(Tagger(), *tokens(), loss_fn)


@five_seeds
@pytest.mark.long
def test_words_that_are_learned_all_the_same_are_no_harm(seed: int) -> None:
    torch.manual_seed(seed)
    x, y = tokens()
    said = findings(Tagger(), x, y, flat, epochs=40)
    assert "padding_in_loss" not in said


@five_seeds
@pytest.mark.parametrize("common", ["all over the rows", "at their ends", "for ever after"])
@pytest.mark.sampled(1)
def test_a_common_class_is_no_padding(common: str, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randint(1, WORDS, (N, T))
    y = torch.randint(1, CLASSES, (N, T))
    if common == "all over the rows":  # as the names in a text are few
        y = torch.where(torch.rand(N, T) < 0.9, 0, y)
    else:  # as a patient who has left; the inputs go on
        y = y * (torch.arange(T) < torch.randint(3, 9, (N, 1)))
        if common == "at their ends":  # the inputs are of few words there, not of one
            x = torch.where(y > 0, x, torch.randint(1, 3, (N, T)))
    assert "padding_in_loss" not in findings(Tagger(), x, y, flat)


@five_seeds
def test_outputs_so_large_that_few_rows_of_them_are_kept(seed: int) -> None:
    torch.manual_seed(seed)
    words = torch.randint(1, 30, (N, 80)) * (torch.arange(80) < torch.randint(4, 9, (N, 1)))
    x, y = words[:, :-1], words[:, 1:]
    model = nn.Sequential(nn.Embedding(30, 16), nn.Linear(16, 30))

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.flatten(0, 1), target.flatten())

    finding = findings(model, x, y, loss_fn)["padding_in_loss"]
    assert finding.severity == "error"
    assert finding.where == {"classes": [0]}


class Smoother(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv1d(16, 1, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x.transpose(1, 2)).transpose(1, 2)
        return y


@pytest.mark.parametrize("left_out", [False, True])
def test_padding_of_numbers(left_out: bool) -> None:
    torch.manual_seed(0)
    here = torch.arange(100)[:, None] < torch.randint(4, 11, (N, 1, 1))
    x = torch.randn(N, 100, 1) * here
    y = (x * F.pad(x[:, :-1], (0, 0, 1, 0))).masked_fill(~here, 0)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        error = (output - target).abs()
        return (error * (target != 0)).sum() / (target != 0).sum() if left_out else error.mean()

    found = findings(Smoother(), x, y, loss_fn)
    assert ("padding_in_loss" in found) != left_out
    if not left_out:
        assert "(number 0)" in found["padding_in_loss"].explanation


def test_places_that_are_nearly_all_padding_of_targets_alone() -> None:
    torch.manual_seed(0)
    source = torch.randint(2, 12, (600, 4))
    lengths = torch.randint(1, 5, (600, 1))
    words = source.flip(1) * (torch.arange(4) < lengths)
    target = torch.cat([words, torch.zeros(600, 36, dtype=torch.long)], 1)
    for ignored, said in ((-100, True), (0, False)):
        model = torch.nn.Sequential(
            torch.nn.Embedding(12, 16),
            torch.nn.Flatten(),
            torch.nn.Linear(64, 96),
            torch.nn.Tanh(),
            torch.nn.Linear(96, 40 * 12),
            torch.nn.Unflatten(1, (12, 40)),
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        with ss.watch(model, optimizer) as watch:
            for rows in (part for _ in range(6) for part in torch.randperm(600).split(40)):
                loss = torch.nn.functional.cross_entropy(
                    model(source[rows]), target[rows], ignore_index=ignored
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=target[rows])
        found = watch.diagnose(train=(source, target)).findings
        assert any(f.condition == "padding_in_loss" for f in found) is said
