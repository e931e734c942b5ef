"""Examples of the words about kinds of networks are read off the network."""

from __future__ import annotations

import torch
from torch import nn

import sevensteps as ss
from tests.explain.words.conftest import numbers, trained


class Reader(nn.Module):
    """Reads five words: an embedding, attention, a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.memory = nn.GRU(4, 3, batch_first=True)
        self.output = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embedding(x.long())
        h = h + self.attention(h, h, h, need_weights=False)[0]
        return self.output(self.memory(h)[0][:, -1])


def lacking(run: ss.Run, word: str) -> str:
    (entry,) = run.explain.words(word).entries
    return entry.lacking


def test_a_plain_network_has_none_of_them(run: ss.Run) -> None:
    assert lacking(run, "attention") == "its network has no attention layer"
    assert lacking(run, "lstm") == "its network has no recurrent layer"
    assert lacking(run, "transformer") == "its network has no transformer block"
    assert lacking(run, "skip connection").startswith("each of its layers takes the output")
    assert lacking(run, "frozen") == "all its parameters are trained"
    assert lacking(run, "eval mode").endswith("both modes are the same")
    assert lacking(run, "gelu").startswith("its activation is ReLU; ")
    assert "measured numbers" in lacking(run, "token")
    assert "kaiming_normal()" in lacking(run, "fine-tuning")
    assert lacking(run, "augmentation").endswith("the same in every epoch")
    assert all(lacking(run, word) for word in ("gan", "reward", "ensemble"))
    assert numbers(run, "bottleneck") == {"layer": "layer1", "units": 12, "inputs": 64}
    assert numbers(run, "channel") == {"channels": 1}


def test_what_a_network_has_is_named() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        words = torch.randint(9, (60, 5))
        run = trained(ss.data.from_arrays(words, words[:, 0] % 2), predict=Reader())
    assert numbers(run, "attention") == {"names": ["attention"]}
    assert numbers(run, "gru") == {"names": ["memory"]}
    assert len(numbers(run, "token")["tokens"]) == 5
    assert "own forward()" in lacking(run, "residual connection")
    assert lacking(run, "channel") == "its inputs are not pictures"


def test_layers_that_differ_in_evaluation() -> None:
    run = trained("iris", predict="mlp(4, dropout=0.5, activation='leaky_relu')")
    assert len(numbers(run, "training mode")["layers"]) == 1
    assert len(numbers(run, "leaky ReLU")["names"]) == 1
