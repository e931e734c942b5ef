"""Does an attention layer's mask block the padding of sequences, or their words?"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.doctor.questions.padding import sequence_lengths
from sevensteps.observe.structure import tensors_of

SAMPLES = 24  # that are asked about
MASKS = ("key_padding_mask", "src_key_padding_mask", "tgt_key_padding_mask")


@dataclass(frozen=True)
class PaddingMask:
    """The first attention layer with a mask of padding, and which share of the words and of the
    padding it blocks.
    """

    layer: str
    words: float
    padding: float


def padding_mask(case: Case) -> PaddingMask | None:
    """Read the mask that PyTorch's attention layers are called with, beside the sequences that it
    is for; None where there is none.
    """
    if case.examples is None or sequence_lengths(tensors_of(case.examples[0])) is None:
        return None
    return put(case, "input_not_used", _ask, most=SAMPLES)


def _ask(asker: Asker) -> PaddingMask | None:
    padded = sequence_lengths(tensors_of(asker.inputs))
    if padded is None or asker.count < 4:
        return None
    lengths, steps = padded
    words = torch.arange(steps, device=lengths.device) < lengths[:, None]
    masks: list[tuple[str, Tensor]] = []

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _args: Any, keywords: dict[str, Any]) -> None:
            masks.extend((name, m) for key in MASKS if (m := keywords.get(key)) is not None)

        return hook

    with ExitStack() as hooks:
        for name, module in asker.network.named_modules():
            if isinstance(module, nn.MultiheadAttention | nn.TransformerEncoderLayer):
                handle = module.register_forward_pre_hook(note(name), with_kwargs=True)
                hooks.callback(handle.remove)
        asker(asker.inputs)
    for name, mask in masks:
        if mask.shape != words.shape:
            continue
        blocked = mask if mask.dtype == torch.bool else mask < 0
        return PaddingMask(name, _share(blocked, words), _share(blocked, ~words))
    return None


def _share(blocked: Tensor, places: Tensor) -> float:
    return float((blocked & places).sum() / places.sum().clamp_min(1))
