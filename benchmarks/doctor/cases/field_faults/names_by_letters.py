"""Names, letter by letter: from which language, and what comes next."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right

ENDINGS = ("ova", "ski", "ini", "sen")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def names(count: int) -> tuple[list[str], Tensor]:
    """Names of nine letters that end as names of one of four languages do; the language. [N]"""
    language = torch.randint(4, (count,))
    letters = torch.randint(26, (count, 6))
    words = [
        "".join(LETTERS[i] for i in row) + ENDINGS[kind]
        for row, kind in zip(letters.tolist(), language.tolist(), strict=True)
    ]
    return words, language


def numbers(words: list[str], letters: str = LETTERS) -> Tensor:
    """The number of each letter in `letters`. [N, 9]"""
    return torch.tensor([[letters.index(letter) for letter in word] for word in words])


class Speller(nn.Module):
    """An embedding, a memory, and scores from its last state."""

    def __init__(self, memory: nn.Module, classes: int = 4) -> None:
        super().__init__()
        self.embedding, self.memory = nn.Embedding(26, 12), memory
        self.out = nn.Linear(24, classes)

    def forward(self, letters: Tensor) -> Tensor:
        states, _ = self.memory(self.embedding(letters))
        scores: Tensor = self.out(states[:, -1])
        return scores


class OrdReader(nn.Module):
    """An RNN over one number a letter. [N, 9, 1] -> [N, 4]"""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, 32, batch_first=True)
        self.fc = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        _, h_n = self.rnn(x)
        scores: Tensor = self.fc(h_n[-1])
        return scores


def letters_by_ord(cured: bool, watch: Watch) -> Trained:
    """`ord` of a Cyrillic letter is about 1090, and an RNN takes it as it is."""
    words, language = names(1100)
    x = torch.tensor([[1072 + float(LETTERS.index(i)) for i in word] for word in words])[..., None]
    if cured:
        x = (x - 1084.5) / 7.5
    model = OrdReader()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], language[:800], 10)
    with torch.no_grad():
        score = right(model(x[800:]), language[800:])
    return Trained(watching, score, known(x, language, 800, F.cross_entropy))


def two_alphabets(cured: bool, watch: Watch) -> Trained:
    """`list(set(text))` has another order in the script that judges than in the one that trains."""
    words, language = names(1000)
    other = "".join(LETTERS[i] for i in torch.randperm(26).tolist())
    x = torch.cat([numbers(words[:750]), numbers(words[750:], LETTERS if cured else other)])
    model = Speller(nn.GRU(12, 24, batch_first=True))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(5):
            for chosen in batches(750, 25, 1):
                loss = F.cross_entropy(model(x[chosen]), language[chosen])
                descend(watching, optimizer, loss, language[chosen])
            with torch.no_grad():
                answers = model(x[750:])
            watching.valid(
                loss=float(F.cross_entropy(answers, language[750:])),
                score=right(answers, language[750:]),
            )
    return Trained(
        watching, right(answers, language[750:]), known(x, language, 750, F.cross_entropy)
    )


def rate_of_single_names(cured: bool, watch: Watch) -> Trained:
    """The rate of a tutorial that goes name by name, for batches of a hundred."""
    words, language = names(900)
    x = numbers(words)
    model = Speller(nn.LSTM(12, 24, batch_first=True))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.8 if cured else 0.001, momentum=0.8)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:700], language[:700], 11, 100)
    with torch.no_grad():
        score = right(model(x[700:]), language[700:])
    return Trained(watching, score, known(x, language, 700, F.cross_entropy))


class NextLetter(nn.Module):
    """log p of the letter after each. [B, T] -> [B, T, 26]"""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(26, 16), nn.GRU(16, 32, batch_first=True)
        self.decoder, self.axis = nn.Linear(32, 26), axis

    def forward(self, x: Tensor) -> Tensor:
        output, _hidden = self.rnn(self.embedding(x))
        scores: Tensor = self.decoder(output)
        return scores.log_softmax(self.axis)


def softmax_over_the_places(cured: bool, watch: Watch) -> Trained:
    """`dim=1` is right for [B, V], and the time for [B, T, V]. Scored by exp(-cross-entropy)."""
    count, turns = 900, torch.randperm(26)
    letters = torch.randint(26, (count, 1))
    for _ in range(9):  # a letter is followed by the next of a hidden order, or by one after it
        step = torch.where(torch.rand(count, 1) < 0.9, 1, 2)
        place = turns.argsort()[letters[:, -1:]]
        letters = torch.cat([letters, turns[(place + step) % 26]], 1)
    x, y = letters[:, :-1], letters[:, 1:]
    model = NextLetter(2 if cured else 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.NLLLoss()

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        loss: Tensor = criterion(output.reshape(-1, 26), target.reshape(-1))
        return loss

    watching = fit(watch, model, optimizer, loss_fn, x[:700], y[:700], 8, 35)
    with torch.no_grad():
        chances = model(x[700:]).softmax(2).log()
        score = float(loss_fn(chances, y[700:]).neg().exp())
    return Trained(watching, score, known(x, y, 700, loss_fn))


def memory_that_grows(cured: bool, watch: Watch) -> Trained:
    """A recurrence of ReLU units, whose matrix doubles what it keeps, over names in one string."""
    words, language = names(1000)
    x = numbers(words).repeat(1, 5)
    rnn = nn.RNN(12, 24, nonlinearity="relu", batch_first=True)
    with torch.no_grad():
        rnn.get_parameter("weight_hh_l0").copy_(torch.eye(24) * (0.9 if cured else 1.9))
    model = Speller(rnn)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:750], language[:750], 5, 25)
    with torch.no_grad():
        score = right(model(x[750:]), language[750:])
    return Trained(watching, score, known(x, language, 750, F.cross_entropy))


PAIRS = [
    Pair(
        "letters as their codes of about 1,090",
        "letters as their codes, standardised",
        ("inputs_unscaled", "saturated_units"),
        letters_by_ord,
        0.8,
        0.9,
    ),
    Pair(
        "names judged by another alphabet",
        "names judged by their alphabet",
        ("train_valid_mismatch",),
        two_alphabets,
        0.6,
        0.95,
    ),
    Pair(
        "a hundred names at the rate for one",
        "a hundred names at a rate for a hundred",
        ("learning_rate_too_low", "stopped_early"),
        rate_of_single_names,
        0.8,
        0.95,
    ),
    Pair(
        "chances of letters that sum to one over the places",
        "chances of letters that sum to one over the letters",
        ("output_loss_mismatch",),
        softmax_over_the_places,
        0.45,
        0.6,
    ),
    Pair(
        "a memory of names that grows with each letter",
        "a memory of names that fades with each letter",
        ("signal_explodes", "exploding_gradient", "output_overconfident"),
        memory_that_grows,
        0.7,
        0.95,
    ),
]
