"""How curved the loss is: the largest eigenvalue of its Hessian, by Lanczos on Hessian-vector
products.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.engine.hessian import Hessian

LossFn = Callable[[Tensor, Tensor], Tensor]  # of output and target
TOLERANCE = 1e-2  # relative: 2/λ is wanted to a digit or two
PRODUCTS = 30  # Hessian-vector products at most


def largest_eigenvalue(
    network: nn.Module, loss: LossFn, x: Tensor, y: Tensor, samples: int = 256
) -> float | None:
    """λ_max of the Hessian of the mean loss with respect to all trained parameters; None where it
    cannot be had.

    Coarser and quicker than `Hessian.largest`: it is asked in the middle of other work. By
    `scipy.sparse.linalg.eigsh` (Lanczos)."""
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

    if sum(p.numel() for p in network.parameters() if p.requires_grad) < 3:
        return None
    try:
        hessian = Hessian(network, loss, x[:samples], y[:samples])
    except Exception:  # a network or a loss that is not ours
        return None
    if not hessian.curved:
        return None
    total = hessian.size

    def product(v: np.ndarray) -> np.ndarray:
        return (
            (hessian @ torch.from_numpy(np.ascontiguousarray(v.reshape(-1))).to(hessian.gradient))
            .double()
            .cpu()
            .numpy()
        )

    start = torch.randn(total, generator=torch.Generator().manual_seed(0)).double().numpy()
    operator = LinearOperator((total, total), matvec=product, dtype=np.float64)
    try:
        found = eigsh(
            operator,
            k=1,
            which="LA",
            v0=start,
            ncv=min(total, 10),
            tol=TOLERANCE,
            maxiter=PRODUCTS,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence as failure:
        found = failure.eigenvalues
    except (
        ArpackError,
        RuntimeError,
    ):  # a Hessian of nothing but 0; an operation without a second derivative
        return None
    return float(found[0]) if len(found) and math.isfinite(found[0]) else None


def eigenvalues(
    network: nn.Module, loss: LossFn, x: Tensor, y: Tensor, most: int = 64
) -> list[float] | None:
    """All eigenvalues of the Hessian of the mean loss, ascending, of networks of at most `most`
    parameters; None for larger ones.
    """
    if not 0 < sum(p.numel() for p in network.parameters() if p.requires_grad) <= most:
        return None
    try:
        hessian = Hessian(network, loss, x, y)
        whole = hessian.matrix().double() if hessian.curved else None
    except Exception:  # a network or a loss that is not ours
        return None
    if whole is None or not bool(whole.isfinite().all()):
        return None
    found: list[float] = torch.linalg.eigvalsh(whole).tolist()
    return found
