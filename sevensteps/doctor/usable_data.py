"""Whether a network and a loss take the data that somebody handed over; what can be mended safely
is, and of the rest it is said why not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sevensteps.doctor.asking import ask, mended, mended_targets
from sevensteps.doctor.case import Case, failure_text
from sevensteps.doctor.pairs import Pair
from sevensteps.observe.structure import main_output, rows

TRIED = 8  # samples


def check_data(case: Case) -> None:
    """Try the data and the loss of `case` on its network, and leave out what cannot be used: device
    and precision are mended.
    """
    if case.network is None:
        return
    with case.network_copy() as network, torch.no_grad():
        if network is None:
            return
        for part in ("train", "valid"):
            if (pair := case.part(part)) is not None:
                case.hand_over(part, _usable(case, part, network, pair))
        if case.loss_fn is None or (examples := case.examples) is None:
            return
        if failure := _failure(lambda: _loss(case, network, examples)):
            why = f"it does not take these outputs and targets: {failure}"
            case.not_judged.append(("loss_fn", why))
            case.loss_fn = None


def _usable(case: Case, part: str, network: nn.Module, pair: Pair) -> Pair | None:
    """`pair` as the network and the loss take it; None where the network does not."""
    inputs, targets = pair
    few = rows(inputs, slice(0, TRIED)), rows(targets, slice(0, TRIED))
    if failure := _failure(lambda: ask(network, few[0])):
        few = mended(network, few[0]), few[1]
        if _failure(lambda: ask(network, few[0])):
            case.not_judged.append((part, f"the network does not take these inputs: {failure}"))
            return None
        inputs = mended(network, inputs)
    if case.loss_fn is not None and _failure(lambda: _loss(case, network, few)):
        answer = main_output(ask(network, few[0]))
        if answer is not None:
            fitting = mended_targets(answer, few[1])
            if not _failure(lambda: _loss(case, network, (few[0], fitting))):
                targets = mended_targets(answer, targets)
    return inputs, targets


def _loss(case: Case, network: nn.Module, pair: Pair) -> Any:
    assert case.loss_fn is not None
    few = rows(pair[0], slice(0, TRIED)), rows(pair[1], slice(0, TRIED))
    with torch.enable_grad():  # a wrong precision may show on the way back only
        loss = case.loss_fn(ask(network, few[0]), few[1])
        loss = loss.mean() if loss.ndim else loss
        if loss.requires_grad:
            torch.autograd.grad(
                loss, [p for p in network.parameters() if p.requires_grad][:1], allow_unused=True
            )


def _failure(attempt: Callable[[], Any]) -> str:
    """What `attempt` raises, in one line; "" where it does not."""
    try:
        attempt()
    except Exception as failure:
        return failure_text(failure)
    return ""
