"""Which modules a script trains: those that hold an optimizer's parameters, and are called from
outside.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

TORCH_FOLDER = os.path.dirname(os.path.abspath(torch.__file__))
OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# modules that only pass calls on to the one that they hold
WRAPPERS = {"DistributedDataParallel", "DataParallel"}
CALL = nn.Module._call_impl.__code__
MAX_NODES = 20_000  # of a loss's graph that are read
MAX_FRAMES = 12  # of callers that are read for a name


class PlainTensors(nn.Module):
    """Tensors that a script trains without a module, to be looked at like one; they stay as they
    are.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.__dict__["_tensors"] = tensors

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """The tensors by name; `PlainTensors` has no other parameters."""
        tensors: dict[str, Tensor] = self.__dict__["_tensors"]
        for name, tensor in tensors.items():
            yield f"{prefix}.{name}" if prefix else name, tensor


def parameter_ids(values: Iterable[Tensor]) -> set[int]:
    """The ids of those that are trained."""
    return {id(value) for value in values if value.requires_grad}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The tensors that an optimizer updates."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def holders(tensors: Iterable[Tensor]) -> list[nn.Module]:
    """The outermost modules alive that hold any of these tensors; searches the whole memory."""
    wanted = {id(tensor) for tensor in tensors}
    modules = [
        o
        for o in gc.get_objects()
        if issubclass(type(o), nn.Module)
        and type(o).__name__ not in WRAPPERS
        and not isinstance(o, PlainTensors)
    ]
    holding = [m for m in modules if any(id(p) in wanted for p in m.parameters())]
    inner = {id(part) for m in holding for part in m.modules() if part is not m}
    return [m for m in holding if id(m) not in inner]


def leaves(loss: Tensor) -> list[Tensor]:
    """The tensors that a loss would send gradients to, in the order they are met."""
    found: dict[int, Tensor] = {}
    queue: deque[Any] = deque([loss.grad_fn])
    visited = {loss.grad_fn}
    while queue and len(visited) < MAX_NODES:
        node = queue.popleft()
        if node is None:
            continue
        if (variable := getattr(node, "variable", None)) is not None:
            found.setdefault(id(variable), variable)
            continue
        for following, _ in node.next_functions:
            if following is not None and following not in visited:
                visited.add(following)
                queue.append(following)
    return list(found.values())


def script_frames() -> Iterator[FrameType]:
    """The frames of the script, innermost first: not PyTorch's and not ours."""
    frame: FrameType | None = sys._getframe(1)
    count = 0
    while frame is not None and count < MAX_FRAMES:
        name = frame.f_code.co_filename
        if not name.startswith((TORCH_FOLDER, OWN_FOLDER, "<")):
            count += 1
            yield frame
        frame = frame.f_back


def is_called_from_outside() -> bool:
    """Whether what is called now is called by no module's own call."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is CALL:
            return False
        frame = frame.f_back
    return True


def place_of_call() -> str:
    """Where the script is now, as `train.py:41`, rather than in a library that it calls; "" where
    no frame is the script's.
    """
    frames = list(script_frames())
    own = [f for f in frames if "site-packages" not in f.f_code.co_filename]
    for frame in own or frames:
        return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
    return ""


def name_of(value: Any) -> str:
    """What the script calls a value: a variable of its functions, or an attribute of its objects;
    "" where it is called nothing.
    """
    for frame in script_frames():
        variables = [frame.f_locals, frame.f_globals]
        for names in variables:
            for name, other in list(names.items()):
                if other is value and name != "self" and _is_name(name):
                    return name
        owner = frame.f_locals.get("self")
        for name, other in [
            *getattr(owner, "__dict__", {}).items(),
            *(getattr(owner, "_modules", None) or {}).items(),
        ]:
            if other is value and _is_name(name):
                return str(name)
    return ""


def _is_name(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_")
