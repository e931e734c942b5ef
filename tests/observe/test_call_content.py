"""What the numbers of a call were, and where a target comes from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.observe.recorded_step import X, Y, network, of_kind, only_term, record

pytestmark = pytest.mark.draws


def test_masks_of_attention_are_read() -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True)

    class Attends(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = nn.Transformer.generate_square_subsequent_mask(3)
            answer: Tensor = layer(x, x, x, attn_mask=mask, need_weights=False)[0]
            return answer

    (call,) = of_kind(record(Attends(), torch.ones(2, 3, 4), lambda o: o.mean()), "attention")
    assert call.options["attn_mask"] == "given"
    assert call.content["mask.causal"] is True
    assert call.content["mask.blocked_rows"] == 0.0


def test_where_a_target_comes_from() -> None:
    model, target_network = network(), network()
    teacher = network()

    def bootstrapped(output: Tensor) -> Tensor:
        with torch.no_grad():
            target = 1 + 0.9 * target_network(X).max(1).values
        return F.mse_loss(output[:, 0], target)

    targets: dict[str, Callable[[Tensor], Tensor]] = {
        "data": lambda o: F.cross_entropy(o, Y),
        "constant": lambda o: F.binary_cross_entropy_with_logits(o, torch.ones(8, 3)),
        "positions": lambda o: F.cross_entropy(o @ o.T, torch.arange(8)),
        "network": bootstrapped,
        "output": lambda o: F.mse_loss(o, teacher(X)),
    }
    for origin, compute in targets.items():
        assert only_term(record(model, X, compute)).target == origin
    detached = record(model, X, lambda o: F.mse_loss(o, (o * 2).detach() + 1))
    assert only_term(detached).target == "network"
    coder = nn.Sequential(nn.Linear(6, 2), nn.Linear(2, 6))
    assert only_term(record(coder, X, lambda o: F.mse_loss(o, X))).target == "input"
    tokens = torch.arange(24).view(4, 6) % 7
    words = nn.Embedding(7, 7)
    language = record(
        words, tokens[:, :-1], lambda o: F.cross_entropy(o.reshape(-1, 7), tokens[:, 1:].flatten())
    )
    assert only_term(language).target == "shifted input"
