"""How curved the loss is: the largest eigenvalue of its Hessian, by Lanczos on Hessian-vector products."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

LossFn = Callable[[Tensor, Tensor], Tensor]  # of output and target
TOLERANCE = 1e-2  # relative: 2/λ is wanted to a digit or two
PRODUCTS = 30  # Hessian-vector products at most


def largest_eigenvalue(network: nn.Module, loss: LossFn, x: Tensor, y: Tensor, samples: int = 256) -> float | None:
    """λ_max of the Hessian of the mean loss with respect to all trained parameters; None where it cannot be had.

    Hv is the derivative of gᵀv (Pearlmutter 1994); eigenvalues by `scipy.sparse.linalg.eigsh` (Lanczos).
    """
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

    parameters = [p for p in network.parameters() if p.requires_grad]
    total = sum(p.numel() for p in parameters)
    if total < 3:
        return None
    x, y = x[:samples], y[:samples]
    try:
        with torch.enable_grad():
            value = loss(network(x), y)
            value = value.mean() if value.ndim else value
            gradients = torch.autograd.grad(value, parameters, create_graph=True, allow_unused=True, materialize_grads=True)
            flat = torch.cat([g.reshape(-1) for g in gradients])
    except Exception:  # a network or a loss that is not ours
        return None
    if not bool(flat.isfinite().all()) or not flat.requires_grad:
        return None

    def product(v: np.ndarray) -> np.ndarray:
        direction = torch.from_numpy(np.ascontiguousarray(v.reshape(-1))).to(flat)
        parts = torch.autograd.grad(flat, parameters, direction, retain_graph=True, allow_unused=True, materialize_grads=True)
        return torch.cat([p.reshape(-1) for p in parts]).double().cpu().numpy()

    start = torch.randn(total, generator=torch.Generator().manual_seed(0)).double().numpy()
    operator = LinearOperator((total, total), matvec=product, dtype=np.float64)
    try:
        found = eigsh(operator, k=1, which="LA", v0=start, ncv=min(total, 10), tol=TOLERANCE, maxiter=PRODUCTS, return_eigenvectors=False)
    except ArpackNoConvergence as failure:
        found = failure.eigenvalues
    except (ArpackError, RuntimeError):  # a Hessian of nothing but 0; an operation without a second derivative
        return None
    return float(found[0]) if len(found) and math.isfinite(found[0]) else None


def eigenvalues(network: nn.Module, loss: LossFn, x: Tensor, y: Tensor, most: int = 64) -> list[float] | None:
    """All eigenvalues of the Hessian of the mean loss, ascending, of networks of at most `most` parameters; None for larger ones."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    total = sum(p.numel() for p in parameters)
    if not 0 < total <= most:
        return None
    try:
        with torch.enable_grad():
            value = loss(network(x), y)
            value = value.mean() if value.ndim else value
            gradients = torch.autograd.grad(value, parameters, create_graph=True, allow_unused=True, materialize_grads=True)
            flat = torch.cat([g.reshape(-1) for g in gradients])
            rows = [torch.cat([p.reshape(-1) for p in torch.autograd.grad(part, parameters, retain_graph=True, allow_unused=True,
                                                                         materialize_grads=True)]) for part in flat]
    except Exception:  # a network or a loss that is not ours
        return None
    hessian = torch.stack(rows).double()
    if not bool(hessian.isfinite().all()):
        return None
    found: list[float] = torch.linalg.eigvalsh((hessian + hessian.T) / 2).tolist()
    return found
