"""Alterations of what a recurrent layer reads of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from sevensteps.doctor.trials.script.base import AlteredTraining, Intervention, random_seed


class Lengths:
    """A hook before a network's forward pass that counts the steps of each sequence: those before
    the `padding` at its end. With a seed, they are drawn at random.
    """

    def __init__(self, padding: int, seed: int | None) -> None:
        self.padding, self.seed, self.calls = padding, seed, 0
        self.lengths: Tensor | None = None
        self.steps = 0

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        self.lengths = None
        for x in arguments:
            if isinstance(x, Tensor) and x.ndim in (2, 3):
                self.steps = x.shape[1]
                own = (x != self.padding) if x.ndim == 2 else (x != self.padding).any(2)
                places = torch.arange(1, self.steps + 1, device=x.device)
                self.lengths = (own * places).amax(1).clamp_min(1).cpu()
                break
        if self.lengths is not None and self.seed is not None:
            self.calls += 1
            draw = torch.Generator().manual_seed(self.seed + self.calls)
            shape = self.lengths.shape
            self.lengths = torch.randint(1, self.steps + 1, shape, generator=draw)


class Pack:
    """A hook before a recurrent layer that hands it the sequences without their padding."""

    def __init__(self, lengths: Lengths, first: bool) -> None:
        self.lengths, self.first = lengths, first

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...]) -> Any:
        x, lengths = arguments[0], self.lengths.lengths
        if not isinstance(x, Tensor) or x.ndim != 3 or lengths is None:
            return None
        batch, steps = x.shape[:2] if self.first else (x.shape[1], x.shape[0])
        if (batch, steps) != (len(lengths), self.lengths.steps):
            return None
        packed = pack_padded_sequence(x, lengths, self.first, enforce_sorted=False)
        return packed, *arguments[1:]


class Unpack:
    """A hook after it: what it gives for the last step of a sequence stays until the end."""

    def __init__(self, lengths: Lengths, first: bool) -> None:
        self.lengths, self.first = lengths, first

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:
        if not isinstance(output[0], PackedSequence) or self.lengths.lengths is None:
            return None
        out, lengths = pad_packed_sequence(output[0], True, total_length=self.lengths.steps)
        places = torch.arange(out.shape[1])[None].minimum(lengths[:, None] - 1)
        out = out.gather(1, places.to(out.device)[..., None].expand_as(out))
        return out if self.first else out.transpose(0, 1), output[1]


@dataclass
class StopAtPadding(Intervention):
    """Recurrent layers stop where the padding after a sequence begins."""

    padding: int
    step: ClassVar[str] = "predict"

    def control(self, draw: torch.Generator) -> Intervention | None:
        return StopAnywhere(self.padding, random_seed(draw))

    def network_known(self, training: AlteredTraining) -> None:
        if self.applied:
            return
        network = next(iter(training.networks.values()))
        lengths = Lengths(self.padding, self._seed())
        network.register_forward_pre_hook(lengths)
        for layer in network.modules():
            if isinstance(layer, nn.RNNBase):
                layer.register_forward_pre_hook(Pack(lengths, layer.batch_first))
                layer.register_forward_hook(Unpack(lengths, layer.batch_first))
                self.applied = True

    def _seed(self) -> int | None:
        return None


@dataclass
class StopAnywhere(StopAtPadding):
    """They stop anywhere."""

    seed: int

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def _seed(self) -> int | None:
        return self.seed
