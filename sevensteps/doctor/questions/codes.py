"""Are the codes that the network gives to different inputs alike?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.observe.structure import tensors_of

FEWEST = 8  # samples, of fewer nothing is said
TINY = 1e-30


@dataclass(frozen=True)
class Codes:
    """One output [N, D] of the network, by its path. `spread` is the root mean square deviation
    between samples, `size` the root mean square of all numbers, `at_first` the spread in the first
    look (None: there is none).
    """

    output: str
    samples: int
    dimensions: int
    spread: float
    size: float
    at_first: float | None

    @property
    def relative(self) -> float:
        """The spread relative to the size."""
        return self.spread / max(self.size, TINY)


@dataclass(frozen=True)
class Posterior:
    """Two outputs of `dimensions` numbers that are mean and log variance of a code: `divergence` is
    that from a standard normal distribution in nats, the mean over `samples` samples.
    """

    mean: str
    log_variance: str
    samples: int
    dimensions: int
    divergence: float


def codes(case: Case) -> tuple[list[Codes], list[Posterior]] | None:
    """The spread of each output of more than one number for different samples; and of each two
    outputs of one form, beside a third one, the divergence that they would have as a posterior.
    """
    return put(case, "representation_collapsed", _ask)


def _ask(asker: Asker) -> tuple[list[Codes], list[Posterior]] | None:
    if asker.count < FEWEST or not any(
        len(t) == asker.count and bool((t != t[:1]).any())
        for t in tensors_of(asker.inputs).values()
        if t.ndim
    ):
        return None
    outputs = {
        path: tensor.detach().double().cpu().flatten(1)
        for path, tensor in tensors_of(asker.output(asker.inputs)).items()
        if tensor.is_floating_point() and tensor.ndim >= 2 and len(tensor) == asker.count
    }
    outputs = {p: t for p, t in outputs.items() if t.shape[1] > 1 and bool(t.isfinite().all())}
    return (
        [
            Codes(
                path,
                asker.count,
                code.shape[1],
                _spread(code),
                float(code.square().mean().sqrt()),
                _first_spread(asker.case, path),
            )
            for path, code in outputs.items()
        ],
        [
            Posterior(first, second, asker.count, one.shape[1], _divergence(one, other))
            for (first, one), (second, other) in combinations(outputs.items(), 2)
            if one.shape == other.shape and len(outputs) > 2
        ],
    )


def _spread(code: Tensor) -> float:
    return float((code - code.mean(0)).square().mean().sqrt())


def _divergence(mean: Tensor, log_variance: Tensor) -> float:
    """KL(N(μ, σ²) || N(0, 1)) = ½ Σ (μ² + σ² - 1 - log σ²), the mean over samples."""
    if float(log_variance.max()) > 50:
        return math.inf
    each = mean.square() + log_variance.exp() - 1 - log_variance
    return float(each.sum(1).mean()) / 2


def _first_spread(case: Case, path: str) -> float | None:
    """The spread of this output in the first look at it."""
    for look in case.looks:
        output = look.outputs.get(path, look.output if not look.outputs else None)
        if output is not None and output.ndim >= 2 and len(output) > 1:
            return _spread(output.detach().double().flatten(1))
    return None
