"""How curved a loss is: its Hessian H [P, P], as a product, whole, or by its ends.

H holds the second derivatives by all trained parameters. Its eigenvalues come from one solver,
SciPy's `eigsh` (Lanczos) over products H v.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.errors import ArgumentError

LossFunction = Callable[[Tensor, Tensor], Tensor]  # of output and target

TOLERANCE = 1e-3  # relative to the largest eigenvalue
RESTARTS = 20  # of Lanczos at most
BASIS = 20  # vectors that Lanczos keeps


class Hessian:
    """H of the mean loss of `network` over the samples x [N, …], y, where its parameters are now.
    `loss` gives one number a sample.

    A product H v is the derivative of gᵀv (Pearlmutter 1994, Fast exact multiplication by the
    Hessian); none needs H itself. Raises `ArgumentError` where there is nothing to differentiate,
    or what is there is not finite.
    """

    def __init__(self, network: nn.Module, loss: LossFunction, x: Tensor, y: Tensor) -> None:
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
        # the derivative of a number: where `along` is given as grad_outputs, PyTorch imports sympy,
        # half a second
        with torch.enable_grad():
            number = value if along is None else value.dot(along)
        return torch.autograd.grad(
            number,
            self.parameters,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )

    @property
    def has_second_derivatives(self) -> bool:
        """Whether there are second derivatives at all; without, the loss is linear in every
        parameter.
        """
        return self._gradient.requires_grad

    def __matmul__(self, v: Tensor) -> Tensor:
        """H v, [P]."""
        if not self.has_second_derivatives:
            return torch.zeros_like(v)
        return torch.cat([part.reshape(-1) for part in self._derivatives(self._gradient, v)])

    def matrix(self) -> Tensor:
        """H [P, P], row by row."""
        identity = torch.eye(self.size, dtype=self.gradient.dtype)
        rows = torch.stack([self @ direction for direction in identity])
        return (rows + rows.T) / 2

    def spectrum(self) -> tuple[Tensor, Tensor]:
        """All eigenvalues [P], largest first, and their vectors, the columns of [P, P]."""
        values, vectors = torch.linalg.eigh(self.matrix())
        return values.flip(0), vectors.flip(1)

    def largest(
        self,
        count: int = 2,
        *,
        tolerance: float = TOLERANCE,
        restarts: int = RESTARTS,
        basis: int = BASIS,
        start: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The `count` largest eigenvalues, largest first, and their vectors, the columns of [P,
        count]. By Lanczos.

        Each is right to `tolerance`, relative to the largest. At most so many `restarts`, with
        `basis` vectors in between; it begins with the direction `start` [P], a random one if left
        out. Raises `ArgumentError` where it does not get there, or PyTorch has no second
        derivative.
        """
        values, vectors = self._lanczos(count, "LA", 0.0, tolerance, restarts, basis, start)
        order = np.argsort(values)[::-1].copy()
        return torch.from_numpy(values[order]), torch.from_numpy(vectors[:, order].copy())

    def smallest(self, largest: float) -> float:
        """The smallest eigenvalue, to within `TOLERANCE` of the `largest` one: most of a network's
        eigenvalues are near 0.
        """
        # those of the shifted matrix are far from 0, where Lanczos is slow
        return largest + float(self._lanczos(1, "SA", largest)[0][0])

    def _lanczos(
        self,
        count: int,
        end: str,
        shift: float,
        tolerance: float = TOLERANCE,
        restarts: int = RESTARTS,
        basis: int = BASIS,
        start: Tensor | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of H - shift I, from the upper end ("LA") or the lower one ("SA"), and their
        vectors.
        """
        from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

        def product(v: np.ndarray) -> np.ndarray:
            direction = torch.from_numpy(np.ascontiguousarray(v.reshape(-1))).to(self.gradient)
            return (self @ direction - shift * direction).double().cpu().numpy()

        if start is None:
            generator = torch.Generator().manual_seed(0)
            start = torch.randn(self.size, generator=generator, dtype=torch.float64)
        try:
            if not product(start.numpy()).any():
                # a direction at random, and no curvature: there is none anywhere
                return np.zeros(count), np.eye(self.size, count)
            values, vectors = eigsh(
                LinearOperator((self.size, self.size), matvec=product, dtype=np.float64),
                k=count,
                which=end,
                v0=start.numpy(),
                ncv=min(self.size, basis),
                tol=tolerance,
                maxiter=restarts,
            )
        except ArpackNoConvergence as failure:
            values, vectors = failure.eigenvalues, failure.eigenvectors
        except (ArpackError, RuntimeError) as failure:
            # such as an operation without a second derivative
            raise ArgumentError(f"the curvature cannot be computed here: {failure}") from None
        if len(values) < count:
            raise ArgumentError(f"Lanczos reached no {count} eigenvalues in {restarts} restarts")
        return values, vectors


# What is asked in the middle of other work, of networks and losses that are not ours: a coarse
# answer, or none.
COARSE_TOLERANCE = 1e-2  # 2/λ is wanted to a digit or two
COARSE_RESTARTS = 30
COARSE_BASIS = 10
FEWEST = 3  # parameters; fewer are too few for Lanczos


def largest_eigenvalue(
    network: nn.Module, loss: LossFunction, x: Tensor, y: Tensor, samples: int = 256
) -> float | None:
    """λ_max of the Hessian of the mean loss over the first `samples`, to about 1 %; None where it
    cannot be computed.
    """
    if sum(p.numel() for p in network.parameters() if p.requires_grad) < FEWEST:
        ascending = eigenvalues(network, loss, x[:samples], y[:samples])
        return ascending[-1] or None if ascending else None
    try:
        hessian = Hessian(network, loss, x[:samples], y[:samples])
    except Exception:  # whatever a network or a loss that is not ours may raise
        return None
    start = torch.randn(hessian.size, generator=torch.Generator().manual_seed(0)).double()
    try:
        values, _ = hessian.largest(
            1,
            tolerance=COARSE_TOLERANCE,
            restarts=COARSE_RESTARTS,
            basis=COARSE_BASIS,
            start=start,
        )
    except ArgumentError:
        return None
    largest = float(values[0])
    return largest if math.isfinite(largest) and largest else None


def eigenvalues(
    network: nn.Module, loss: LossFunction, x: Tensor, y: Tensor, most: int = 64
) -> list[float] | None:
    """All eigenvalues of the Hessian of the mean loss, ascending, of networks of at most `most`
    parameters; None for larger ones, and where there is no curvature to measure.
    """
    if not 0 < sum(p.numel() for p in network.parameters() if p.requires_grad) <= most:
        return None
    try:
        hessian = Hessian(network, loss, x, y)
        matrix = hessian.matrix().double() if hessian.has_second_derivatives else None
    except Exception:  # whatever a network or a loss that is not ours may raise
        return None
    if matrix is None or not bool(matrix.isfinite().all()):
        return None
    ascending: list[float] = torch.linalg.eigvalsh(matrix).tolist()
    return ascending
