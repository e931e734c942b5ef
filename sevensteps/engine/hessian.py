"""How curved a loss is: its Hessian H [P, P], the second derivatives by all trained parameters, as
a product, whole, or by its ends.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.errors import ArgumentError

TOLERANCE = 1e-3  # relative to the largest eigenvalue
RESTARTS = 20  # of Lanczos at most
BASIS = 20  # vectors that Lanczos keeps


class Hessian:
    """H of the mean loss of `network` over the samples x [N, …], y, where its parameters are now. `loss` gives one number a sample.

    A product H v is the derivative of gᵀv (Pearlmutter 1994, Fast exact multiplication by the
    Hessian); none needs H itself. Raises `ArgumentError` where there is nothing to differentiate,
    or what is there is not finite."""

    def __init__(
        self, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
    ) -> None:
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.size = sum(p.numel() for p in self.parameters)
        if not self.size:
            raise ArgumentError(
                "the network has no trained parameter, so its loss has no slope and no curvature"
            )
        with torch.enable_grad():
            value = loss(network(x), y).mean()
            if not value.requires_grad:
                raise ArgumentError(
                    "the loss does not depend on the parameters by any derivative, so it has no "
                    "slope and no curvature"
                )
            self._gradient = torch.cat(
                [g.reshape(-1) for g in self._derivatives(value, create_graph=True)]
            )
        self.loss, self.gradient = float(value.detach()), self._gradient.detach()
        if not bool(self.gradient.isfinite().all()) or not np.isfinite(self.loss):
            raise ArgumentError(
                "the loss or its gradient is not finite at these weights, so there is no "
                "curvature to measure"
            )

    def _derivatives(
        self, value: Tensor, along: Tensor | None = None, create_graph: bool = False
    ) -> tuple[Tensor, ...]:
        return torch.autograd.grad(
            value,
            self.parameters,
            along,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )

    @property
    def curved(self) -> bool:
        """Whether there are second derivatives at all; without, the loss is linear in every
        parameter.
        """
        return self._gradient.requires_grad

    def __matmul__(self, v: Tensor) -> Tensor:
        """H v, [P]."""
        if not self.curved:
            return torch.zeros_like(v)
        return torch.cat([part.reshape(-1) for part in self._derivatives(self._gradient, v)])

    def matrix(self) -> Tensor:
        """H [P, P], row by row."""
        whole = torch.stack([self @ one for one in torch.eye(self.size, dtype=self.gradient.dtype)])
        return (whole + whole.T) / 2

    def spectrum(self) -> tuple[Tensor, Tensor]:
        """All eigenvalues [P], largest first, and their vectors, the columns of [P, P]."""
        values, vectors = torch.linalg.eigh(self.matrix())
        return values.flip(0), vectors.flip(1)

    def largest(self, count: int = 2) -> tuple[Tensor, Tensor]:
        """The `count` largest eigenvalues, largest first, and their vectors, the columns of [P,
        count]. By Lanczos.
        """
        values, vectors = self._lanczos(count, "LA", 0.0)
        order = np.argsort(values)[::-1].copy()
        return torch.from_numpy(values[order]), torch.from_numpy(vectors[:, order].copy())

    def smallest(self, largest: float) -> float:
        """The smallest eigenvalue, to within `TOLERANCE` of the `largest` one: most of a network's
        eigenvalues are near 0.
        """
        return largest + float(
            self._lanczos(1, "SA", largest)[0][0]
        )  # those of the shifted matrix are far from 0, where Lanczos is slow

    def _lanczos(self, count: int, end: str, shift: float) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of H - shift I, from the upper end ("LA") or the lower one ("SA")."""
        from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

        def product(v: np.ndarray) -> np.ndarray:
            direction = torch.from_numpy(np.ascontiguousarray(v.reshape(-1))).to(self.gradient)
            return (self @ direction - shift * direction).double().cpu().numpy()

        start = torch.randn(
            self.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        ).numpy()
        if not product(
            start
        ).any():  # a direction at random, and no curvature: there is none anywhere
            return np.zeros(count), np.eye(self.size, count)
        try:
            found = eigsh(
                LinearOperator((self.size, self.size), matvec=product, dtype=np.float64),
                k=count,
                which=end,
                v0=start,
                ncv=min(self.size, BASIS),
                tol=TOLERANCE,
                maxiter=RESTARTS,
            )
        except ArpackNoConvergence as failure:
            found = failure.eigenvalues, failure.eigenvectors
        except (
            ArpackError,
            RuntimeError,
        ) as failure:  # such as an operation without a second derivative
            raise ArgumentError(f"the curvature cannot be had here: {failure}") from None
        if len(found[0]) < count:
            raise ArgumentError(f"Lanczos did not find {count} eigenvalues in {RESTARTS} restarts")
        values, vectors = found
        return values, vectors
