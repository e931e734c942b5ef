"""The network and the samples of which a gradient is asked, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sevensteps.engine.engine import refuse_step
from sevensteps.errors import ArgumentError
from sevensteps.explain.forward import evaluation_copy, forward_pass
from sevensteps.explain.subject import Subject

# of inputs taken together, at most: each layer's outputs are in memory three times, in float64
MAX_NUMBERS = 20_000_000


def network_and_batch(
    subject: Subject, samples: int | Sequence[int] | str, part: str
) -> tuple[nn.Module, Tensor, Tensor, list[int]]:
    """The network in evaluation mode, inputs [B, …], targets, and the numbers of the samples.

    `samples` is one number, several, or "all" of `part`; all is in float64. Raises `ArgumentError`
    if no gradient can be taken: no trained parameters, no such sample, or too many of them.
    """
    network = evaluation_copy(subject.network)
    refuse_step(network, "a gradient")
    if not any(p.requires_grad for p in network.parameters()):
        raise ArgumentError(
            "the network has no parameter that is trained, so there is no gradient; see what it "
            "answers: explain sample"
        )
    x, y = subject.part(part)
    if isinstance(samples, str) and samples != "all":
        raise ArgumentError(f"samples are a number, several, or 'all', not {samples!r}")
    if isinstance(samples, str):
        chosen = list(range(len(y)))
    else:
        chosen = [samples] if isinstance(samples, int) else list(samples)
    if not chosen:
        raise ArgumentError("a batch of no samples has no gradient; give at least one")
    for index in {min(chosen), max(chosen)}:
        subject.sample(index, part)  # raises where there is no such sample
    chosen = [index % len(y) for index in chosen]
    if (numbers := len(chosen) * x.shape[1:].numel()) > MAX_NUMBERS:
        raise ArgumentError(
            f"a batch of {len(chosen):,} samples has {numbers:,} numbers, more than "
            f"{MAX_NUMBERS:,}; give fewer samples"
        )
    rows = torch.tensor(chosen)
    inputs, targets = x[rows].cpu().double(), y[rows].cpu()
    forward_pass(network, inputs, (torch.float64,))  # raises one line where it fails
    return network, inputs, targets.double() if targets.is_floating_point() else targets, chosen
