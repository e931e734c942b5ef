"""A network at chance is said to be so, whatever its form; one that has learned a little is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws
WORDS = 40
Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


class NextToken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.gru = nn.Embedding(WORDS, 16), nn.GRU(16, 24, batch_first=True)
        self.head = nn.Linear(24, WORDS)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.gru(self.words(tokens))[0])
        return logits


class Bag(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.words, self.head = nn.EmbeddingBag(WORDS, 16), nn.Linear(16, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        answer: Tensor = self.head(self.words(tokens))
        return answer


def diagnosis(
    model: nn.Module, x: Tensor, y: Tensor, loss_fn: Loss, epochs: int, tell: bool = True
) -> Diagnosis:
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(32):
                loss = loss_fn(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    data = {"train": (x, y), "loss_fn": loss_fn} if tell else {}
    found: Diagnosis = watch.diagnose(**data)
    return found


def per_token(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.flatten(0, 1), target.flatten())


def next_token(follows: bool) -> Diagnosis:
    tokens = torch.randint(WORDS, (800, 13))
    if follows:
        for place in range(1, 13):
            tokens[:, place] = (7 * tokens[:, place - 1] + 3) % WORDS
    return diagnosis(NextToken(), tokens[:, :-1], tokens[:, 1:], per_token, 5)


def topics(follows: bool) -> Diagnosis:
    x = torch.randint(WORDS, (3200, 9))
    y = (x < WORDS // 2).sum(1) // 4 if follows else torch.randint(3, (3200,))
    return diagnosis(Bag(3), x, y, F.cross_entropy, 2 + 4 * follows)


def counts(follows: bool) -> Diagnosis:
    """Numbers, by a loss of one's own."""
    x = torch.randint(WORDS, (3200, 9))
    y = (x < WORDS // 2).float().mean(1, keepdim=True) if follows else torch.randn(3200, 1)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return ((output - target).square() + 1e-2).sqrt().mean()

    return diagnosis(Bag(1), x, y, loss_fn, 2 + 6 * follows)


FORMS = pytest.mark.parametrize("train", [next_token, topics, counts])
# small models may look for a relation where there is one target for each sample
NAMED = {next_token: "does_not_learn", topics: "labels_unrelated", counts: "labels_unrelated"}


@FORMS
@five_seeds
@pytest.mark.sampled(1)
def test_chance_is_named(train: Callable[[bool], Diagnosis], seed: int) -> None:
    torch.manual_seed(seed)
    said = train(False)
    (finding,) = (f for f in said.findings if f.severity != "info")
    assert (finding.condition, finding.severity) == (NAMED[train], "warning")
    compared = {"does_not_learn": "where the same for all gives"}
    assert compared.get(NAMED[train], "where guessing reaches") in finding.explanation
    assert "Nothing is wrong" not in str(said)


@FORMS
@five_seeds
@pytest.mark.sampled(1)
def test_what_is_learned_is_not(train: Callable[[bool], Diagnosis], seed: int) -> None:
    torch.manual_seed(seed)
    assert "does_not_learn" not in {f.condition for f in train(True).findings}


@five_seeds
def test_a_rare_class_that_is_hard_to_tell_is_no_failure(seed: int) -> None:
    """The answer is always the common class; the loss says that something was learned."""
    torch.manual_seed(seed)
    x = torch.randint(WORDS, (3200, 9))
    y = (torch.rand(3200) < torch.sigmoid((x < WORDS // 2).sum(1) - 7.5)).long()
    said = diagnosis(Bag(2), x, y, F.cross_entropy, 4)
    assert "does_not_learn" not in {f.condition for f in said.findings}


def test_a_few_steps_are_no_failure_and_no_success() -> None:
    torch.manual_seed(0)
    x = torch.randint(WORDS, (640, 9))
    said = diagnosis(Bag(3), x, torch.randint(3, (640,)), F.cross_entropy, 2)
    assert not any(f.condition == "does_not_learn" for f in said.findings)
    if not said.findings:
        text = " ".join(str(said).split())
        assert text.startswith("No fault was found, but the network answers no better than one")
        assert "it was trained for 40 steps only" in text


def test_what_was_not_handed_over_is_asked_for() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(WORDS, (800, 13))
    said = diagnosis(NextToken(), tokens[:, :-1], tokens[:, 1:], per_token, 5, tell=False)
    (finding,) = (f for f in said.findings if f.condition == "does_not_learn")
    assert any("train=(inputs, targets)" in remedy.advice for remedy in finding.remedies)
