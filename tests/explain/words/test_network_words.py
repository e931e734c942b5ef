"""Words about kinds of networks are defined."""

from __future__ import annotations

import pytest

from sevensteps.explain.words.answer import find_word
from sevensteps.explain.words.network_words import OF_NETWORKS

OF_A_NETWORK = (
    "attention, self-attention, transformer, causal mask, LSTM, residual connection, skip "
    "connection, bottleneck, autoencoder, tokens, language model, GAN, reward, channels, gelu, "
    "transfer learning, fine-tuning, frozen, requires_grad, augmentation, evaluation mode, ensemble"
)


@pytest.mark.parametrize("word", OF_A_NETWORK.split(", "))
def test_every_word_about_networks_is_defined(word: str) -> None:
    assert find_word(word) in OF_NETWORKS
