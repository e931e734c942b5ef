"""From one sequence to another."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch

WORDS, LENGTH, START = 9, 3, 0


def sentences(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Words 1 … 8 [count, 3], the start and their translation but for its end, and the
    translation: the words one by one, backwards.
    """
    source = torch.randint(1, WORDS, (count, LENGTH))
    dictionary = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(WORDS - 1)])
    target = dictionary[source.flip(1)]
    return source, F.pad(target[:, :-1], (1, 0), value=START), target


class Translator(nn.Module):
    """Encoder and decoder of GRUs. `start`: where the decoder begins; `ended`: whether the outputs
    are probabilities.
    """

    def __init__(self, start: str = "last", ended: bool = False) -> None:
        super().__init__()
        self.start, self.ended = start, ended
        self.source = nn.Embedding(WORDS, 24)
        self.target = nn.Embedding(WORDS, 24)
        self.encoder = nn.GRU(24, 64, batch_first=True)
        self.decoder = nn.GRU(24, 64, batch_first=True)
        self.head = nn.Linear(64, WORDS)

    def forward(self, source: Tensor, before: Tensor) -> Tensor:
        h, _ = self.encoder(self.source(source))
        first = h[:, -1] if self.start == "last" else torch.zeros(len(source), 64)
        h, _ = self.decoder(self.target(before), first[None].contiguous())
        words: Tensor = self.head(h)
        return words.softmax(2) if self.ended else words


@torch.no_grad()
def translate(model: nn.Module, source: Tensor) -> Tensor:
    """A word after the other, each from those before."""
    words = torch.full((len(source), 1), START)
    for _ in range(LENGTH):
        words = torch.cat([words, model(source, words)[:, -1:].argmax(2)], 1)
    return words[:, 1:]


def over_words(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.transpose(1, 2), target)


def train_and_translate(
    watch: Watch,
    model: nn.Module,
    inputs: tuple[Tensor, Tensor],
    target: Tensor,
    truth: Tensor,
    optimizer: torch.optim.Optimizer | None = None,
    epochs: int = 11,
) -> Trained:
    """Teacher forcing, and free translation of what was not trained on."""
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=6e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, epochs):
            loss = over_words(model(inputs[0][chosen], inputs[1][chosen]), target[chosen])
            descend(watching, optimizer, loss, target[chosen])
    translation = translate(model, inputs[0][1000:])
    score = float((translation == truth[1000:]).double().mean())
    halves: dict[str, Any] = {
        "train": (tuple(part[:1000] for part in inputs), target[:1000]),
        "valid": (tuple(part[1000:] for part in inputs), target[1000:]),
        "loss_fn": over_words,
    }
    return Trained(watching, score, halves)


def decoder_reads_its_answer(cured: bool, watch: Watch) -> Trained:
    """The decoder's inputs are the target itself, or the target a place later."""
    source, before, target = sentences(1200)
    inputs = (source, before if cured else target)
    return train_and_translate(watch, Translator(), inputs, target, target)


def encoder_left_aside(cured: bool, watch: Watch) -> Trained:
    """The decoder starts from zeros, or from the encoder's last state."""
    source, before, target = sentences(1200)
    model = Translator(start="last" if cured else "zeros")
    return train_and_translate(watch, model, (source, before), target, target)


def probabilities_for_scores(cured: bool, watch: Watch) -> Trained:
    """Softmax in the network and again in the loss."""
    source, before, target = sentences(1200)
    model = Translator(ended=not cured)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return train_and_translate(watch, model, (source, before), target, target, optimizer)


class Aligned(nn.Module):
    """Each place of the answer looks at the words by its own question. `axis`: over which the
    weights sum to 1.
    """

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.source = nn.Embedding(WORDS, 32)
        self.place = nn.Parameter(torch.randn(LENGTH, 32))
        self.question = nn.Parameter(torch.randn(LENGTH, 32))
        self.head = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, WORDS))

    def forward(self, source: Tensor, before: Tensor) -> Tensor:
        del before  # the answer is given at once
        h = self.source(source) + self.place
        weights = (self.question @ h.transpose(1, 2)).softmax(self.axis)
        words: Tensor = self.head(weights @ h)
        return words


def weights_over_the_batch(cured: bool, watch: Watch) -> Trained:
    """The weights of attention sum to 1 over the sentences, or over a sentence's words."""
    source, before, target = sentences(1200)
    model = Aligned(-1 if cured else 0)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 14):
            loss = over_words(model(source[chosen], before[chosen]), target[chosen])
            descend(watching, optimizer, loss, target[chosen])
    with torch.no_grad():  # one at a time, as a service is asked
        pairs = zip(source[1000:].split(1), before[1000:].split(1), strict=True)
        answer = torch.cat([model(*pair).argmax(2) for pair in pairs])
    score = float((answer == target[1000:]).double().mean())
    halves: dict[str, Any] = {
        "train": ((source[:1000], before[:1000]), target[:1000]),
        "valid": ((source[1000:], before[1000:]), target[1000:]),
        "loss_fn": over_words,
    }
    return Trained(watching, score, halves)


PAIRS = [
    Pair(
        "decoder that reads the word it is to say",
        "decoder that reads the word before",
        ("target_in_input",),
        decoder_reads_its_answer,
        0.4,
        0.8,
    ),
    Pair(
        "decoder that starts from zeros",
        "decoder that starts from the encoder's state",
        ("input_not_used",),
        encoder_left_aside,
        0.3,
        0.8,
    ),
    Pair(
        "translator of probabilities by cross-entropy of scores",
        "translator of scores by cross-entropy of scores",
        ("output_loss_mismatch",),
        probabilities_for_scores,
        0.6,
        0.8,
    ),
    Pair(
        "translation weighted over the batch",
        "translation weighted over the words",
        ("samples_mixed",),
        weights_over_the_batch,
        0.5,
        0.8,
    ),
]
