"""Which loss a loop uses, identified by its gradient at the output, dL/d(output).

A loop hands over a number, not a function. But every loss has a gradient of its own. Output, target
and gradient of one batch therefore tell which loss it was, whether it was averaged or summed, and
whether it falls or rises where it should.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.observe.call import Call
from sevensteps.observe.look import Look

MIN_NUMBERS = 3  # numbers of a gradient that tell one loss from another
MAX_DISTANCE = 1e-3  # between two gradients of length 1 that count as the same

# functions of torch.nn.functional whose baseline is the entropy of the classes
CROSS_ENTROPIES = (
    "cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "nll_loss",
)
REGRESSION_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
SIGN_LOSSES = ("soft_margin_loss",)  # their targets are -1 and 1

LossFn = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class KnownLoss:
    """A loss by name, with its sum over the samples as a function of output and target.

    `link` is what the output goes through before it is compared ("softmax", "sigmoid", "identity").
    `fault` says what is wrong with this loss in itself, if anything is. `broadcasts`: output and
    target have different shapes, and all are compared with all.
    """

    name: str
    sum: LossFn
    link: str = "identity"
    fault: str = ""
    broadcasts: bool = False

    @property
    def function(self) -> str:
        """The function of `torch.nn.functional` that it is made with, such as "cross_entropy"."""
        return self.name.partition(" ")[0]


@dataclass(frozen=True)
class IdentifiedLoss:
    """The loss of a loop.

    `scale` is what a sample's loss was multiplied by, times the number of samples: 1 for a mean,
    the batch size B for a sum. `distance` is how far its gradient lies from the observed one.
    `function` computes it as it was called, and `call` is that call, where it was seen.
    """

    loss: KnownLoss
    scale: float
    distance: float
    function: LossFn | None = None
    call: Call | None = None

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch."""
        if self.function is not None:
            return self.function(output, target)
        return self.loss.sum(output, target) * (self.scale / len(output))

    @property
    def name(self) -> str:
        """The name of the loss."""
        return self.loss.name


def _class_indices(o: Tensor, t: Tensor) -> Tensor:
    if o.ndim != 2 or t.ndim != 1 or t.is_floating_point():
        raise ValueError
    return t


def _one_hot(o: Tensor, t: Tensor) -> Tensor:
    return F.one_hot(_class_indices(o, t), o.shape[1]).to(o.dtype)


def _same_shape(o: Tensor, t: Tensor) -> Tensor:
    if o.shape != t.shape:
        raise ValueError
    return t.to(o.dtype)


def _near_0_and_1(t: Tensor) -> Tensor:
    """Targets near 0 and 1; far from them every gradient looks like that of a squared error."""
    if t.min() < -2 or t.max() > 3:
        raise ValueError
    return t


def _as_columns(o: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Output [B, 1] and target [B], or the other way round, as one column each."""
    if o.shape == t.shape or o.numel() != t.numel():
        raise ValueError
    return o.reshape(-1), t.reshape(-1).to(o.dtype)


def _broadcast(o: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
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
        "cross_entropy",
        lambda o, t: F.cross_entropy(o, _class_indices(o, t), reduction="sum"),
        "softmax",
    ),
    KnownLoss(
        "binary_cross_entropy_with_logits",
        lambda o, t: F.binary_cross_entropy_with_logits(
            o, _near_0_and_1(_same_shape(o, t)), reduction="sum"
        ),
        "sigmoid",
    ),
    KnownLoss(
        "binary_cross_entropy",
        lambda o, t: F.binary_cross_entropy(_probabilities(o), _same_shape(o, t), reduction="sum"),
    ),
    KnownLoss("mse_loss", lambda o, t: F.mse_loss(o, _same_shape(o, t), reduction="sum")),
    KnownLoss("l1_loss", lambda o, t: F.l1_loss(o, _same_shape(o, t), reduction="sum")),
    KnownLoss(
        "smooth_l1_loss", lambda o, t: F.smooth_l1_loss(o, _same_shape(o, t), reduction="sum")
    ),
    KnownLoss("nll_loss", lambda o, t: F.nll_loss(o, _class_indices(o, t), reduction="sum")),
    KnownLoss(
        "nll_loss of log(output)",
        lambda o, t: -_probabilities(o).log().gather(1, _class_indices(o, t)[:, None]).sum(),
    ),
    KnownLoss(
        "nll_loss of log(normalised output)",
        lambda o, t: (
            -(o / o.sum(1, keepdim=True))
            .clamp_min(1e-12)
            .log()
            .gather(1, _class_indices(o, t)[:, None])
            .sum()
        ),
    ),
    KnownLoss(
        "cross_entropy with probabilities as targets",
        lambda o, t: F.cross_entropy(o, _same_shape(o, t), reduction="sum"),
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
        lambda o, t: F.mse_loss(o.sigmoid(), _same_shape(o, t), reduction="sum"),
        "sigmoid",
    ),
    KnownLoss(
        "multi_margin_loss",
        lambda o, t: F.multi_margin_loss(o, _class_indices(o, t), reduction="sum"),
    ),
    KnownLoss(
        "mnist_loss",
        lambda o, t: torch.where(_same_shape(o, t) == 1, 1 - o.sigmoid(), o.sigmoid()).sum(),
        "sigmoid",
    ),
    KnownLoss("mse_loss of columns", lambda o, t: F.mse_loss(*_as_columns(o, t), reduction="sum")),
    KnownLoss(
        "binary_cross_entropy_with_logits of columns",
        lambda o, t: F.binary_cross_entropy_with_logits(*_as_columns(o, t), reduction="sum"),
        "sigmoid",
    ),
    KnownLoss(
        "cross_entropy of columns",
        lambda o, t: F.cross_entropy(o, t.reshape(-1), reduction="sum"),
        "softmax",
    ),
    KnownLoss(
        "cross_entropy of softmax",
        lambda o, t: F.cross_entropy(o.softmax(1), _class_indices(o, t), reduction="sum"),
        "softmax",
        "softmax is applied twice: cross_entropy takes logits and applies it itself",
    ),
    KnownLoss(
        "cross_entropy of sigmoid",
        lambda o, t: F.cross_entropy(o.sigmoid(), _class_indices(o, t), reduction="sum"),
        "sigmoid",
        "cross_entropy takes logits; after a sigmoid they lie between 0 and 1 and its loss cannot "
        "come near 0",
    ),
    KnownLoss(
        "cross_entropy over the batch",
        lambda o, t: F.nll_loss(o.log_softmax(0), _class_indices(o, t), reduction="sum"),
        "softmax",
        "the softmax runs over the samples of the batch (dim=0) where it should run over the "
        "classes (dim=1)",
    ),
    KnownLoss(
        "nll_loss of softmax",
        lambda o, t: F.nll_loss(o.softmax(1), _class_indices(o, t), reduction="sum"),
        "softmax",
        "the logarithm is missing: nll_loss takes log-probabilities",
    ),
    KnownLoss(
        "binary_cross_entropy_with_logits of sigmoid",
        lambda o, t: F.binary_cross_entropy_with_logits(
            o.sigmoid(), _same_shape(o, t), reduction="sum"
        ),
        "sigmoid",
        "sigmoid is applied twice: the loss takes logits and applies it itself",
    ),
    KnownLoss(
        "mse_loss of shapes that broadcast",
        lambda o, t: F.mse_loss(*_broadcast(o, t), reduction="sum"),
        fault="output and target have different shapes, and every output is compared with every "
        "target",
        broadcasts=True,
    ),
    KnownLoss(
        "l1_loss of shapes that broadcast",
        lambda o, t: F.l1_loss(*_broadcast(o, t), reduction="sum"),
        fault="output and target have different shapes, and every output is compared with every "
        "target",
        broadcasts=True,
    ),
)


def identify(
    output: Tensor | None, target: Tensor | None, gradient: Tensor | None, batch: int
) -> IdentifiedLoss | None:
    """The loss whose gradient at `output` for `target` is nearest to `gradient`, both [B, …].

    `batch` is the number of samples of the whole batch. None where no known loss is near, or where
    something is missing.
    """
    if (
        output is None
        or target is None
        or gradient is None
        or gradient.shape != output.shape
        or not bool(gradient.isfinite().all())
    ):
        return None
    o, t, g = output.double(), target, gradient.double()
    t = t.double() if t.is_floating_point() else t.long()
    norm = g.norm()
    if len(t) != len(o) or norm == 0 or not bool(o.isfinite().all()):
        return None
    best: IdentifiedLoss | None = None
    for known in KNOWN:
        d = output_gradient(known.sum, o, t)
        if d is None or d.norm() == 0:
            continue
        scale = float((g * d).sum() / d.square().sum())
        distance = float((g / norm - torch.sign(torch.tensor(scale)) * d / d.norm()).norm())
        # of equals the first one stays: it is the plainest
        if distance < MAX_DISTANCE and (best is None or distance < best.distance / 10):
            best = IdentifiedLoss(known, scale * batch, distance)
    return best


def identify_from_looks(looks: Sequence[Look]) -> IdentifiedLoss | None:
    """The loss by looks at several steps: by the first look that identifies one.

    Where each look has only a number or two, by all of them together: the scale of a gradient is
    free, so that a single number fits nearly every loss.
    """
    first = next((look for look in looks if look.output is not None), None)
    if first is not None and first.output is not None and first.output.numel() < MIN_NUMBERS:
        shape = first.output.shape
        same = [
            (look.output, look.target, look.output_gradient)
            for look in looks
            if look.output is not None and look.output.shape == shape
        ]
        parts = [
            [t for t in part if t is not None and bool(t.isfinite().all())]
            for part in zip(*same, strict=True)
        ]
        if (
            len({len(part) for part in parts}) > 1
            or len(parts[0]) * first.output.numel() <= MIN_NUMBERS
        ):
            return None
        output, target, gradient = (torch.cat(part) for part in parts)
        return identify(output, target, gradient, first.batch)
    identified = (
        identify(look.output, look.target, look.output_gradient, look.batch) for look in looks
    )
    first_known = next((loss for loss in identified if loss is not None), None)
    turned = first_known is not None and first_known.scale < 0
    return None if turned and not _holds_in_all(first_known, looks) else first_known


def _holds_in_all(loss: IdentifiedLoss | None, looks: Sequence[Look]) -> bool:
    """Whether every gradient in the looks is that of `loss`: where outputs begin on one side of
    all targets, that of a distance up to a margin begins as that of an error with a minus does.
    """
    for look in looks:
        output, target, gradient = look.output, look.target, look.output_gradient
        if loss is None or output is None or target is None or gradient is None:
            continue
        if gradient.shape != output.shape or not bool((gradient != 0).any()):
            continue
        d = output_gradient(loss.loss.sum, output.double(), target)
        if d is None or not bool(gradient.isfinite().all()) or d.norm() == 0:
            continue
        if float((gradient / gradient.norm() + d / d.norm()).norm()) >= MAX_DISTANCE:
            return False
    return True


def lifts_own_class(looks: Sequence[Look]) -> float | None:
    """The share of rows in the outputs seen whose own class a step down the gradient lifts above
    the mean of the others; None where none is known. Of outputs that answer by their largest
    number it is near 1, of codes about a half.
    """
    lifted: list[Tensor] = []
    for look in looks:
        labels, gradient = look.target, look.output_gradient
        if labels is None or gradient is None or gradient.ndim != 2 or labels.is_floating_point():
            continue
        if labels.numel() != len(gradient) or not bool(gradient.isfinite().all()):
            continue
        labels, gradient = labels.reshape(-1).long(), gradient.double()
        known = (labels >= 0) & (labels < gradient.shape[1]) & (gradient != 0).any(1)
        own = gradient[known].gather(1, labels[known, None])[:, 0]
        lifted.append(own < gradient[known].mean(1))
    rows = torch.cat(lifted) if lifted else torch.zeros(0)
    return float(rows.double().mean()) if len(rows) else None


def pulled_away(looks: Sequence[Look]) -> float:
    """The share of numbers in the outputs seen that a step down the gradient moves away from their
    target; 0 where none is known. Of a loss that compares number with number it is 0.
    """
    away = total = 0
    for look in looks:
        output, target, gradient = look.output, look.target, look.output_gradient
        if output is None or target is None or gradient is None or gradient.shape != output.shape:
            continue
        if output.numel() != target.numel():
            continue
        error = output.double() - target.reshape(output.shape).double()
        pull = error * gradient.double()
        away += int((pull < 0).sum())
        total += int((pull != 0).sum())
    return away / total if total else 0.0


def output_gradient(loss: LossFn, output: Tensor, target: Tensor) -> Tensor | None:
    """dL/d(output); None where the loss does not take these tensors, or the gradient is not
    finite.
    """
    with torch.enable_grad():
        o = output.detach().requires_grad_()
        try:
            (gradient,) = torch.autograd.grad(loss(o, target), o)
        except (RuntimeError, ValueError, IndexError, TypeError):
            return None
    return gradient if bool(gradient.isfinite().all()) else None
