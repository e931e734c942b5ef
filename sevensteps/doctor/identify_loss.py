"""Which loss a loop uses, told from what it did: its slope dL/d(output) is compared with that of
every loss PyTorch has.

A loop hands over a number, not a function. But each loss has a slope of its own, so that output,
target and slope of one batch say which it was, whether it was averaged or summed, and whether it
falls or rises where it should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.observe.look import Look

TOLD = 3  # numbers of a slope that tell one loss from another
ALIKE = 1e-3  # largest distance between two slopes of length 1 that are called the same

LossFn = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class KnownLoss:
    """A loss by name, with its sum over samples as a function of output and target.

    `link` is what the output goes through before it is compared ("softmax", "sigmoid", "identity");
    `faulty` says what is wrong with it in itself, where something is."""

    name: str
    sum: LossFn
    link: str = "identity"
    faulty: str = ""


@dataclass(frozen=True)
class FoundLoss:
    """The loss of a loop. `scale` is what a sample's loss was multiplied by, times the number of samples: 1 for a mean, B for a sum."""

    loss: KnownLoss
    scale: float
    distance: float

    @property
    def name(self) -> str:
        """Its name."""
        return self.loss.name


def _index(o: Tensor, t: Tensor) -> Tensor:
    if o.ndim != 2 or t.ndim != 1 or t.is_floating_point():
        raise ValueError
    return t


def _one_hot(o: Tensor, t: Tensor) -> Tensor:
    return F.one_hot(_index(o, t), o.shape[1]).to(o.dtype)


def _same(o: Tensor, t: Tensor) -> Tensor:
    if o.shape != t.shape:
        raise ValueError
    return t.to(o.dtype)


def _answers(t: Tensor) -> Tensor:
    """Targets near 0 and 1; far from them every slope looks like that of a square."""
    if t.min() < -2 or t.max() > 3:
        raise ValueError
    return t


def _column(o: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Output [B, 1] and target [B], or the other way round, as one column each."""
    if o.shape == t.shape or o.numel() != t.numel():
        raise ValueError
    return o.reshape(-1), t.reshape(-1).to(o.dtype)


def _crossed(o: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Shapes that broadcast to more numbers than either has, such as [B, 1] against [B]."""
    both: tuple[Tensor, Tensor] = torch.broadcast_tensors(o, t.to(o.dtype))
    if both[0].numel() <= max(o.numel(), t.numel()):
        raise ValueError
    return both


def _probabilities(o: Tensor) -> Tensor:
    if o.min() < 0 or o.max() > 1:
        raise ValueError
    return o.clamp(1e-12, 1)


KNOWN: tuple[KnownLoss, ...] = (
    KnownLoss(
        "cross_entropy", lambda o, t: F.cross_entropy(o, _index(o, t), reduction="sum"), "softmax"
    ),
    KnownLoss(
        "binary_cross_entropy_with_logits",
        lambda o, t: F.binary_cross_entropy_with_logits(o, _answers(_same(o, t)), reduction="sum"),
        "sigmoid",
    ),
    KnownLoss(
        "binary_cross_entropy",
        lambda o, t: F.binary_cross_entropy(_probabilities(o), _same(o, t), reduction="sum"),
    ),
    KnownLoss("mse_loss", lambda o, t: F.mse_loss(o, _same(o, t), reduction="sum")),
    KnownLoss("l1_loss", lambda o, t: F.l1_loss(o, _same(o, t), reduction="sum")),
    KnownLoss("smooth_l1_loss", lambda o, t: F.smooth_l1_loss(o, _same(o, t), reduction="sum")),
    KnownLoss("nll_loss", lambda o, t: F.nll_loss(o, _index(o, t), reduction="sum")),
    KnownLoss(
        "nll_loss of log(output)",
        lambda o, t: -_probabilities(o).log().gather(1, _index(o, t)[:, None]).sum(),
    ),
    KnownLoss(
        "nll_loss of log(normalised output)",
        lambda o, t: (
            -(o / o.sum(1, keepdim=True))
            .clamp_min(1e-12)
            .log()
            .gather(1, _index(o, t)[:, None])
            .sum()
        ),
    ),
    KnownLoss(
        "cross_entropy with probabilities as targets",
        lambda o, t: F.cross_entropy(o, _same(o, t), reduction="sum"),
        "softmax",
    ),
    KnownLoss(
        "mse_loss against one-hot", lambda o, t: F.mse_loss(o, _one_hot(o, t), reduction="sum")
    ),
    KnownLoss(
        "mse_loss of softmax against one-hot",
        lambda o, t: F.mse_loss(o.softmax(1), _one_hot(o, t), reduction="sum"),
        "softmax",
    ),
    KnownLoss(
        "mse_loss of sigmoid",
        lambda o, t: F.mse_loss(o.sigmoid(), _same(o, t), reduction="sum"),
        "sigmoid",
    ),
    KnownLoss(
        "multi_margin_loss", lambda o, t: F.multi_margin_loss(o, _index(o, t), reduction="sum")
    ),
    KnownLoss(
        "mnist_loss",
        lambda o, t: torch.where(_same(o, t) == 1, 1 - o.sigmoid(), o.sigmoid()).sum(),
        "sigmoid",
    ),
    KnownLoss("mse_loss of columns", lambda o, t: F.mse_loss(*_column(o, t), reduction="sum")),
    KnownLoss(
        "binary_cross_entropy_with_logits of columns",
        lambda o, t: F.binary_cross_entropy_with_logits(*_column(o, t), reduction="sum"),
        "sigmoid",
    ),
    KnownLoss(
        "cross_entropy of columns",
        lambda o, t: F.cross_entropy(o, t.reshape(-1), reduction="sum"),
        "softmax",
    ),
    KnownLoss(
        "cross_entropy of softmax",
        lambda o, t: F.cross_entropy(o.softmax(1), _index(o, t), reduction="sum"),
        "softmax",
        "softmax is applied twice: cross_entropy takes logits and applies it itself",
    ),
    KnownLoss(
        "cross_entropy of sigmoid",
        lambda o, t: F.cross_entropy(o.sigmoid(), _index(o, t), reduction="sum"),
        "sigmoid",
        "cross_entropy takes logits; after a sigmoid they lie between 0 and 1 and its loss cannot "
        "come near 0",
    ),
    KnownLoss(
        "cross_entropy over the batch",
        lambda o, t: F.nll_loss(o.log_softmax(0), _index(o, t), reduction="sum"),
        "softmax",
        "the softmax runs over the samples of the batch (dim=0) where it should run over the "
        "classes (dim=1)",
    ),
    KnownLoss(
        "nll_loss of softmax",
        lambda o, t: F.nll_loss(o.softmax(1), _index(o, t), reduction="sum"),
        "softmax",
        "the logarithm is missing: nll_loss takes log-probabilities",
    ),
    KnownLoss(
        "binary_cross_entropy_with_logits of sigmoid",
        lambda o, t: F.binary_cross_entropy_with_logits(o.sigmoid(), _same(o, t), reduction="sum"),
        "sigmoid",
        "sigmoid is applied twice: the loss takes logits and applies it itself",
    ),
    KnownLoss(
        "mse_loss of shapes that broadcast",
        lambda o, t: F.mse_loss(*_crossed(o, t), reduction="sum"),
        "identity",
        "output and target have different shapes, and every output is compared with every target",
    ),
    KnownLoss(
        "l1_loss of shapes that broadcast",
        lambda o, t: F.l1_loss(*_crossed(o, t), reduction="sum"),
        "identity",
        "output and target have different shapes, and every output is compared with every target",
    ),
)


def identify(
    output: Tensor | None, target: Tensor | None, slope: Tensor | None, batch: int
) -> FoundLoss | None:
    """The loss whose slope at `output` for `target` is nearest to `slope`; None where none is near,
    or something is missing.
    """
    if (
        output is None
        or target is None
        or slope is None
        or slope.shape != output.shape
        or not bool(slope.isfinite().all())
    ):
        return None
    o, t, s = output.double(), target, slope.double()
    t = t.double() if t.is_floating_point() else t.long()
    length = s.norm()
    if len(t) != len(o) or length == 0 or not bool(o.isfinite().all()):
        return None
    best: FoundLoss | None = None
    for known in KNOWN:
        d = derivative(known.sum, o, t)
        if d is None or d.norm() == 0:
            continue
        scale = float((s * d).sum() / d.square().sum())
        distance = float((s / length - torch.sign(torch.tensor(scale)) * d / d.norm()).norm())
        if distance < ALIKE and (
            best is None or distance < best.distance / 10
        ):  # of equals the first, which is the plainest
            best = FoundLoss(known, scale * batch, distance)
    return best


def identify_by(looks: Sequence[Look]) -> FoundLoss | None:
    """The same from looks at several steps: the first that tells it; all together where each has
    only a number or two.

    The scale of a slope is free, so that one number fits nearly every loss.
    """
    alone = next((look for look in looks if look.output is not None), None)
    if alone is not None and alone.output is not None and alone.output.numel() < TOLD:
        shape = alone.output.shape
        same = [
            (look.output, look.target, look.output_gradient)
            for look in looks
            if look.output is not None and look.output.shape == shape
        ]
        parts = [
            [t for t in part if t is not None and bool(t.isfinite().all())]
            for part in zip(*same, strict=True)
        ]
        if len({len(part) for part in parts}) > 1 or len(parts[0]) * alone.output.numel() <= TOLD:
            return None
        output, target, slope = (torch.cat(part) for part in parts)
        return identify(output, target, slope, alone.batch)
    return next(
        (
            found
            for look in looks
            if (found := identify(look.output, look.target, look.output_gradient, look.batch))
        ),
        None,
    )


def derivative(loss: LossFn, output: Tensor, target: Tensor) -> Tensor | None:
    """dL/d(output), or None where the loss cannot take these."""
    with torch.enable_grad():
        o = output.detach().requires_grad_()
        try:
            (found,) = torch.autograd.grad(loss(o, target), o)
        except (RuntimeError, ValueError, IndexError, TypeError):
            return None
    return found if bool(found.isfinite().all()) else None
