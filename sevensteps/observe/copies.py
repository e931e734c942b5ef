"""Copies of somebody else's network whose functions call the copy's own parts, too."""

from __future__ import annotations

import copy
from types import CellType, FunctionType
from typing import Any

from torch import nn

OWN = frozenset(vars(nn.Module()))  # what every module has: parts, parameters, hooks


def copy_network(network: nn.Module) -> nn.Module:
    """A deep copy.

    `copy.deepcopy` takes functions as they are: one that a module has made for itself, as
    `self.mlp = lambda x: self.out(self.up(x))`, would go on calling the parts of the original, with
    its weights and in its mode. Here it calls those of the copy. Raises what `deepcopy` raises.
    """
    copies: dict[int, Any] = {}
    result = copy.deepcopy(network, copies)
    for module in result.modules():
        for name, value in list(vars(module).items()):
            if name not in OWN and (own := _rebound(value, copies)) is not value:
                vars(module)[name] = own
    return result


def _rebound(value: Any, copies: dict[int, Any]) -> Any:
    """A function that refers to what was copied, as one that refers to the copies, alone or in a
    list or a dictionary; anything else as it is.
    """
    if isinstance(value, FunctionType):
        return _rebound_function(value, copies)
    if type(value) is list:
        value[:] = [_rebound(part, copies) for part in value]
    elif type(value) is dict:
        value.update({key: _rebound(part, copies) for key, part in value.items()})
    return value


def _rebound_function(function: FunctionType, copies: dict[int, Any]) -> FunctionType:
    def own(value: Any) -> Any:
        if isinstance(value, FunctionType) and value is not function:
            return _rebound_function(value, copies)
        return copies.get(id(value), value)

    contents = [_content(cell) for cell in function.__closure__ or ()]
    defaults = function.__defaults__ or ()
    if not any(own(value) is not value for value in (*contents, *defaults)):
        return function
    cells = tuple(
        cell if own(value) is value else CellType(own(value))
        for cell, value in zip(function.__closure__ or (), contents, strict=True)
    )
    result = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        tuple(map(own, defaults)) or None,
        cells or None,
    )
    result.__kwdefaults__ = function.__kwdefaults__
    result.__dict__.update(function.__dict__)
    return result


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # of a name that has no value yet
        return None
