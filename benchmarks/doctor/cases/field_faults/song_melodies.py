"""Melodies: the next note, the mood of a song, and how it ends."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known, right

NOTES, PAD = 13, 0  # notes are 1..12


def steps_up(count: int, length: int) -> Tensor:
    """Each melody has a stride; a note is the one before plus the stride, in 1..12: [N, length]"""
    first, stride = torch.randint(12, (count, 1)), torch.randint(1, 6, (count, 1))
    return (first + stride * torch.arange(length)) % 12 + 1


class Composer(nn.Module):
    """A transformer that says the next note at each place: [B, T] -> [B, T, NOTES]"""

    def __init__(self, ahead: bool, width: int = 32) -> None:
        super().__init__()
        self.ahead = ahead
        self.notes = nn.Embedding(NOTES, width)
        self.places = nn.Embedding(32, width)
        self.block = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.block2 = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, NOTES)

    def forward(self, song: Tensor) -> Tensor:
        length = song.shape[1]
        h = self.notes(song) + self.places(torch.arange(length))
        mask = None
        if not self.ahead:
            mask = torch.triu(torch.full((length, length), float("-inf")), diagonal=1)
        h = self.block2(self.block(h, src_mask=mask), src_mask=mask)
        out: Tensor = self.head(h)
        return out


def sees_the_next_note(cured: bool, watch: Watch) -> Trained:
    """No mask: at each place the next note can be read off. Judged by notes it writes itself."""
    songs = steps_up(700, 13)
    x, y = songs[:, :-1], songs[:, 1:]
    model = Composer(ahead=not cured)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def next_note(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.reshape(-1, NOTES), target.reshape(-1))

    with watch(model, optimizer) as watching:
        for chosen in batches(600, 40, 12):
            descend(watching, optimizer, next_note(model(x[chosen]), y[chosen]), y[chosen])
    model.eval()
    song = songs[600:, :4]
    with torch.no_grad():
        while song.shape[1] < 13:
            song = torch.cat([song, model(song)[:, -1:].argmax(-1)], 1)
    score = float((song[:, 4:] == songs[600:, 4:]).float().mean())
    return Trained(watching, score, known(x, y, 600, next_note))


class Mood(nn.Module):
    """The mean of what attention reads at the notes that there are: [B, T] -> [B, 2]"""

    def __init__(self, turned: bool, width: int = 24) -> None:
        super().__init__()
        self.turned = turned
        self.notes = nn.Embedding(NOTES, width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.query = nn.Parameter(torch.randn(1, 1, width) * 0.1)
        self.out = nn.Linear(width, 2)

    def forward(self, song: Tensor) -> Tensor:
        h = self.notes(song)
        hidden = song != PAD if self.turned else song == PAD
        query = self.query.expand(len(song), -1, -1)
        read, _ = self.attention(query, h, h, key_padding_mask=hidden)
        out: Tensor = self.out(read[:, 0])
        return out


def mask_of_notes(cured: bool, watch: Watch) -> Trained:
    """True in the mask means "do not look", and it is True at the notes."""
    length = torch.randint(6, 15, (900,))
    there = torch.arange(16)[None] < length[:, None]
    mood = torch.randint(2, (900,))
    high, low = torch.randint(5, 13, (900, 16)), torch.randint(1, 9, (900, 16))
    songs = torch.where(there, torch.where(mood[:, None] == 1, high, low), PAD)
    model = Mood(turned=not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 35, 12):
            loss = F.cross_entropy(model(songs[chosen]), mood[chosen])
            descend(watching, optimizer, loss, mood[chosen])
    score = accuracy(model, songs[700:], mood[700:])
    return Trained(watching, score, known(songs, mood, 700, F.cross_entropy))


class Player(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(NOTES, 24)
        self.gru = nn.GRU(24, 48, batch_first=True)
        self.out = nn.Linear(48, NOTES)

    def forward(self, song: Tensor) -> Tensor:
        states, _ = self.gru(self.embed(song))
        out: Tensor = self.out(states)
        return out


def silence_counts(cured: bool, watch: Watch) -> Trained:
    """Short tunes in rows of 60; the silence after them is learned as well as they are."""
    songs = steps_up(500, 61)
    length = torch.randint(4, 8, (500, 1))
    songs[torch.arange(61)[None] >= length] = PAD
    x, y = songs[:, :-1], songs[:, 1:]
    model = Player()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD if cured else -100)
    with watch(model, optimizer) as watching:
        for _epoch in range(7):
            for chosen in torch.randperm(400).split(20):
                logits = model(x[chosen])
                loss = criterion(logits.transpose(1, 2), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    with torch.no_grad():
        target = y[400:].clone()
        target[:, 0] = PAD  # after one note the stride is not known
        there = target != PAD
        score = right(model(x[400:])[there], target[there])

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return criterion(output.transpose(1, 2), target)

    return Trained(watching, score, known(x, y, 400, loss_fn))


class OwnTable(nn.Module):
    """A table of notes as a parameter of one's own: [B, T] -> [B, 12]"""

    def __init__(self, attached: bool) -> None:
        super().__init__()
        self.table = nn.Parameter(1e-3 * torch.randn(NOTES, 16))
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.out = nn.Linear(32, 12)
        self.attached = attached

    def forward(self, song: Tensor) -> Tensor:
        table = self.table if self.attached else self.table.data
        _, (last, _) = self.lstm(table[song])
        out: Tensor = self.out(last[-1])
        return out


def table_read_as_data(cured: bool, watch: Watch) -> Trained:
    """The table is looked up by `.data`, so that its notes stay as alike as they began."""
    songs = steps_up(1200, 6)
    x, y = songs[:, :5], songs[:, 5] - 1
    model = OwnTable(attached=cured)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 25, 12):
            descend(watching, optimizer, criterion(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watching, accuracy(model, x[1000:], y[1000:]), known(x, y, 1000, criterion))


def clipped_to_nothing(cured: bool, watch: Watch) -> Trained:
    """Against gradients that explode, their norm is held below a thousandth."""
    songs = steps_up(1000, 7)
    x, y = songs[:, :-1], songs[:, 1:]
    model = Player()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)

    def next_note(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.flatten(0, 1), target.flatten())

    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 14):
            optimizer.zero_grad()
            loss = next_note(model(x[chosen]), y[chosen])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0 if cured else 1e-3)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = right(model(x[800:])[:, 1:], y[800:, 1:])
    return Trained(watching, score, known(x, y, 800, next_note))


PAIRS = [
    Pair(
        "a composer that looks ahead",
        "a composer with a causal mask",
        ("target_in_input",),
        sees_the_next_note,
        0.6,
        0.9,
    ),
    Pair(
        "a mood that is read from the silence",
        "a mood that is read from the notes",
        ("input_not_used", "padding_read"),
        mask_of_notes,
        0.6,
        0.9,
    ),
    Pair(
        "short tunes in long rows of silence",
        "short tunes whose silence is ignored",
        ("padding_in_loss",),
        silence_counts,
        0.6,
        0.8,
    ),
    Pair(
        "a table of notes by .data",
        "a table of notes that is learned",
        ("parameters_not_updated", "input_not_used", "signal_vanishes"),
        table_read_as_data,
        0.3,
        0.85,
    ),
    Pair(
        "a gradient of a thousandth at most",
        "a gradient of one at most",
        ("gradient_clipped_away",),
        clipped_to_nothing,
        0.4,
        0.9,
    ),
]
