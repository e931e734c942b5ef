"""Sequences of unequal length in dictionaries; a collate function pads them."""
import argparse
import random

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset


class Melodies(Dataset):
    """Notes 1 to 12 that mostly climb, or mostly fall; which of the two is to be told."""

    def __init__(self, count, seed):
        draw = random.Random(seed)
        self.items = []
        for _ in range(count):
            climbs, note, notes = draw.random() < 0.5, draw.randint(1, 12), []
            for _ in range(draw.randint(6, 14)):
                notes.append(note)
                step = draw.choice([1, 2, 1, -1])
                note = (note + (step if climbs else -step) - 1) % 12 + 1
            self.items.append({"notes": torch.tensor(notes), "climbs": int(climbs)})

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def collate(items):
    by_length = sorted(items, key=lambda item: -len(item["notes"]))
    return {
        "notes": pad_sequence([item["notes"] for item in by_length], batch_first=True),
        "length": torch.tensor([len(item["notes"]) for item in by_length]),
        "climbs": torch.tensor([item["climbs"] for item in items]),
    }


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.notes = nn.Embedding(13, 16, padding_idx=0)
        self.steps = nn.Conv1d(16, 32, 3, padding=1)
        self.answer = nn.Linear(32, 2)

    def forward(self, notes, length):
        h = F.relu(self.steps(self.notes(notes).transpose(1, 2)))
        known = torch.arange(notes.shape[1]) < length[:, None]
        mean = (h * known[:, None]).sum(2) / length[:, None]
        return self.answer(mean)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    torch.manual_seed(seed)
    train = DataLoader(Melodies(1200, seed), batch_size=40, shuffle=True, collate_fn=collate)
    valid = DataLoader(Melodies(300, seed + 1000), batch_size=100, collate_fn=collate)
    model = Listener()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(10):
        model.train()
        for batch in train:
            loss = F.cross_entropy(model(batch["notes"], batch["length"]), batch["climbs"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = [
                (model(b["notes"], b["length"]).argmax(-1) == b["climbs"]).float() for b in valid
            ]
        print(f"{epoch} {loss.item():.4f} {torch.cat(right).mean():.4f}")


main()
