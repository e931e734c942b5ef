"""From one sequence to another: teacher forcing, attention, and an alignment that nobody gave."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy

PAD, START, END, SYMBOLS = 0, 1, 2, 12


def reversals(count: int, longest: int = 6) -> tuple[Tensor, Tensor]:
    """Sequences of 3 to `longest` symbols [N, longest], and the same the other way round between
    START and END [N, longest + 2].
    """
    source = torch.zeros(count, longest, dtype=torch.long)
    target = torch.zeros(count, longest + 2, dtype=torch.long)
    for row in range(count):
        length = int(torch.randint(3, longest + 1, ()))
        word = torch.randint(3, SYMBOLS, (length,))
        source[row, :length] = word
        target[row, 0], target[row, length + 1] = START, END
        target[row, 1 : length + 1] = word.flip(0)
    return source, target


class Translator(nn.Module):
    """Two GRUs, and attention from the one to the other."""

    def __init__(self) -> None:
        super().__init__()
        self.source = nn.Embedding(SYMBOLS, 32, padding_idx=PAD)
        self.target = nn.Embedding(SYMBOLS, 32, padding_idx=PAD)
        self.encoder = nn.GRU(32, 48, batch_first=True)
        self.decoder = nn.GRU(32, 48, batch_first=True)
        self.query = nn.Linear(48, 48, bias=False)
        self.out = nn.Linear(96, SYMBOLS)

    def forward(self, source: Tensor, before: Tensor) -> Tensor:
        memory, state = self.encoder(self.source(source))
        h, _ = self.decoder(self.target(before), state)
        match = self.query(h) @ memory.mT / 48**0.5
        match = match.masked_fill((source == PAD)[:, None], -1e9)
        answer: Tensor = self.out(torch.cat([h, match.softmax(-1) @ memory], -1))
        return answer


def recurrent() -> Trained:
    source, target = reversals(1600)
    model = Translator()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    loss_fn = nn.CrossEntropyLoss(ignore_index=PAD)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1400, 70, 9):
            before, after = target[chosen, :-1], target[chosen, 1:]
            logits = model(source[chosen], before)
            loss = loss_fn(logits.reshape(-1, SYMBOLS), after.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(loss, target=after)
    with torch.no_grad():
        answer = model.eval()(source[1400:], target[1400:, :-1]).argmax(-1)
    truth = target[1400:, 1:]
    score = float((answer == truth)[truth != PAD].double().mean())
    return Trained(
        watch,
        score,
        {
            "train": ((source[:1400], target[:1400, :-1]), target[:1400, 1:]),
            "valid": ((source[1400:], target[1400:, :-1]), truth),
        },
    )


class Transformer(nn.Module):
    """Encoder and decoder, with learned positions and both masks."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols = nn.Embedding(SYMBOLS, 32)
        self.places = nn.Parameter(0.1 * torch.randn(8, 32))
        self.body = nn.Transformer(32, 2, 1, 1, 64, 0.0, batch_first=True)
        self.out = nn.Linear(32, SYMBOLS)

    def forward(self, source: Tensor, before: Tensor) -> Tensor:
        length = before.shape[1]
        h = self.body(
            self.symbols(source) + self.places[: source.shape[1]],
            self.symbols(before) + self.places[:length],
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(length),
            src_key_padding_mask=source == PAD,
            memory_key_padding_mask=source == PAD,
        )
        answer: Tensor = self.out(h)
        return answer


def transformer() -> Trained:
    source, target = reversals(1600, 5)
    model = Transformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    loss_fn = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=0.05)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1400, 70, 9):
            before, after = target[chosen, :-1], target[chosen, 1:]
            logits = model(source[chosen], before)
            descend(watch, optimizer, loss_fn(logits.mT, after), after)
    with torch.no_grad():
        answer = model(source[1400:], target[1400:, :-1]).argmax(-1)
    truth = target[1400:, 1:]
    return Trained(watch, float((answer == truth)[truth != PAD].double().mean()))


def alignment() -> Trained:
    """CTC: each symbol lasts for some steps, and nobody says which."""
    count, steps = 600, 20
    patterns = torch.randn(6, 8)
    x = torch.zeros(count, steps, 8)
    words, lengths = torch.zeros(count, 4, dtype=torch.long), torch.full((count,), 4)
    for row in range(count):
        words[row] = torch.randint(1, 6, (4,))
        lasting = torch.multinomial(torch.ones(steps - 1), 3).sort().values + 1
        place = (torch.arange(steps)[:, None] >= lasting).sum(1)
        x[row] = patterns[words[row][place]] + 0.3 * torch.randn(steps, 8)

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.GRU(8, 32, batch_first=True, bidirectional=True)
            self.out = nn.Linear(64, 6)

        def forward(self, x: Tensor) -> Tensor:
            return F.log_softmax(self.out(self.body(x)[0]), -1)

    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss_fn = nn.CTCLoss(blank=0, zero_infinity=True)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(500, 25, 10):
            spoken = model(x[chosen]).transpose(0, 1)  # time first
            loss = loss_fn(
                spoken, words[chosen], torch.full((len(chosen),), steps), lengths[chosen]
            )
            descend(watch, optimizer, loss, words[chosen])
    with torch.no_grad():
        best = model(x[500:]).argmax(-1)
    right = []
    for path, word in zip(best, words[500:], strict=True):
        spoken = torch.unique_consecutive(path)
        # two equal patterns after each other are not to be told from one that lasts longer
        if bool((word[1:] != word[:-1]).all()):
            right.append(torch.equal(spoken[spoken > 0], word))
    return Trained(watch, sum(right) / len(right))


CASES = [
    healthy("translation, two GRUs and attention", recurrent),
    healthy("translation, transformer", transformer),
    healthy("CTC", alignment),
]
