"""Listens to every operation of a replayed step, and tells where numbers that are not finite come
from.

An infinity may be meant, as in a mask, or be thrown away again: what counts is the operation that
the loss's, or a gradient's, come from.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sevensteps.observe.function_mode import Callers
from sevensteps.observe.loss_graph import operation_name
from sevensteps.observe.structure import map_tensors, tensors_of

# PyTorch's names that nobody writes
WORDS = {
    **dict.fromkeys(("div", "truediv", "true_divide", "divide", "reciprocal"), "division"),
    **dict.fromkeys(("mm", "bmm", "addmm", "baddbmm", "mv", "addmv"), "matrix product"),
    **{"mul": "product", "add": "sum", "sub": "difference", "to_copy": "cast", "tocopy": "cast"},
    **{"linalg_vector_norm": "norm", "linalgvectornorm": "norm", "safe_softmax": "softmax"},
}
MAX_HISTORY = 8  # operations that are known of what went into one
MAX_NODES = 100_000  # of PyTorch's graph, whose place in the training is known


@dataclass(eq=False)
class Derivation:
    """How a tensor came about: PyTorch's name of the operation, and how its inputs did."""

    name: str
    inputs: tuple[Derivation | None, ...] = ()
    depth: int = 0

    def chain(self) -> list[str]:
        """The names of the operations that it came from, the last first, each time by the first
        input that has a history.
        """
        names: list[str] = []
        one: Derivation | None = self
        while one is not None and len(names) < MAX_HISTORY:
            names.append(one.name)
            one = next((source for source in one.inputs if source is not None), None)
        return names


@dataclass(eq=False)
class Origin:
    """An operation that gave numbers that are not finite, from inputs that are, or that are
    infinite on purpose.

    `name` is PyTorch's ("sqrt", "_softmax"), `args` what it was given and `output` what it gave.
    `where` is the line of the training, `layer` the module, `function` the function that was
    called there, `call` the number of the network's call before it. In a backward pass, `node` is
    the step of it.
    """

    name: str
    args: tuple[Any, ...]
    output: Tensor
    derivations: tuple[Derivation | None, ...]
    where: str = ""
    layer: str = ""
    function: str = ""
    node: Any = None
    order: int = 0
    call: int = 0
    in_network: bool = False
    saved: dict[str, Any] = field(default_factory=dict)

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors among the arguments, in their order."""
        return [t for t in tensors_of(self.args).values() if t.is_floating_point()]

    @property
    def bad(self) -> Tensor:
        """Which numbers of the output are not finite."""
        return ~self.output.isfinite()

    @property
    def index(self) -> tuple[int, ...]:
        """The place of the first of them."""
        return tuple(self.bad.nonzero()[0].tolist())

    @property
    def operation(self) -> str:
        """The operation in the training's own words; of a backward pass, that it belongs to."""
        name = operation_name(self.node).lower() if self.node is not None else self.name
        name = name.strip("_").removeprefix("native_").removesuffix("_forward")
        return WORDS.get(name, name)


@dataclass(eq=False)
class Place:
    """Where in the training something is called."""

    where: str = ""
    layer: str = ""
    function: str = ""
    call: int = 0  # of a network, the last before it


class OperationListener(TorchDispatchMode):
    """Finds the origins of numbers that are not finite while it is entered.

    `place` is where the training calls something, where the stack cannot say so.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.place: Place | None = None
        self.call = -1  # of a network, the last
        self.layers: list[str] = []  # modules that run, outermost first
        self.places: dict[Any, Place] = {}  # of the nodes of PyTorch's graph
        self.backward = False
        self.incoming: dict[Any, Tensor] = {}  # the gradient that came to a node
        self._callers = Callers()
        self._origins: dict[int, Origin | None] = {}  # by storage; None: infinite on purpose
        self._held: list[Tensor] = []  # storage is not used again while it is held
        self._derivations: dict[int, Derivation] = {}
        self._order = 0

    def origin(self, tensor: Tensor | None) -> Origin | None:
        """The origin of what is not finite in `tensor`; None where all is, or it was given so."""
        if tensor is None or not _is_bad(tensor):
            return None
        return self._origins.get(_storage(tensor))

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        inputs = [t for t in tensors_of((args, kwargs)).values() if _is_number(t)]
        derivations = tuple(self._derivations.get(_storage(t)) for t in inputs)
        origins = [(t, self._origins.get(_storage(t))) for t in inputs if _is_bad(t)]
        given: tuple[Any, ...] = (*args, kwargs)
        if func._schema.is_mutable:
            given = map_tensors(torch.clone, given)
            origins = [(t.clone(), origin) for t, origin in origins]
        result = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        for output in tensors_of(result).values():
            if _is_number(output) and "empty" not in name:
                self._note(name, func, given, derivations, origins, output)
        return result

    def _note(
        self,
        name: str,
        func: Any,
        given: tuple[Any, ...],
        derivations: tuple[Derivation | None, ...],
        origins: list[tuple[Tensor, Origin | None]],
        output: Tensor,
    ) -> None:
        storage = _storage(output)
        if not func.is_view:
            depth = 1 + max((one.depth for one in derivations if one is not None), default=0)
            # of what is long ago, nothing is remembered
            inputs = derivations if depth % MAX_HISTORY else ()
            self._derivations[storage] = Derivation(name.strip("_"), inputs, depth)
        if not _is_bad(output):
            return
        known = [origin for _, origin in origins if origin is not None]
        origin: Origin | None
        if known:
            origin = min(known, key=lambda one: one.order)
        elif origins or _says_infinity(given):
            # what is infinite on purpose may stay so, but is not to become NaN
            became = _has_nan(output) and not any(_has_nan(t) for t, _ in origins)
            origin = self._new(name, given, derivations, output) if became else None
        else:
            origin = self._new(name, given, derivations, output)
        if storage not in self._origins or self._origins[storage] is None:
            self._origins[storage] = origin
            self._held.append(output)

    def _new(
        self,
        name: str,
        given: tuple[Any, ...],
        derivations: tuple[Derivation | None, ...],
        output: Tensor,
    ) -> Origin:
        self._order += 1
        node = torch._C._current_autograd_node() if self.backward else None
        place = self.places.get(node, Place()) if self.backward else self._here()
        saved = {} if node is None else saved_values(node)
        if node in self.incoming:
            saved["incoming"] = self.incoming[node]
        return Origin(
            name,
            map_tensors(Tensor.detach, given),
            output.detach().clone(),
            derivations,
            place.where,
            place.layer,
            place.function,
            node,
            self._order,
            place.call,
            self.place is None,
            saved,
        )

    def _here(self) -> Place:
        if self.place is not None:
            return replace(self.place, call=self.call)
        where = self._callers.where(sys._getframe(1))
        return Place(where, self.layers[-1] if self.layers else "", "", self.call)

    def begin_backward(self) -> None:
        """A backward pass begins, through the calls that were listened to."""
        self.backward = True
        for node in self.places:
            node.register_prehook(partial(self._arrives, node))

    def _arrives(self, node: Any, gradients: tuple[Tensor | None, ...]) -> None:
        known = (gradient for gradient in gradients if gradient is not None)
        if (gradient := next(known, None)) is not None:
            self.incoming[node] = gradient

    def claim(self, function: Callable[..., Any], result: Any) -> None:
        """`function` gave `result`: nodes of PyTorch's graph that are new belong to its place."""
        here = self._here()
        place = replace(here, function=getattr(function, "__name__", ""))
        nodes = [t.grad_fn for t in tensors_of(result).values() if t.grad_fn is not None]
        while nodes and len(self.places) < MAX_NODES:
            node = nodes.pop()
            if node not in self.places:
                self.places[node] = place
                nodes += [one for one, _ in node.next_functions if one is not None]


class CallListener(TorchFunctionMode):
    """Tells an `OperationListener` which call each node of PyTorch's graph comes from."""

    def __init__(self, listener: OperationListener) -> None:
        super().__init__()
        self.listener = listener

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.listener.claim(func, result)
        return result


def follow_layers(network: nn.Module, name: str, listener: OperationListener) -> None:
    """Have `listener` know which module of `network`, a copy, runs."""
    for own, module in network.named_modules():
        layer = ".".join(part for part in (name, own) if part)

        def enter(module: nn.Module, args: Any, layer: str = layer) -> None:
            listener.layers.append(layer)

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            listener.layers.pop()

        module.register_forward_pre_hook(enter)
        module.register_forward_hook(leave, always_call=True)


def saved_values(node: Any) -> dict[str, Any]:
    """What a node of PyTorch's graph has kept of its forward pass: tensors and numbers by name."""
    values = {}
    for name in dir(node):
        if name.startswith("_saved_"):
            try:
                value = getattr(node, name)
            except RuntimeError:  # freed
                continue
            if isinstance(value, Tensor):
                value = value.detach()
            values[name.removeprefix("_saved_")] = value
    return values


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return id(tensor)


def _is_number(tensor: Tensor) -> bool:
    return (tensor.is_floating_point() or tensor.is_complex()) and tensor.layout == torch.strided


def _is_bad(tensor: Tensor) -> bool:
    return _is_number(tensor) and not bool(tensor.isfinite().all())


def _has_nan(tensor: Tensor) -> bool:
    return bool(tensor.isnan().any())


def _says_infinity(value: Any) -> bool:
    """Whether an argument is an infinite number, such as what a mask is filled with."""
    if isinstance(value, float):
        return value - value != 0.0
    if isinstance(value, dict):
        value = list(value.values())
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(map(_says_infinity, value))
    )
