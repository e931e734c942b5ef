"""Which digit, and how much ink: one body, two heads, two losses."""
import argparse
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn


class Answer(NamedTuple):
    digit: Tensor  # [B, 10] logits
    ink: Tensor  # [B]


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU())
        self.digit = nn.Linear(48, 10)
        self.ink = nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Answer:
        h = self.body(x)
        return Answer(self.digit(h), self.ink(h).squeeze(1))


def load(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    bunch = load_digits()
    order = torch.randperm(len(bunch.target), generator=torch.Generator().manual_seed(seed))
    pixels = torch.tensor(bunch.data, dtype=torch.float32)[order]
    ink = pixels.sum(dim=1)
    return pixels / 16 - 0.3, torch.tensor(bunch.target)[order], ink


def main(seed: int = 0, epochs: int = 20) -> float:
    torch.manual_seed(seed)
    x, digit, ink = load(seed)
    train, valid = slice(0, 1400), slice(1400, None)
    model = TwoHeads()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        for rows in torch.randperm(1400).split(70):
            answer = model(x[train][rows])
            loss_digit = nn.functional.cross_entropy(answer.digit, digit[train][rows])
            loss_ink = nn.functional.mse_loss(answer.ink, ink[train][rows])
            loss = loss_digit + 0.5 * loss_ink
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            answer = model(x[valid])
        accuracy = (answer.digit.argmax(1) == digit[valid]).float().mean().item()
        r2 = 1 - (answer.ink - ink[valid]).pow(2).mean().item() / ink[valid].var().item()
        if epoch % 4 == 3:
            print(f"{epoch + 1}: digit {loss_digit:.3f} ink {loss_ink:.3f} "
                  f"accuracy {accuracy:.3f} r2 {r2:.3f}")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    print(f"digit accuracy: {main(parser.parse_args().seed):.4f}")
