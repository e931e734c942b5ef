"""What lies between a network's last weights and what its loss compares: read off the terms of the
loss, so that it is the same whether written as a module, a function or a method, inside of the
network or after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sevensteps.doctor.case import Case
from sevensteps.doctor.loss_from_calls import LAYOUT
from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.loss_graph import Operation

INF = float("inf")
# what an operation can give, whatever it is given
RANGES: dict[str, tuple[float, float]] = {
    "Relu": (0.0, INF),
    "Sigmoid": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Softplus": (0.0, INF),
    "Exp": (0.0, INF),
    "Abs": (0.0, INF),
    "Softmax": (0.0, 1.0),
    "LogSoftmax": (-INF, 0.0),
    "LogSigmoid": (-INF, 0.0),
    "Hardsigmoid": (0.0, 1.0),
}
PICKED = {*LAYOUT, "Select", "Slice", "Index", "Gather", "Clamp", "ClampMin", "ClampMax"}
DIFFERENCES = ("Sub", "Rsub")
# what makes an error of a difference
ERRORS = {"Pow", "Abs", "Mul", "Sqrt", "Mean", "Sum", "Norm", "LinalgVectorNorm", *LAYOUT}


@dataclass(frozen=True)
class OutputPath:
    """One term of a loss, the call that computed it (None: written by hand), and the `operations`
    from the last weights to it that are more than another shape.
    """

    look: Look
    term: LossTerm
    call: Call | None
    operations: tuple[Operation, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the operations."""
        return tuple(operation.name for operation in self.operations)

    @property
    def compared(self) -> tuple[str, ...] | None:
        """The operations up to where outputs are compared with targets number by number; None where
        they are not.
        """
        if self.call is not None:
            elementwise = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
            return self.names if self.call.name in elementwise else None
        at = next((i for i, name in enumerate(self.names) if name in DIFFERENCES), None)
        if at is None or not set(self.names[at + 1 :]) <= ERRORS:
            return None
        return self.names[:at] if at + 1 < len(self.names) else None


def output_paths(case: Case) -> Iterator[OutputPath]:
    """The paths of the terms in the first look that has some of an output."""
    for look in case.looks[:8]:
        terms = [term for term in look.loss_terms if term.sources]
        for term in terms:
            known = term.call is not None and term.call < len(look.calls)
            call = look.calls[term.call] if known and term.call is not None else None
            path = tuple(op for op in (*term.ending, *term.operations) if op.name not in LAYOUT)
            yield OutputPath(look, term, call, path)
        if terms:
            return


def likelihood(path: OutputPath) -> tuple[str, tuple[str, ...]] | None:
    """("softmax" or "sigmoid", the operations before it) of a loss of probabilities, whether
    PyTorch or the training applies it; None for any other loss.
    """
    names = tuple(name for name in path.names if name not in PICKED)
    function = path.call.name if path.call is not None else ""
    if function == "cross_entropy":
        return "softmax", _without(names, "LogSoftmax")
    if function == "binary_cross_entropy_with_logits":
        return "sigmoid", names
    if function in ("nll_loss", "binary_cross_entropy") or not function:
        for link, ends in (
            ("softmax", (("LogSoftmax",), ("Softmax", "Log"))),
            ("sigmoid", (("LogSigmoid",), ("Sigmoid", "Log"), ("Sigmoid", "Rsub", "Log"))),
        ):
            for end in ends:
                if names[-len(end) :] == end:
                    return link, names[: -len(end)]
        if function == "binary_cross_entropy" and names[-1:] == ("Sigmoid",):
            return "sigmoid", names[:-1]
    return None


def _without(names: tuple[str, ...], last: str) -> tuple[str, ...]:
    return names[:-1] if names[-1:] == (last,) else names
